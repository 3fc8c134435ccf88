using Vmcore.Architectures;
using Vmcore.Kernel.Crash;
using Vmcore.Kernel.Symbols;

namespace Vmcore.Tests.Kernel.Crash;

/// <summary>Names of functions, and which of a stack are the way to a crash.</summary>
public sealed class CrashPathTests
{
    private static readonly string[] s_functions =
    [
        "__crash_kexec", "panic", "nmi_panic", "oops_end", "page_fault_oops", "asm_exc_page_fault", "watchdog_timer_fn", "asm_sysvec_apic_timer_interrupt",
        "foo_read", "foo_write.constprop.0", "vfs_write", "ksys_write", "__x64_sys_write", "do_syscall_64", "kthread", "__schedule", "kasan_report",
        "check_panic_on_warn", "end",
    ];

    private static readonly KernelSymbols s_symbols =
        KernelSymbols.Of(new NamedSymbols(s_functions.Select(static (name, i) => (name, (ulong)(i + 1) << 12)).ToDictionary()));

    [Theory]
    [InlineData("foo", "foo")]
    [InlineData("foo.isra.0", "foo")]
    [InlineData("foo.constprop.0.isra.3", "foo")]
    [InlineData("foo.part.0", "foo")]
    [InlineData("foo.cold", "foo")]
    [InlineData("foo.llvm.1234567890", "foo")]
    [InlineData("bpf_prog_0123456789abcdef_trace", "bpf_prog_trace")]
    [InlineData("bpf_prog_load", "bpf_prog_load")]
    [InlineData("init_module", "init_module [bar]")]
    public void NamesAreThoseOfTheSource(string name, string wanted) => Assert.Equal(wanted, FrameNames.Normalise(name, "bar"));

    [Theory]
    [InlineData("__x64_sys_write", true)]
    [InlineData("__arm64_sys_write", true)]
    [InlineData("__do_sys_finit_module", true)]
    [InlineData("el0t_64_sync", true)]
    [InlineData("ret_from_fork_asm", true)]
    [InlineData("x86_64_start_kernel", true)]
    [InlineData("ksys_write", false)]
    [InlineData("proc_sys_write", false)]
    [InlineData("kthread_stop", false)]
    public void BoundariesAreWhereSomethingBegins(string name, bool wanted) => Assert.Equal(wanted, FrameNames.IsBoundary(name));

    [Theory]
    [InlineData("__mutex_lock", "mutex")]
    [InlineData("rwsem_down_write_slowpath", "rwsem")]
    [InlineData("down_write", "rwsem")]
    [InlineData("__down_common", "semaphore")]
    [InlineData("wait_for_completion", "completion")]
    [InlineData("folio_wait_writeback", "page")]
    [InlineData("schedule", null)]
    public void WhatATaskWaitsForIsInTheNames(string name, string? wanted)
    {
        Assert.True(FrameNames.IsWait(name));
        Assert.Equal(wanted, FrameNames.ThingOf(name));
    }

    /// <summary>With an oops the capture kernel gets the registers of the exception: the first frame is the place.</summary>
    [Fact]
    public void TheFirstFrameIsThePlaceWithoutAPanicOnTheStack() =>
        Check(CrashKind.PageFault, "foo_read! foo_write.constprop.0 vfs_write ksys_write __x64_sys_write", "foo_read foo_write vfs_write", isWhole: true);

    [Fact]
    public void APanicThatEndsAnOopsIsBeforeWhereTheExceptionStruck() =>
        Check(CrashKind.PageFault, "__crash_kexec! panic oops_end page_fault_oops asm_exc_page_fault foo_read! foo_write.constprop.0 do_syscall_64",
            "foo_read foo_write", isWhole: true);

    [Fact]
    public void ALockupIsWhereTheTimerStruck() =>
        Check(CrashKind.SoftLockup, "__crash_kexec! panic watchdog_timer_fn asm_sysvec_apic_timer_interrupt foo_read! kthread", "foo_read", isWhole: true);

    [Fact]
    public void APanicOfItsOwnIsWhereItWasCalled() =>
        Check(CrashKind.Panic, "__crash_kexec! panic foo_read vfs_write do_syscall_64", "foo_read vfs_write", isWhole: true);

    [Fact]
    public void WhatReportsIsNoPlace() =>
        Check(CrashKind.Kasan, "__crash_kexec! panic check_panic_on_warn kasan_report foo_read vfs_write do_syscall_64", "foo_read vfs_write", isWhole: true);

    /// <summary>What a hypervisor interrupted while it waited in panic().</summary>
    [Fact]
    public void APanicThatWasInterruptedIsPassedOver() =>
        Check(CrashKind.Panic, "watchdog_timer_fn! asm_sysvec_apic_timer_interrupt panic! foo_read do_syscall_64", "foo_read", isWhole: true);

    /// <summary>What only carries out a system call is a part of it in some kernels: the way ends before it, if there is anything else.</summary>
    [Fact]
    public void WhatCarriesOutASystemCallIsPartOfTheBoundary()
    {
        Check(CrashKind.PageFault, "foo_read! ksys_write do_syscall_64", "foo_read", isWhole: true);
        Check(CrashKind.PageFault, "foo_read! ksys_write kthread", "foo_read ksys_write", isWhole: true);
        Check(CrashKind.PageFault, "ksys_write! do_syscall_64", "ksys_write", isWhole: true);
    }

    [Fact]
    public void AnotherInterruptIsABoundary() =>
        Check(CrashKind.PageFault, "foo_read! asm_sysvec_apic_timer_interrupt vfs_write! ksys_write", "foo_read", isWhole: true);

    [Fact]
    public void AJumpToNoCodeIsAPlace() =>
        Check(CrashKind.PageFault, "?! foo_read vfs_write do_syscall_64", "? foo_read vfs_write", isWhole: true);

    [Fact]
    public void WhatFollowsABreakIsNotOfThePath()
    {
        Check(CrashKind.PageFault, "foo_read! vfs_write ~ksys_write ~do_syscall_64", "foo_read vfs_write", isWhole: false);
        Check(CrashKind.PageFault, "foo_read! vfs_write ? ksys_write", "foo_read vfs_write", isWhole: false);
        Check(CrashKind.PageFault, "foo_read!", "foo_read", isWhole: false, "it ends early");
    }

    /// <summary>The exception's frame is beyond the break: the frames before it say nothing of the place.</summary>
    [Theory]
    [InlineData("__crash_kexec! panic oops_end ~page_fault_oops ~foo_read")]
    [InlineData("__crash_kexec! panic")]
    public void WithoutTheExceptionThereIsNoPath(string stack) =>
        Assert.Null(CrashPath.TryFrom(Stack(stack, "it ends early"), s_symbols, CrashKind.PageFault, waits: false));

    /// <summary>The trace of a panic in the log begins with what prints it. A call that never returns is the last of its function: the kernel named the
    /// function behind it, at +0x0.</summary>
    [Fact]
    public void WithoutAStackTheLogTellsThePath()
    {
        var log = new CrashLog();
        foreach (string line in new[] { "Kernel panic - not syncing: no way", "CPU: 1 PID: 1 Comm: init", "Call trace:", " dump_backtrace+0xe4/0x140",
            " dump_stack+0x18/0x34",
            " panic+0x184/0x364", " foo_write.constprop.0+0x0/0xa0", " vfs_write+0xdc/0x3a0 [bar]", " do_syscall_64+0x1/0x2", " el0t_64_sync+0x1/0x2" })
            log.Add(null, line);
        CrashPath path = CrashPath.TryFrom(log, log.Cause(), CrashKind.Panic, s_symbols)!;
        Assert.Equal(["foo_read", "vfs_write [bar]"], path.Places.Select(static p => p.ToString()));
        Assert.NotNull(path.Problem);
        Assert.All(path.Places, static p => Assert.Equal(CrashSource.Log, p.Source));
    }

    private static void Check(CrashKind kind, string stack, string wanted, bool isWhole, string? problem = null)
    {
        CrashPath path = CrashPath.TryFrom(Stack(stack, isWhole || problem is not null ? problem : "it ends early"), s_symbols, kind, waits: false)!;
        Assert.Equal(wanted.Split(' '), path.Places.Select(static p => p.Function is null ? "?" : p.Name));
        Assert.Equal(isWhole, path.Problem is null);
    }

    // A frame with "!" was interrupted, one with "~" is not sure, "?" is in no code.
    private static TaskStack Stack(string frames, string? problem) => TaskStack.Of(StackMethod.Orc,
        [.. frames.Split(' ').Select(static (text, i) => new StackFrame
        {
            Address = (ulong)((Array.IndexOf(s_functions, text.Trim('!', '~')) + 1) << 12) + 0x10,
            StackPointer = (ulong)i * 8,
            IsInterrupted = text.EndsWith('!'),
            IsReliable = !text.StartsWith('~'),
        })], problem);
}
