using System.Globalization;
using System.Text.Json;
using Vmcore.Cli.Kexec;
using Vmcore.Kexec;
using Vmcore.Testing.Kexec;

namespace Vmcore.Cli.Tests.Kexec;

public sealed class KexecCommandTests : IDisposable
{
    private readonly TestTree _tree = TestTree.Stock();
    private readonly string _kernel;
    private readonly string _initrd;
    private readonly StringWriter _output = new(CultureInfo.InvariantCulture);
    private readonly StringWriter _error = new(CultureInfo.InvariantCulture);

    public KexecCommandTests()
    {
        _tree.Bytes("/boot/vmlinuz", FakeKernel.BzImage()).Bytes("/boot/initrd", FakeKernel.Gzip(FakeKernel.Cpio(1000)));
        _kernel = $"{_tree.Root}/boot/vmlinuz";
        _initrd = $"{_tree.Root}/boot/initrd";
    }

    public void Dispose()
    {
        _tree.Dispose();
        _output.Dispose();
        _error.Dispose();
    }

    [Fact]
    public void DryRunPrintsWhatWouldBeLoaded()
    {
        Assert.Equal(0, Run("-p", "-c", "--dry-run", $"--sysroot={_tree.Root}", "--command-line=nr_cpus=1", $"--initrd={_initrd}", _kernel));
        string text = _output.ToString();
        Assert.Contains("Kernel: " + _kernel, text, StringComparison.Ordinal);
        Assert.Contains("LOAD 100000000-1005fffff vaddr ffff897b80000000 flags 17 PmemMetadata namespace0.0 (fsdax, pmem0)", text, StringComparison.Ordinal);
        Assert.Contains("nr_cpus=1 initcall_blacklist=nd_pmem_driver_init", text, StringComparison.Ordinal);
        Assert.Equal("", _error.ToString());
    }

    [Fact]
    public void DryRunPrintsJson()
    {
        Assert.Equal(0, Run("-p", "--dry-run", "--json", "--sysroot", _tree.Root, "--reuse-cmdline", "--append", "nr_cpus=1", "--initrd", _initrd, _kernel));
        using JsonDocument json = JsonDocument.Parse(_output.ToString());
        JsonElement root = json.RootElement;
        Assert.Equal(["kexec_load", "kexec_file_load"], root.GetProperty("syscalls").EnumerateArray().Select(static e => e.GetString()));
        Assert.Equal(["kernel", "initrd", "elfcorehdr", "boot_params", "stub"],
            root.GetProperty("segments").EnumerateArray().Select(static e => e.GetProperty("name").GetString()));
        Assert.Equal("0x4200000", root.GetProperty("segments")[0].GetProperty("start").GetString());
        Assert.Equal("media", root.GetProperty("namespaces")[0].GetProperty("memmap").GetString());
        Assert.Equal("0x17", root.GetProperty("elfCoreHeader")[7].GetProperty("flags").GetString());
        Assert.StartsWith("root=/dev/vda1 quiet nr_cpus=1 initcall_blacklist=", root.GetProperty("commandLine").GetString(), StringComparison.Ordinal);
        Assert.Single(root.GetProperty("fileWarnings").EnumerateArray());
    }

    [Fact]
    public void DryRunSaysWhyACallIsTakenAndWhatTheOtherWouldLose()
    {
        _tree.File("/sys/kernel/config/crash_dm_crypt_keys/count", "1\n").File("/sys/kernel/kexec/crash_cma_ranges", "12000000-13ffffff\n");
        Assert.Equal(0, Run("-p", "-a", "--dry-run", $"--sysroot={_tree.Root}", $"--initrd={_initrd}", _kernel));
        string text = _output.ToString();
        Assert.Contains(
            "System calls, in this order: kexec_file_load, kexec_load\n  /sys/kernel/config/crash_dm_crypt_keys has 1 key of encrypted volumes", text,
            StringComparison.Ordinal);
        Assert.Contains("  With kexec_load: kexec_load does not hand over the 1 key in", text, StringComparison.Ordinal);
        Assert.Contains("  With kexec_file_load: The memmap of namespace0.0 (fsdax, pmem0) and", text, StringComparison.Ordinal);
        Assert.Contains("224 MiB reserved (32 MiB of it as CMA, which is in no dump)", text, StringComparison.Ordinal);
        _output.GetStringBuilder().Clear();
        Assert.Equal(0, Run("-p", "-s", "--dry-run", "--json", $"--sysroot={_tree.Root}", _kernel));
        using JsonDocument json = JsonDocument.Parse(_output.ToString());
        Assert.Equal("-s asks for kexec_file_load.", json.RootElement.GetProperty("syscallReason").GetString());
        Assert.Single(json.RootElement.GetProperty("lostByKexecLoad").EnumerateArray());
        Assert.Single(json.RootElement.GetProperty("lostByKexecFileLoad").EnumerateArray());
        Assert.Equal("0x12000000", json.RootElement.GetProperty("crashCma")[0].GetProperty("start").GetString());
    }

    [Fact]
    public void DryRunSaysThatNothingIsLost()
    {
        using TestTree tree = TestTree.Machine("00100000-7fffffff : System RAM\n  10000000-1fffffff : Crash kernel\n", "0x300000 1024", 0xffff888000000000,
            0xffffffff81000000, 0x1000000, 0x1000);
        Assert.Equal(0, Run("-p", "--dry-run", $"--sysroot={tree.Root}", _kernel));
        Assert.Contains("kexec_file_load, kexec_load\n  Nothing here needs kexec_load: the order is that of kexec-tools.\n"
            + "  With kexec_load nothing is lost that is set up here.\n  With kexec_file_load nothing is lost that is set up here.\n",
            _output.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1", 1)]
    [InlineData("0", 0)]
    public void StatusIsTheExitStatus(string loaded, int expected)
    {
        _tree.File("/sys/kernel/kexec_crash_loaded", loaded + "\n");
        Assert.Equal(expected, Run("-S", $"--sysroot={_tree.Root}"));
        Assert.Equal(expected, Run("--status", "-p", $"--sysroot={_tree.Root}"));
        Assert.Equal(0, Run("-S", "-l", $"--sysroot={_tree.Root}"));
        Assert.Equal("", _output.ToString());
    }

    [Fact]
    public void StatusOfAKernelWithoutKexecIsAFailure()
    {
        _tree.Delete("/sys/kernel/kexec_crash_loaded");
        Assert.Equal(255, Run("-S", $"--sysroot={_tree.Root}"));
        Assert.Contains("CONFIG_KEXEC", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void RegionSizeIsPrinted()
    {
        Assert.Equal(0, Run("--print-ckr-size", $"--sysroot={_tree.Root}"));
        _tree.File("/proc/iomem", "00100000-7fffffff : System RAM\n");
        Assert.Equal(0, Run("--print-ckr", $"--sysroot={_tree.Root}"));
        Assert.Equal("201326592\n0\n", _output.ToString());
    }

    [Theory]
    [InlineData("-l")]
    [InlineData("-e")]
    [InlineData("-f")]
    [InlineData("--load-preserve-context")]
    [InlineData("--entry=1")]
    [InlineData("-x")]
    public void ANormalRebootIsRefused(string option)
    {
        Assert.Equal(1, Run(option, _kernel));
        Assert.Contains("normal reboot", _error.ToString(), StringComparison.Ordinal);
        Assert.Contains("kexec-tools", _error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--nonsense")]
    [InlineData("-z")]
    [InlineData("--re")]
    [InlineData("--mem-min")]
    public void ABadOptionEndsWith1(string option)
    {
        Assert.Equal(1, Run("-p", option));
        Assert.StartsWith("kexec: ", _error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--mem-min=abc", 1)]
    [InlineData("--pmem=all", 1)]
    [InlineData("--serial=ttyUSB0", 1)]
    [InlineData("--type=multiboot", 255)]
    public void ABadValueIsRefusedByName(string option, int status)
    {
        Assert.Equal(status, Run("-p", "--dry-run", $"--sysroot={_tree.Root}", option, _kernel));
        Assert.Contains(option.Split('=')[0].TrimStart('-'), _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void JsonDoesNotLoad()
    {
        Assert.Equal(1, Run("-p", "--json", _kernel));
        Assert.Contains("--json is for --dry-run only", _error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--dump-target=pmem0", 255, "The dump target pmem0 (namespace0.0, fsdax) is persistent memory")]
    [InlineData("--dump-target=dax0.1", 255, "The dump target dax0.1 (namespace0.1, devdax) is persistent memory")]
    [InlineData("--dump-target=", 1, "Bad option value in --dump-target=")]
    [InlineData("--dump-target=var/crash", 0, "No device is found below --dump-target=var/crash")]
    [InlineData("--dump-target=/var/crash", 0, "No device is found below --dump-target=/var/crash")]
    public void ADumpTargetIsLookedUpOrItIsSaidThatItWasNot(string option, int status, string expected)
    {
        _tree.File("/sys/class/block/pmem0/size", "1\n");
        Assert.Equal(status, Run("-p", "--dry-run", $"--sysroot={_tree.Root}", option, _kernel));
        Assert.Contains(expected, _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void ADumpTargetOnAnotherMachineIsNoDevice()
    {
        Assert.Equal(0, Run("-p", "--dry-run", $"--sysroot={_tree.Root}", "--dump-target=server:/export", _kernel));
        Assert.Equal("", _error.ToString());
    }

    [Fact]
    public void AnEmptyInitramfsIsWarnedOf()
    {
        _tree.File("/boot/empty", "");
        Assert.Equal(0, Run("-p", "--dry-run", $"--sysroot={_tree.Root}", $"--initrd={_tree.Root}/boot/empty", _kernel));
        Assert.Contains("/boot/empty is empty", _output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void ServicesOptionsAreTaken()
    {
        Assert.Equal(0, Run(
            "-p", "--dry-run", $"--sysroot={_tree.Root}", "-d", "-x", "-y", "-i", "--noefi",
            "--args-linux", "--elf64-core-headers", "--reset-vga", "--console-serial",
            "--serial=0x2f8", "--serial-baud=115200", "--no-cma", "--type=bzImage64",
            "--mem-min=0x4000000", "--mem-max=01777777777", $"--ramdisk={_initrd}", _kernel));
        Assert.Equal("", _error.ToString());
        Assert.Equal(0, Run("-p", "--dry-run", $"--sysroot={_tree.Root}", "--elf32-core-headers", "--real-mode", _kernel));
        Assert.Contains("ignored", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void NoReservedMemoryIsToldFirst()
    {
        _tree.File("/proc/iomem", "00100000-7fffffff : System RAM\n");
        Assert.Equal(1, Run("-p", "--dry-run", $"--sysroot={_tree.Root}", "/nonexistent"));
        Assert.Contains("Memory for crashkernel is not reserved", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void AMissingKernelOrInitramfsIsRefused()
    {
        Assert.Equal(255, Run("-p", "--dry-run", $"--sysroot={_tree.Root}"));
        Assert.Contains("No kernel specified", _error.ToString(), StringComparison.Ordinal);
        Assert.Equal(1, Run("-p", "--dry-run", $"--sysroot={_tree.Root}", "--initrd=/nonexistent", _kernel));
        Assert.Equal(1, Run("-p", "-c", "--dry-run", $"--sysroot={_tree.Root}", "/nonexistent"));
        Assert.Equal(255, Run("-p", "-s", "--dry-run", $"--sysroot={_tree.Root}", "--initrd=/nonexistent", _kernel));
        Assert.Equal(255, Run("-p", "-a", "--dry-run", $"--sysroot={_tree.Root}", "/nonexistent"));
        Assert.Contains("initramfs /nonexistent", _error.ToString(), StringComparison.Ordinal);
        Assert.Equal(1, Run("-p", "--dry-run", $"--sysroot={_tree.Root}", _kernel, "quiet"));
    }

    [Fact]
    public void TheRunningInitramfsIsReusedIfItWasKept()
    {
        Assert.Equal(1, Run("-p", "--dry-run", $"--sysroot={_tree.Root}", "--reuseinitrd", _kernel));
        Assert.Contains("retain_initrd", _error.ToString(), StringComparison.Ordinal);
        _tree.Bytes("/sys/firmware/initrd", FakeKernel.Cpio(10));
        Assert.Equal(0, Run("-p", "--dry-run", $"--sysroot={_tree.Root}", "--reuseinitrd", _kernel));
        Assert.Equal(1, Run("-p", "--dry-run", $"--sysroot={_tree.Root}", "--reuseinitrd", $"--initrd={_initrd}", _kernel));
    }

    [Fact]
    public void ADumpTargetOnPmemIsRefused()
    {
        Assert.Equal(255, Run("-p", "--dry-run", $"--sysroot={_tree.Root}", "--dump-target=/dev/pmem0", _kernel));
        Assert.Contains("namespace0.0", _error.ToString(), StringComparison.Ordinal);
        Assert.Equal(0, Run("-p", "--dry-run", $"--sysroot={_tree.Root}", "--dump-target=/dev/pmem0", "--keep-pmem-drivers", _kernel));
        Assert.Equal(0, Run("-p", "--dry-run", $"--sysroot={_tree.Root}", "--command-line=root=/dev/pmem0", _kernel));
        Assert.Contains("root=", _output.ToString(), StringComparison.Ordinal);
    }

    /// <summary>The service's own settings tell where the dump goes; kdump-utils and SUSE take root= out of the line.</summary>
    [Theory]
    [InlineData("/etc/kdump.conf", "ext4 UUID=aaaa\n", "UUID=aaaa")]
    [InlineData("/etc/kdump.conf", "raw /dev/disk/by-id/x\n", "/dev/disk/by-id/x")]
    [InlineData("/etc/sysconfig/kdump", "KDUMP_SAVEDIR=\"/srv/crash\"\n", "/srv/crash")]
    [InlineData("/etc/default/kdump-tools", "KDUMP_COREDIR=/srv\n", "/srv")]
    public void AServicesTargetOnPmemIsWarnedOf(string file, string settings, string target)
    {
        _tree.File(file, settings).Link("/dev/disk/by-uuid/aaaa", "../../pmem0").Link("/dev/disk/by-id/x", "../../pmem0")
            .File("/proc/self/mountinfo", "21 1 254:1 / / rw - ext4 /dev/vda1 rw\n22 21 259:0 / /srv rw - ext4 /dev/pmem0 rw\n");
        Assert.Equal(0, Run("-p", "--dry-run", $"--sysroot={_tree.Root}", _kernel));
        Assert.Contains($"The dump goes to {target} ({file}), which is on persistent memory (pmem0 (namespace0.0, fsdax))",
            _output.ToString(), StringComparison.Ordinal);
        _output.GetStringBuilder().Clear();
        Assert.Equal(0, Run("-p", "--dry-run", "--keep-pmem-drivers", $"--sysroot={_tree.Root}", _kernel));
        Assert.DoesNotContain("The dump goes to", _output.ToString(), StringComparison.Ordinal);
    }

    /// <summary>SUSE's service: its options, then -a.</summary>
    [Theory]
    [InlineData("-a")]
    [InlineData("-c -a")]
    [InlineData("-s -a")]
    public void WhateverWorksIsWhatBringsTheMetadata(string options)
    {
        Assert.Equal(0, Run(["-p", _kernel, "--append=nr_cpus=1", $"--initrd={_initrd}", .. options.Split(' '), "--dry-run", $"--sysroot={_tree.Root}"]));
        Assert.Contains("System calls, in this order: kexec_load, kexec_file_load", _output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void ACapturedTreeIsNeverLoadedTo()
    {
        Assert.Equal(1, Run("-p", $"--sysroot={_tree.Root}", _kernel));
        Assert.Equal(1, Run("-p", "-u", $"--sysroot={_tree.Root}"));
        Assert.Contains("--dry-run only", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void UnloadUnloadsAndSaysIfItCannot()
    {
        Assert.Equal(0, Run("-p", "-u"));
        Assert.Equal(255, KexecCommand.Run(["-pu", "-c"], _output, _error, new Calls { Error = 22 }));
        Assert.Contains("Unloading failed", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void ARefusalBeforeTheLoadSaysWhatIsLoadedToo()
    {
        Assert.NotEqual(0, Run("-p", "/nonexistent/kernel"));
        Assert.EndsWith("The crash kernel that was loaded before is still loaded.\n", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void HelpAndVersionArePrintedAndNothingElseIsDone()
    {
        Assert.Equal(0, Run("-h"));
        Assert.Equal(0, Run("--version"));
        Assert.Contains("--pmem=WHAT", _output.ToString(), StringComparison.Ordinal);
        Assert.Equal(1, Run());
    }

    [Fact]
    public void EveryOptionIsInTheHelp()
    {
        Run("-h");
        string help = _output.ToString();
        string[] silent = ["force", "load", "exec", "load-preserve-context", "load-jump-back-helper", "load-live-update", "exec-live-update",
            "entry", "no-ifdown", "no-sync", "module", "elf32-core-headers", "real-mode", "entry-32bit"];
        foreach (LongOption option in KexecOptions.LongOptions)
            Assert.True(silent.Contains(option.Name) || help.Contains($"--{option.Name}", StringComparison.Ordinal), option.Name);
    }

    [Fact]
    public void AnotherMachineIsShownByItsTree()
    {
        using TestTree tree = TestTree.Arm64();
        tree.Bytes("/boot/vmlinuz", FakeKernel.Arm64Image());
        Assert.Equal(0, Run("-p", "-c", "--dry-run", $"--sysroot={tree.Root}", "--command-line=nr_cpus=1", $"--initrd={_initrd}", $"{tree.Root}/boot/vmlinuz"));
        string text = _output.ToString();
        Assert.Contains("(Image 6.12.0-fake, 4K pages, text_offset 0x0, init_size 0x200000)", text, StringComparison.Ordinal);
        Assert.Contains("LOAD 61800000-6432ffff vaddr ffffa197c8400000 flags 7 KernelText", text, StringComparison.Ordinal);
        Assert.Contains("flags 17 PmemMetadata namespace0.1 (devdax, dax0.1)", text, StringComparison.Ordinal);
        Assert.Contains("617e0000-617effff Reserved", text, StringComparison.Ordinal);
        Assert.Equal("", _error.ToString());
        Assert.Equal(255, Run("-p", "--dry-run", $"--sysroot={tree.Root}", _kernel));
        Assert.Contains("it is a kernel for x86_64, and this machine is aarch64", _error.ToString(), StringComparison.Ordinal);
        Assert.Equal(0, Run("-p", "--dry-run", "--json", "-s", $"--sysroot={tree.Root}", $"{tree.Root}/boot/vmlinuz"));
    }

    private int Run(params string[] args) => KexecCommand.Run(args, _output, _error, new Calls());

    private sealed class Calls : IKexecSyscalls
    {
        public int Error { get; init; }

        public int Load(ulong entry, IReadOnlyList<Segment> segments, ulong flags) => Error;

        public int FileLoad(KernelImage kernel, ReadOnlyMemory<byte> initrd, string? initrdFile, ReadOnlyMemory<byte> commandLine, ulong flags) => Error;

        public int FileUnload(ulong flags) => Error;

        public bool? IsCrashKernelLoaded() => true;
    }
}
