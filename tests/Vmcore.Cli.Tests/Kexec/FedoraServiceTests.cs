using System.Globalization;
using Vmcore.Cli.Kexec;
using Vmcore.Testing.Kexec;

namespace Vmcore.Cli.Tests.Kexec;

/// <summary>The command lines of kdump-utils (Fedora, RHEL), in its order of options. It goes by the exit status alone.</summary>
public sealed class FedoraServiceTests : IDisposable
{
    private const string CommandLine =
        "--command-line=BOOT_IMAGE=(hd0,gpt2)/vmlinuz ro irqpoll nr_cpus=1 reset_devices cgroup_disable=memory mce=off numa=off udev.children-max=2 panic=10 "
        + "acpi_no_memhotplug transparent_hugepage=never nokaslr hest_disable novmcoredd cma=0 hugetlb_cma=0 pcie_ports=compat disable_cpu_apicid=0";

    private readonly TestTree _tree = TestTree.Stock();
    private readonly StringWriter _output = new(CultureInfo.InvariantCulture);
    private readonly StringWriter _error = new(CultureInfo.InvariantCulture);

    public FedoraServiceTests() =>
        _tree.Bytes("/boot/vmlinuz", FakeKernel.BzImage()).Bytes("/boot/initrd", FakeKernel.Gzip(FakeKernel.Cpio(1000)));

    public void Dispose()
    {
        _tree.Dispose();
        _output.Dispose();
        _error.Dispose();
    }

    [Theory]
    [InlineData("-s -p")] // KEXEC_ARGS as it comes
    [InlineData("-s -s -p")] // and Secure Boot
    [InlineData("-p")]
    [InlineData("-c -p")]
    [InlineData("-a -p")]
    [InlineData("--elf64-core-headers -p")] // i386's, which people keep
    public void KdumpctlLoads(string options)
    {
        string[] args =
        [
            .. options.Split(' '), CommandLine, $"--initrd={_tree.Root}/boot/initrd", $"{_tree.Root}/boot/vmlinuz", "--dry-run", $"--sysroot={_tree.Root}",
        ];
        Assert.Equal(0, KexecCommand.Run(args, _output, _error));
        Assert.Contains(CommandLine["--command-line=".Length..], _output.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-s -p -u")]
    [InlineData("-p -u")]
    public void KdumpctlUnloads(string options) =>
        Assert.Equal(0, KexecCommand.Run([.. options.Split(' '), "--dry-run"], _output, _error));

    [Fact]
    public void ALoadThatFailsSaysSoByItsStatus()
    {
        string[] args = ["-s", "-p", CommandLine, $"--initrd={_tree.Root}/boot/nothing", $"{_tree.Root}/boot/vmlinuz", "--dry-run", $"--sysroot={_tree.Root}"];
        Assert.NotEqual(0, KexecCommand.Run(args, _output, _error));
        Assert.NotEqual("", _error.ToString());
    }
}
