using Vmcore.Kexec.Tests.Loading;
using Vmcore.Ranges;
using Vmcore.Testing.Kexec;

namespace Vmcore.Kexec.Tests.Layout;

/// <summary>What only one of the two system calls hands over: which is taken, why, and what is said of the rest.</summary>
public sealed class SyscallChoiceTests
{
    private const string Keys = "/sys/kernel/config/crash_dm_crypt_keys/count";
    private const string Headers = "/sys/module/crash_pmem/parameters/headers";

    public static TheoryData<string, LoadSyscall, string, string> Choices => new()
    {
        { "", LoadSyscall.Best, "Load,FileLoad", "Only kexec_load puts the memmap of namespace0.0 (fsdax, pmem0) and namespace0.1 (devdax, dax0.1) into" },
        { "", LoadSyscall.Load, "Load", "-c asks" },
        { "", LoadSyscall.FileLoad, "FileLoad", "-s asks" },
        { "no pmem", LoadSyscall.Best, "FileLoad,Load", "Nothing here needs kexec_load" },
        { "locked", LoadSyscall.Best, "FileLoad", "locked down (integrity)" },
        { "keys", LoadSyscall.Best, "FileLoad,Load", "has 2 keys of encrypted volumes for the capture kernel, and only kexec_file_load" },
        { "keys", LoadSyscall.Load, "Load", "-c asks" },
        { "hidden", LoadSyscall.Best, "FileLoad,Load", "knows where the memory of crashkernel=,cma is" },
        { "cma", LoadSyscall.Best, "Load,FileLoad", "Only kexec_load puts" },
        { "patched memmap", LoadSyscall.Best, "Load,FileLoad", "unused pages beside it" },
        { "patched region", LoadSyscall.Best, "FileLoad,Load", "Nothing here needs kexec_load" },
        { "patched none", LoadSyscall.Best, "FileLoad,Load", "Nothing here needs kexec_load" },
        { "patched keys", LoadSyscall.Best, "FileLoad,Load", "only kexec_file_load" },
    };

    [Theory]
    [MemberData(nameof(Choices))]
    public void TheCallThatLosesLessIsTakenAndTheReasonIsSaid(string machine, LoadSyscall asked, string order, string reason)
    {
        SyscallChoice choice = Plan(machine, new() { Syscall = asked }).Choice;
        Assert.Equal(order, string.Join(',', choice.Order));
        Assert.Contains(reason, choice.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void KeysThatKexecLoadCannotHandOverAreSaid()
    {
        Assert.Contains("does not hand over the 2 keys in /sys/kernel/config/crash_dm_crypt_keys: the capture kernel cannot unlock",
            Assert.Single(Plan("keys", new() { Syscall = LoadSyscall.Load }).LoadWarnings), StringComparison.Ordinal);
        // The other way round the memmap is lost, and -c is not the advice.
        string lost = Assert.Single(Plan("keys", new()).FileWarnings);
        Assert.Contains("will not be in the dump", lost, StringComparison.Ordinal);
        Assert.Contains("-c would leave out the keys", lost, StringComparison.Ordinal);
        Assert.Empty(Plan("patched keys", new()).FileWarnings);
        Assert.Empty(Plan("", new()).LoadWarnings);
    }

    [Fact]
    public void WhatACallLeavesOutIsSaidWhenItIsTheOneThatLoads()
    {
        var calls = new FakeSyscalls { FileErrors = new([38]) };
        LoadOutcome outcome = new CrashLoader(calls).Load(Plan("keys", new()));
        Assert.Equal(LoadSyscall.Load, outcome.Syscall);
        Assert.Contains("cannot unlock", Assert.Single(outcome.Warnings), StringComparison.Ordinal);
        outcome = new CrashLoader(new FakeSyscalls()).Load(Plan("keys", new()));
        Assert.Contains("will not be in the dump", Assert.Single(outcome.Warnings), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(126)]
    [InlineData(127)]
    [InlineData(128)]
    public void AKeyThatTheKernelCannotReadIsNamed(int error)
    {
        var calls = new FakeSyscalls { FileErrors = new([error]) };
        KexecException e = Assert.Throws<KexecException>(() => new CrashLoader(calls).Load(Plan("keys", new())));
        Assert.Contains("is not in root's keyring any more", e.Message, StringComparison.Ordinal);
        Assert.Single(calls.Log);
    }

    [Fact]
    public void MemoryOfCmaIsRamForTheCaptureKernelAndInNoProgramHeader()
    {
        LoadPlan plan = Plan("cma", new());
        PhysicalRange cma = new(0x12000000, 0x14000000);
        Assert.Equal([cma], plan.System.CrashCma);
        Assert.Contains(plan.Layout!.Memory, m => m.Type == MemoryMapType.Ram && m.Range == cma);
        Assert.Equal([new(0x100000, 0x4000000), new(0x10000000, 0x12000000), new(0x14000000, 0x1bfdc000)],
            plan.Layout.Headers.Where(static h => h.Kind == HeaderKind.Ram).Select(static h => h.Memory));
        Assert.Equal(224ul << 20, plan.Memory.Reserved);
        Assert.Empty(plan.LoadWarnings);
        // The region alone takes segments: the kernel refuses others.
        Assert.All(plan.Layout.Segments, static s => Assert.InRange(s.Memory.End, 0x4000001ul, 0x10000000ul));
        Assert.Contains(" memmap=32768K@294912K ", Plan("cma", new() { PassMemmap = true }).Layout!.CommandLine.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void WhereTheKernelDoesNotSayWhereCmaIsItIsLostByKexecLoadAlone()
    {
        LoadPlan load = Plan("hidden", new() { Syscall = LoadSyscall.Load });
        Assert.Contains("does not get the 512 MiB of crashkernel=,cma", Assert.Single(load.LoadWarnings), StringComparison.Ordinal);
        Assert.Equal(192ul << 20, load.Memory.Reserved);
        LoadPlan file = Plan("hidden", new());
        Assert.Equal((192ul + 512) << 20, file.Memory.Reserved);
        Assert.Contains("Reserve the crash kernel's memory without", Assert.Single(file.FileWarnings), StringComparison.Ordinal);
    }

    [Fact]
    public void OptionsThatTheFileCallDoesNotTakeAreNamed()
    {
        LoadPlan plan = Plan("no pmem", new() { NoEfi = true, MemoryMin = 0x4000000, PassMemmap = true });
        Assert.Contains("leaves --mem-min, --noefi and --pass-memmap-cmdline without effect", Assert.Single(plan.FileWarnings), StringComparison.Ordinal);
        Assert.Empty(plan.LoadWarnings);
    }

    [Fact]
    public void WhatTheUdevRulesTakeCareOfIsShownAndNotWarnedOf()
    {
        LoadPlan plan = LoadPlannerTests.Plan(Machine("").File("/sys/kernel/crash_elfcorehdr_size", "921600"), new());
        Assert.Contains("update the ELF core header by itself", Assert.Single(plan.Choice.LostByLoad).Text, StringComparison.Ordinal);
        Assert.Empty(plan.LoadWarnings);
    }

    [Theory]
    [InlineData("patched memmap", null, "PmemMetadata", 0, "")]
    [InlineData("patched region", null, "PmemRegion", 1, "The user data on persistent memory can be read in the capture kernel")]
    [InlineData("patched none", null, "", 1, "since crash_pmem.headers is \"none\"")]
    [InlineData("patched region", PmemInDump.Metadata, "PmemMetadata", 0, "")]
    [InlineData("patched none", PmemInDump.Metadata, "PmemMetadata", 0, "")]
    [InlineData("patched region", PmemInDump.None, "", 0, "")]
    public void OurOwnHeaderFollowsTheKernelsParameterUnlessTheOptionSaysOtherwise(string machine, PmemInDump? pmem, string kind, int warnings, string warning)
    {
        LoadPlan plan = Plan(machine, new() { Pmem = pmem, Syscall = LoadSyscall.Load });
        Assert.Equal(kind, string.Join(' ', plan.Layout!.Headers.Where(static h => h.IsPmem).Select(static h => h.Kind.ToString()).Distinct()));
        Assert.Equal(warnings, plan.Warnings.Count);
        Assert.Contains(warning, string.Join('\n', plan.Warnings), StringComparison.Ordinal);
        // What keeps the memmaps whole until they are dumped follows what is dumped.
        Assert.Equal(kind.Length > 0, plan.Layout.CommandLine.Text.Contains("initcall_blacklist=", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("patched memmap", null, null)]
    [InlineData("patched region", null, null)]
    [InlineData("patched none", null, null)]
    [InlineData("patched memmap", PmemInDump.Region, "Whole pmem regions will not be in the dump")]
    [InlineData("patched region", PmemInDump.Metadata, "describes whole pmem regions")]
    [InlineData("patched region", PmemInDump.None, "describes whole pmem regions")]
    [InlineData("patched none", PmemInDump.Metadata, "crash_pmem.headers counts, which is \"none\"")]
    [InlineData("patched memmap", PmemInDump.None, null)]
    public void TheKernelsHeaderThatIsNotWhatWasAskedForIsSaid(string machine, PmemInDump? pmem, string? expected)
    {
        IReadOnlyList<string> warnings = Plan(machine, new() { Pmem = pmem, Syscall = LoadSyscall.FileLoad }).FileWarnings;
        Assert.Equal(expected is null ? 0 : 1, warnings.Count);
        Assert.Contains(expected ?? "", string.Concat(warnings), StringComparison.Ordinal);
    }

    private static LoadPlan Plan(string machine, LoadOptions options) => LoadPlannerTests.Plan(Machine(machine), options);

    private static TestTree Machine(string name) => name switch
    {
        "no pmem" => ElfCoreHeaderTests.TwoRegions(),
        "locked" => TestTree.Stock().File("/sys/kernel/security/lockdown", "none [integrity] confidentiality"),
        "keys" => TestTree.Stock().File(Keys, "2\n"),
        "hidden" => TestTree.Stock().File("/proc/cmdline", "quiet crashkernel=192M crashkernel=512M,cma"),
        // The second line is of memory that is not there any more.
        "cma" => TestTree.Stock().File("/proc/cmdline", "crashkernel=192M crashkernel=32M,cma")
            .File("/sys/kernel/kexec/crash_cma_ranges", "12000000-13ffffff\n1c000000-1dffffff\n"),
        "patched keys" => TestTree.Rfc().File(Keys, "2\n").File(Headers, "memmap\n"),
        _ when name.StartsWith("patched ", StringComparison.Ordinal) => TestTree.Stock().File(Headers, name[8..] + "\n"),
        _ => TestTree.Stock(),
    };
}
