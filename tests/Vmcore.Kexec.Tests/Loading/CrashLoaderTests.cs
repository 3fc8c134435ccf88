using Vmcore.Kexec.Tests.Layout;
using Vmcore.Testing.Kexec;

namespace Vmcore.Kexec.Tests.Loading;

public sealed class CrashLoaderTests
{
    private const ulong LoadFlags = 1 | (62 << 16);

    [Fact]
    public void KexecLoadGetsSegmentsEntryAndFlags()
    {
        var calls = new FakeSyscalls();
        LoadPlan plan = LoadPlannerTests.Plan(TestTree.Stock(), new());
        LoadOutcome outcome = new CrashLoader(calls).Load(plan);
        Assert.Equal(LoadSyscall.Load, outcome.Syscall);
        Assert.Equal([$"load {plan.Layout!.Entry:x} 5 {LoadFlags:x}"], calls.Log);
        Assert.Empty(outcome.Warnings);
    }

    [Fact]
    public void IfOnlyTheFileCallIsAllowedWhatIsLostIsSaid()
    {
        var calls = new FakeSyscalls { LoadErrors = new([1]) };
        LoadOutcome outcome = new CrashLoader(calls).Load(LoadPlannerTests.Plan(TestTree.Stock(), new()));
        Assert.Equal(LoadSyscall.FileLoad, outcome.Syscall);
        Assert.Contains("will not be in the dump", Assert.Single(outcome.Warnings), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(38)]
    [InlineData(22)]
    [InlineData(8)]
    [InlineData(95)]
    public void AutoGoesOnToKexecLoadWhereKexecToolsDoes(int error)
    {
        var calls = new FakeSyscalls { FileErrors = new([error]) };
        Assert.Equal(LoadSyscall.Load, new CrashLoader(calls).Load(LoadPlannerTests.Plan(TestTree.Stock(), new() { Syscall = LoadSyscall.Auto })).Syscall);
    }

    [Theory]
    [InlineData(80)]
    [InlineData(129)]
    [InlineData(65)]
    [InlineData(126)]
    [InlineData(74)]
    [InlineData(90)]
    [InlineData(1)]
    [InlineData(12)]
    public void OtherErrorsOfTheFileCallAreFinal(int error)
    {
        var calls = new FakeSyscalls { FileErrors = new([error]), Loaded = false };
        KexecException e = Assert.Throws<KexecException>(
            () => new CrashLoader(calls).Load(LoadPlannerTests.Plan(TestTree.Stock(), new() { Syscall = LoadSyscall.Auto })));
        Assert.EndsWith("No crash kernel is loaded now.", e.Message, StringComparison.Ordinal);
        Assert.Equal(255, e.ExitStatus);
        Assert.Single(calls.Log);
    }

    [Fact]
    public void AKernelWithoutEitherCallIsNotToldToTryTheOther()
    {
        var calls = new FakeSyscalls { FileErrors = new([38]), LoadErrors = new([38]), Loaded = false };
        KexecException e = Assert.Throws<KexecException>(
            () => new CrashLoader(calls).Load(LoadPlannerTests.Plan(TestTree.Stock(), new() { Syscall = LoadSyscall.Auto })));
        Assert.Contains("neither kexec_load nor kexec_file_load", e.Message, StringComparison.Ordinal);
        calls = new FakeSyscalls { FileErrors = new([22]), LoadErrors = new([38]), Loaded = false };
        e = Assert.Throws<KexecException>(() => new CrashLoader(calls).Load(LoadPlannerTests.Plan(TestTree.Stock(), new() { Syscall = LoadSyscall.Auto })));
        Assert.Contains("lacks CONFIG_KEXEC, load with -s", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatIsLoadedAfterAFailureIsSaid()
    {
        var kept = new FakeSyscalls { LoadErrors = new([99]), Loaded = true };
        LoadPlan plan = LoadPlannerTests.Plan(TestTree.Stock(), new() { Syscall = LoadSyscall.Load });
        Assert.EndsWith("is still loaded.", Assert.Throws<KexecException>(() => new CrashLoader(kept).Load(plan)).Message, StringComparison.Ordinal);
        var unknown = new FakeSyscalls { LoadErrors = new([99]), Loaded = null };
        Assert.EndsWith("does not say.", Assert.Throws<KexecException>(() => new CrashLoader(unknown).Load(plan)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ALoadThatDidNotTakeIsAnError()
    {
        var calls = new FakeSyscalls { Loaded = false };
        Assert.Contains("none is loaded",
            Assert.Throws<KexecException>(() => new CrashLoader(calls).Load(LoadPlannerTests.Plan(TestTree.Stock(), new()))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("kexec_load_disabled", "kexec_load_disabled is 1")]
    [InlineData("kexec_load_limit_panic", "kexec_load_limit_panic is used up")]
    [InlineData("", "run as root")]
    public void PermissionDeniedSaysWhy(string sysctl, string expected)
    {
        TestTree tree = TestTree.Stock();
        if (sysctl.Length > 0)
            tree.File($"/proc/sys/kernel/{sysctl}", sysctl.EndsWith("disabled", StringComparison.Ordinal) ? "1" : "0");
        var calls = new FakeSyscalls { LoadErrors = new([1]) };
        KexecException e = Assert.Throws<KexecException>(() => new CrashLoader(calls).Load(LoadPlannerTests.Plan(tree, new() { Syscall = LoadSyscall.Load })));
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ABusyKernelIsAskedAgain()
    {
        var calls = new FakeSyscalls { LoadErrors = new([16, 16]) };
        new CrashLoader(calls).Load(LoadPlannerTests.Plan(TestTree.Stock(), new() { Syscall = LoadSyscall.Load }));
        Assert.Equal(3, calls.Log.Count);
    }

    [Fact]
    public void HotplugIsAskedForAndLeftOutIfUnknown()
    {
        static LoadPlan Plan() => LoadPlannerTests.Plan(
            ElfCoreHeaderTests.TwoRegions().File("/sys/kernel/crash_elfcorehdr_size", "921600"), new() { Hotplug = true, Syscall = LoadSyscall.Load });
        var knows = new FakeSyscalls();
        new CrashLoader(knows).Load(Plan());
        Assert.EndsWith($"{LoadFlags | 4:x}", Assert.Single(knows.Log), StringComparison.Ordinal);
        var older = new FakeSyscalls { LoadErrors = new([22]) };
        Assert.Contains("--hotplug", Assert.Single(new CrashLoader(older).Load(Plan()).Warnings), StringComparison.Ordinal);
        Assert.EndsWith($"{LoadFlags:x}", older.Log[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void DebugIsAskedForAndLeftOutIfUnknown()
    {
        var calls = new FakeSyscalls { FileErrors = new([22]) };
        new CrashLoader(calls).Load(LoadPlannerTests.Plan(TestTree.Stock(), new() { Debug = true, Syscall = LoadSyscall.FileLoad }));
        Assert.Equal(["file a", "file 2"], calls.Log.Select(static l => l[..6]));
    }

    [Theory]
    [InlineData(LoadSyscall.Best, 0, "file-unload 2")]
    [InlineData(LoadSyscall.Best, 38, "file-unload 2,load 0 0 1")]
    [InlineData(LoadSyscall.Load, 0, "load 0 0 1")]
    public void Unloads(LoadSyscall syscall, int fileError, string expected)
    {
        var calls = new FakeSyscalls { FileErrors = new(fileError == 0 ? [] : [fileError]), Loaded = false };
        new CrashLoader(calls).Unload(syscall, null);
        Assert.Equal(expected, string.Join(',', calls.Log));
    }

    [Fact]
    public void UnloadingWithTheFileCallOnlyFailsWhereThereIsNone()
    {
        var calls = new FakeSyscalls { FileErrors = new([38]) };
        Assert.Contains("CONFIG_KEXEC_FILE", Assert.Throws<KexecException>(() => new CrashLoader(calls).Unload(LoadSyscall.FileLoad, null)).Message,
            StringComparison.Ordinal);
    }
}
