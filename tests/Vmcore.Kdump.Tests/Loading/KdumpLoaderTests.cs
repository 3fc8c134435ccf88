using Vmcore.Kdump.Configuration;
using Vmcore.Kdump.Estimating;
using Vmcore.Kdump.Installing;
using Vmcore.Kdump.Loading;
using Vmcore.Kexec;
using Vmcore.Testing;
using Vmcore.Testing.Kexec;

namespace Vmcore.Kdump.Tests.Loading;

public sealed class KdumpLoaderTests
{
    private const string Program = "/usr/bin/vmcore";

    [Fact]
    public void WhatIsLoadedIsKernelInitramfsAndWords()
    {
        using TestTree tree = Machine();
        var calls = new Calls(tree);
        LoadResult result = new KdumpLoader(calls).Load(tree.Root, tree.Root + Program, isDryRun: false);
        Assert.True(result.IsNew);
        Assert.Equal(
            ["virtio_pci_legacy_dev", "virtio", "virtio_ring", "virtio_pci", "virtio_blk", "crc32c_generic", "crc32c_fast", "jbd2", "crc16", "mbcache", "ext4"],
            [.. result.Plan.Modules.Select(Vmcore.Kdump.Modules.ModuleIndex.NameOf)]);
        Assert.Equal(
            "console=ttyS0 reset_devices irqpoll nr_cpus=1 panic=10 transparent_hugepage=never cma=0 hugetlb_cma=0", result.Plan.CommandLine);
        Assert.Single(calls.Log);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(result.InitramfsFile));
        KdumpState status = KdumpState.Read(tree.Root, tree.Root + Program);
        Assert.Equal((true, true, true, null), (status.IsLoaded, status.IsOurs, status.IsCurrent, status.Problem));

        // Once more nothing is made anew; with another executable, module or configuration it is.
        Assert.False(new KdumpLoader(calls).Load(tree.Root, tree.Root + Program, isDryRun: false).IsNew);
        foreach (Action change in (Action[])[
            () => tree.File(Program, "another"),
            () => tree.File($"/lib/modules/{Trees.Release}/kernel/fs/ext4/ext4.ko", "a longer one than before"),
            () => tree.File(ConfigurationFile.Path, "keep = 3\n")])
        {
            change();
            Assert.Equal(false, KdumpState.Read(tree.Root, tree.Root + Program).IsCurrent);
            Assert.True(new KdumpLoader(calls).Load(tree.Root, tree.Root + Program, isDryRun: false).IsNew);
            Assert.Equal(true, KdumpState.Read(tree.Root, tree.Root + Program).IsCurrent);
        }
    }

    [Fact]
    public void ADryRunWritesNothing()
    {
        using TestTree tree = Machine();
        string[] before = [.. Directory.EnumerateFileSystemEntries(tree.Root, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
        var calls = new Calls(tree);
        LoadResult result = new KdumpLoader(calls).Load(tree.Root, tree.Root + Program, isDryRun: true);
        Assert.True(result.InitramfsSize > 0);
        Assert.Empty(calls.Log);
        Assert.NotEmpty(KdumpChecks.Run(tree.Root, tree.Root + Program, null));
        Assert.NotEmpty(KdumpInstaller.Install(tree.Root, Program, isDryRun: true));
        string[] after = [.. Directory.EnumerateFileSystemEntries(tree.Root, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
        Assert.Equal(before, after);
    }

    [Theory]
    [InlineData("/run/systemd/units/invocation:kdump-tools.service", "kdump-tools.service is active")]
    [InlineData("/etc/systemd/system/multi-user.target.wants/kdump.service", "kdump.service is enabled")]
    public void AnotherServiceIsRefused(string link, string expected)
    {
        using TestTree tree = Machine().Link(link, "x");
        foreach (Action action in (Action[])[
            () => new KdumpLoader(new Calls(tree)).Load(tree.Root, tree.Root + Program, isDryRun: false),
            () => KdumpInstaller.Install(tree.Root, Program, isDryRun: false)])
            Assert.Contains(expected, Assert.Throws<KdumpException>(action).Message, StringComparison.Ordinal);
        Assert.Contains(expected, KdumpState.Read(tree.Root, tree.Root + Program).Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void AFallbackThatIsNotThereIsSaidAndLeftOut()
    {
        using TestTree tree = Machine().File(ConfigurationFile.Path, "target = UUID=gone /\nfallback = /var/crash\n");
        LoadResult result = new KdumpLoader(new Calls(tree)).Load(tree.Root, tree.Root + Program, isDryRun: true);
        Assert.Equal("/var/crash", Assert.Single(result.Plan.Targets).Capture.Title);
        Assert.Contains(result.Warnings, static w => w.StartsWith("Target UUID=gone /: there is no such device", StringComparison.Ordinal));
        tree.File(ConfigurationFile.Path, "target = UUID=gone /\n");
        Assert.Throws<KdumpException>(() => new KdumpLoader(new Calls(tree)).Load(tree.Root, tree.Root + Program, isDryRun: true));
    }

    [Fact]
    public void TheLoadersRefusalsHoldHereToo()
    {
        // The dump's target is pmem, whose drivers are kept out of the capture kernel.
        using TestTree tree = WithPmem().File("/proc/self/mountinfo", "21 1 259:0 / / rw - ext4 /dev/pmem0 rw\n")
            .Link("/sys/dev/block/259:0", "../../devices/x/block/pmem0").Bytes("/dev/pmem0", Trees.Ext4(Trees.Uuid, ""));
        Assert.Contains("pmem0", Assert.Throws<KexecException>(
            () => new KdumpLoader(new Calls(tree)).Load(tree.Root, tree.Root + Program, isDryRun: true)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AModuleOrKernelThatIsMissingIsNamed()
    {
        using TestTree tree = Machine().Delete($"/lib/modules/{Trees.Release}/modules.alias").File("/proc/filesystems", "\txfs\n");
        string dep = $"/lib/modules/{Trees.Release}/modules.dep";
        tree.File(dep, File.ReadAllText(tree.Root + dep).Replace("ext4", "other", StringComparison.Ordinal));
        Assert.Contains("no module for ext4", Plan(tree), StringComparison.Ordinal);
        tree.File("/proc/filesystems", "\text4\n").Delete($"/boot/vmlinuz-{Trees.Release}");
        Assert.Contains($"There is no kernel /boot/vmlinuz-{Trees.Release} or", Plan(tree), StringComparison.Ordinal);
    }

    [Fact]
    public void ChecksSayWhatIsWrong()
    {
        using TestTree tree = Machine();
        IReadOnlyList<KdumpCheck> right = KdumpChecks.Run(tree.Root, tree.Root + Program, null);
        Assert.DoesNotContain(right, static c => !c.IsRight);
        Assert.Equal(["configuration", "other services", "crashkernel=", "targets", "initramfs", "memory", "capture kernel"],
        [.. right.Select(static c => c.Name)]);
        tree.File(ConfigurationFile.Path, "keep = x\n");
        Assert.False(KdumpChecks.Run(tree.Root, tree.Root + Program, null)[0].IsRight);
        tree.File(ConfigurationFile.Path, "modules = nothing\n");
        Assert.Contains(
            KdumpChecks.Run(tree.Root, tree.Root + Program, null), static c => !c.IsRight && c.Text.Contains("no module nothing", StringComparison.Ordinal));
    }

    [Fact]
    public void WhatIsInstalledIsTakenBack()
    {
        using TestTree tree = Machine();
        Assert.Equal(4, KdumpInstaller.Install(tree.Root, Program, isDryRun: false).Count);
        Assert.Empty(KdumpInstaller.Install(tree.Root, Program, isDryRun: false));
        Assert.Equivalent(new KdumpConfiguration(), KdumpPlanner.ReadConfiguration(new SystemRoot(tree.Root), out string text));
        Assert.Contains("#target = /var/crash", text, StringComparison.Ordinal);
        string unit = File.ReadAllText(tree.Root + "/etc/systemd/system/vmcore-kdump.service");
        Assert.Contains("ExecStart=/usr/bin/vmcore kdump load", unit, StringComparison.Ordinal);
        // The package's says the same.
        string packaged = File.ReadAllText(Path.Combine(SourceTree.Root, "packaging", "kdump", "vmcore-kdump.service"));
        Assert.Equal(packaged[packaged.IndexOf("[Unit]", StringComparison.Ordinal)..], unit);
        Assert.Equal(3, KdumpInstaller.Remove(tree.Root, isDryRun: false).Count);
        Assert.Empty(KdumpInstaller.Remove(tree.Root, isDryRun: false));
        Assert.True(File.Exists(tree.Root + ConfigurationFile.Path));
        // Of a package only the link is made.
        tree.File("/usr/lib/systemd/system/vmcore-kdump.service", "x").File("/usr/lib/udev/rules.d/99-vmcore-kdump.rules", "x");
        Assert.Single(KdumpInstaller.Install(tree.Root, Program, isDryRun: false));
    }

    [Theory]
    [InlineData("BOOT_IMAGE=/v root=/dev/a ro rootflags=x quiet splash rd.lvm.lv=a systemd.unit=b init=/c crashkernel=1G,high", "")]
    [InlineData("console=tty0 hugepages=100 hugepagesz=1G nr_cpus=8 panic=0 intel_iommu=on -- emergency", "console=tty0 intel_iommu=on ")]
    [InlineData("a=\"b c\" module-blacklist=x 3 single", "a=\"b c\" module-blacklist=x ")]
    public void TheCommandLineHasWhatACaptureKernelCanUse(string running, string kept) => Assert.Equal(
        kept + "reset_devices irqpoll nr_cpus=1 panic=10 transparent_hugepage=never cma=0 hugetlb_cma=0 swiotlb=noforce",
        CaptureWords.Build(running, new() { Append = "swiotlb=noforce" }));

    private static string Plan(TestTree tree) => Assert.Throws<KdumpException>(() => KdumpPlanner.Plan(tree.Root, tree.Root + Program)).Message;

    /// <summary>Without pmem, so that nothing is warned of; 192 MiB for the crash kernel.</summary>
    private static TestTree Machine() => WithPmem().Delete("/sys/bus/nd").Delete("/sys/bus/dax");

    private static TestTree WithPmem() => Trees.WithDisk(TestTree.Stock())
        .Bytes($"/boot/vmlinuz-{Trees.Release}", FakeKernel.BzImage())
        .Bytes(Program, new byte[20_000])
        .File("/var/lib/x", "");

    /// <summary>The system calls: they write down that a kernel is loaded where the kernel says so.</summary>
    private sealed class Calls(TestTree tree) : IKexecSyscalls
    {
        internal List<string> Log { get; } = [];

        public int Load(ulong entry, IReadOnlyList<Segment> segments, ulong flags) => Loaded("load");

        public int FileLoad(KernelImage kernel, ReadOnlyMemory<byte> initrd, string? initrdFile, ReadOnlyMemory<byte> commandLine, ulong flags)
            => Loaded("file");

        public int FileUnload(ulong flags) => 0;

        public bool? IsCrashKernelLoaded() => Log.Count > 0;

        private int Loaded(string what)
        {
            Log.Add(what);
            tree.File("/sys/kernel/kexec_crash_loaded", "1\n");
            return 0;
        }
    }
}
