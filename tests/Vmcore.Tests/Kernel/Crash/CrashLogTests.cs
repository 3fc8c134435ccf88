using Vmcore.Kernel.Crash;

namespace Vmcore.Tests.Kernel.Crash;

/// <summary>What logs of kernels say of their end, as the kernels of several releases and machines word it.</summary>
public sealed class CrashLogTests
{
    private const string Fatal = "Kernel panic - not syncing: Fatal exception\n";

    public static TheoryData<CrashKind, string> Kinds => new()
    {
        { CrashKind.Sysrq, "sysrq: Trigger a crash\nKernel panic - not syncing: sysrq triggered crash\n" },
        { CrashKind.PageFault, "BUG: unable to handle page fault for address: ffffc90000a51000\n#PF: supervisor read access in kernel mode\n"
            + "Oops: 0000 [#1] PREEMPT SMP\n" },
        { CrashKind.PageFault, "BUG: unable to handle kernel paging request at ffffc90000a51000\nPGD 0\nOops: 0002 [#1] SMP PTI\n" + Fatal },
        { CrashKind.PageFault, "Unable to handle kernel paging request at virtual address dead000000000108\nMem abort info:\n"
            + "Internal error: Oops: 0000000096000044 [#1] SMP\n" },
        { CrashKind.NullPointer, "BUG: kernel NULL pointer dereference, address: 0000000000000018\nOops: Oops: 0000 [#1] SMP\n" + Fatal },
        { CrashKind.NullPointer, "BUG: unable to handle kernel NULL pointer dereference at 0000000000000018\n" + Fatal },
        { CrashKind.NullPointer, "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000018\n"
            + "Internal error: Oops: 96000004 [#1] SMP\n" },
        { CrashKind.GeneralProtection, "general protection fault, probably for non-canonical address 0x5a5a5a5a5a5a5a72: 0000 [#1] PREEMPT SMP\n" },
        { CrashKind.GeneralProtection, "Oops: general protection fault, probably for non-canonical address 0x1: 0000 [#1] SMP\n"
            + "KASAN: null-ptr-deref in range [0x0-0x7]\n" + Fatal },
        { CrashKind.KernelBug, "------------[ cut here ]------------\nkernel BUG at fs/inode.c:12!\ninvalid opcode: 0000 [#1] PREEMPT SMP\n" },
        { CrashKind.KernelBug, "kernel BUG at fs/inode.c:12!\nInternal error: Oops - BUG: 00000000f2000800 [#1] SMP\n" },
        { CrashKind.ListCorruption, "list_del corruption. prev->next should be ffff8e, but was 4141\n------------[ cut here ]------------\n"
            + "kernel BUG at lib/list_debug.c:62!\nOops: invalid opcode: 0000 [#1] PREEMPT SMP\n" },
        { CrashKind.ListCorruption, "------------[ cut here ]------------\nlist_add corruption. next->prev should be prev\n"
            + "WARNING: CPU: 0 PID: 1 at lib/list_debug.c:29 __list_add_valid+0x7f/0xa0\nKernel panic - not syncing: kernel: panic_on_warn set ...\n" },
        { CrashKind.Warning, "WARNING: CPU: 0 PID: 1 at fs/inode.c:12 foo+0x1/0x2 [bar]\nKernel panic - not syncing: panic_on_warn set ...\n" },
        { CrashKind.Warning, "WARNING: fs/inode.c:12 at foo+0x1/0x2, CPU#0: init/1\nKernel panic - not syncing: kernel: panic_on_warn set ...\n" },
        { CrashKind.Kasan, "BUG: KASAN: slab-use-after-free in foo+0x1/0x2\nRead of size 8 at addr ffff888 by task sh/1\n"
            + "Kernel panic - not syncing: KASAN: panic_on_warn set ...\n" },
        { CrashKind.Kasan, "BUG: KASAN: use-after-free in foo+0x1/0x2\nKernel panic - not syncing: kasan.fault=panic set ...\n" },
        { CrashKind.Kfence, "BUG: KFENCE: use-after-free read in foo+0x1/0x2\nKernel panic - not syncing: KFENCE: panic_on_warn set ...\n" },
        { CrashKind.Ubsan, "UBSAN: array-index-out-of-bounds in fs/inode.c:12:3\nKernel panic - not syncing: UBSAN: panic_on_warn set ...\n" },
        { CrashKind.SoftLockup, "watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [sh:12]\nKernel panic - not syncing: softlockup: hung tasks\n" },
        { CrashKind.HardLockup, "NMI watchdog: Watchdog detected hard LOCKUP on cpu 1\nKernel panic - not syncing: Hard LOCKUP\n" },
        { CrashKind.HardLockup, "watchdog: CPU0: Watchdog detected hard LOCKUP on cpu 1\nKernel panic - not syncing: Hard LOCKUP\n" },
        { CrashKind.HungTask, "INFO: task kworker/1:2:12 blocked for more than 120 seconds.\nKernel panic - not syncing: hung_task: blocked tasks\n" },
        { CrashKind.RcuStall, "rcu: INFO: rcu_sched self-detected stall on CPU\nrcu: \t1-....: (5250 ticks this GP)\nKernel panic - not syncing: RCU Stall\n" },
        { CrashKind.WorkqueueLockup, "BUG: workqueue lockup - pool cpus=0 stuck for 30s!\n"
            + "Kernel panic - not syncing: workqueue: 2 stall(s) exceeded threshold 1\n" },
        { CrashKind.SchedulingWhileAtomic, "BUG: scheduling while atomic: sh/12/0x00000002\n"
            + "Kernel panic - not syncing: scheduling while atomic: panic_on_warn set ...\n" },
        { CrashKind.OutOfMemory, "Kernel panic - not syncing: Out of memory and no killable processes...\n" },
        { CrashKind.OutOfMemory, "Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled\n" },
        { CrashKind.OutOfMemory, "Kernel panic - not syncing: System is deadlocked on memory\n" },
        { CrashKind.MachineCheck, "Kernel panic - not syncing: Fatal machine check\n" },
        { CrashKind.MachineCheck, "Kernel panic - not syncing: Timeout: Not all CPUs entered broadcast exception handler\n" },
        { CrashKind.MachineCheck, "Kernel panic - not syncing: Asynchronous SError Interrupt\n" },
        { CrashKind.Nmi, "Kernel panic - not syncing: NMI: Not continuing\n" },
        { CrashKind.InitKilled, "Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b\n" },
        { CrashKind.StackOverflow, "BUG: TASK stack guard page was hit at 00000000 (stack is 1..2)\nstack guard page: 0000 [#1] PREEMPT SMP\n" },
        { CrashKind.StackOverflow, "BUG: stack guard page was hit at 00000000 (stack is 1..2)\nkernel stack overflow (double-fault): 0000 [#1] SMP\n" + Fatal },
        { CrashKind.StackOverflow, "Insufficient stack space to handle exception!\nKernel panic - not syncing: kernel stack overflow\n" },
        { CrashKind.StackCorruption, "Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: foo+0x1/0x2\n" },
        { CrashKind.StackCorruption, "Kernel panic - not syncing: corrupted stack end detected inside scheduler\n" },
        { CrashKind.DivideError, "divide error: 0000 [#1] SMP\n" },
        { CrashKind.DoubleFault, "traps: PANIC: double fault, error_code: 0x0\ndouble fault: 0000 [#1] SMP\n" },
        { CrashKind.Oops, "Internal error: synchronous external abort: 96000210 [#1] SMP\n" },
        { CrashKind.Panic, "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\n" },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void TheKindIsWhatTheKernelSays(CrashKind kind, string log)
    {
        CrashLog read = Read(log);
        Assert.Equal(kind, read.Cause()?.Kind ?? read.Panic!.Kind);
    }

    /// <summary>An oops that the kernel lived through, a warning, a hang of long ago are not what it died of.</summary>
    [Theory]
    [InlineData("BUG: kernel NULL pointer dereference, address: 0\nOops: 0000 [#1] SMP\nKernel panic - not syncing: sysrq triggered crash\n", CrashKind.Sysrq)]
    [InlineData("WARNING: CPU: 0 PID: 1 at fs/inode.c:12 foo+0x1/0x2\nBUG: unable to handle page fault for address: 1\nOops: 0000 [#1] SMP\n",
        CrashKind.PageFault)]
    [InlineData("BUG: unable to handle page fault for address: 1\nOops: 0000 [#1] SMP\nWARNING: CPU: 0 PID: 1 at fs/inode.c:12 foo+0x1/0x2\n",
        CrashKind.PageFault)]
    [InlineData("BUG: soft lockup - CPU#0 stuck for 22s! [sh:1]\nBUG: kernel NULL pointer dereference, address: 0\n"
        + "Kernel panic - not syncing: Fatal exception\n",
        CrashKind.NullPointer)]
    [InlineData("BUG: kernel NULL pointer dereference, address: 0\nOops: 0000 [#1] SMP\nCPU: 0 PID: 7 Comm: sh\n"
        + "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100\nCPU: 0 PID: 1 Comm: init\n", CrashKind.InitKilled)]
    [InlineData("BUG: kernel NULL pointer dereference, address: 0\nOops: 0000 [#1] SMP\nCPU: 0 PID: 1 Comm: init\n"
        + "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000009\nCPU: 0 PID: 1 Comm: init\n", CrashKind.NullPointer)]
    public void OnlyWhatLedToTheEndCounts(string log, CrashKind kind)
    {
        CrashLog read = Read(log);
        Assert.Equal(kind, read.Cause()?.Kind ?? read.Panic!.Kind);
    }

    [Fact]
    public void AWarningAloneKillsNobody()
    {
        CrashLog read = Read("WARNING: CPU: 0 PID: 1 at fs/inode.c:12 foo+0x1/0x2\nINFO: task sh:1 blocked for more than 120 seconds.\n");
        Assert.Null(read.Cause());
        Assert.Null(read.Panic);
        Assert.Equal(CrashKind.HungTask, read.Last!.Kind);
    }

    /// <summary>The kernel reports all tasks that hang before it panics: the first of that round counts, none of an earlier round.</summary>
    [Fact]
    public void OfTasksThatHangTheFirstOfTheLastRoundCounts()
    {
        var log = new CrashLog();
        foreach ((int second, string line) in new[] { (100, "INFO: task old:7 blocked for more than 5 seconds."), (220,
            "INFO: task first:8 blocked for more than 5 seconds."),
            (220, "INFO: task second:9 blocked for more than 5 seconds."), (221, "Kernel panic - not syncing: hung_task: blocked tasks") })
            log.Add(TimeSpan.FromSeconds(second), line);
        CrashEpisode cause = log.Cause()!;
        Assert.Equal((8, "first"), (cause.SubjectPid, cause.SubjectName));
    }

    [Theory]
    [InlineData("INFO: task kworker/1:2:12 blocked for more than 120 seconds.", null, 12)]
    [InlineData("INFO: task a blocked b:7 blocked for more than 120 seconds.", null, 7)]
    [InlineData("watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [sh:12]", 3, null)]
    [InlineData("watchdog: CPU0: Watchdog detected hard LOCKUP on cpu 5", 5, null)]
    [InlineData("rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:\nrcu: \t4-...0: (1 GPs behind) idle=2f2", 4, null)]
    [InlineData("rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:\nrcu: \tTasks blocked on level-0 rcu_node (CPUs 0-1): P123/1:b..l", null, 123)]
    public void WhoItIsAboutIsRead(string log, int? cpu, int? pid)
    {
        CrashEpisode last = Read(log).Last!;
        Assert.Equal((cpu, pid), (last.SubjectCpu, last.SubjectPid));
    }

    [Theory]
    [InlineData("kernel BUG at fs/inode.c:12!", "fs/inode.c:12")]
    [InlineData("kernel BUG at /usr/src/bar-1.0/bar.c:12!", "bar.c:12")]
    [InlineData("WARNING: CPU: 0 PID: 1 at fs/inode.c:12 foo+0x1/0x2", "fs/inode.c:12")]
    [InlineData("WARNING: fs/inode.c:12 at foo+0x1/0x2, CPU#0: init/1", "fs/inode.c:12")]
    [InlineData("WARNING: possible circular locking dependency detected", null)]
    public void FileAndLineAreRead(string line, string? wanted) => Assert.Equal(wanted, Read(line).Last!.Source);

    [Fact]
    public void PlaceAndTraceAreReadWithoutTheKernelsGuesses()
    {
        CrashEpisode cause = Read("""
            BUG: kernel NULL pointer dereference, address: 0000000000000018
            Oops: 0000 [#1] PREEMPT SMP
            CPU: 1 UID: 0 PID: 163 Comm: a name: with colons Kdump: loaded Tainted: G           OE      6.12.117 #1
            RIP: 0010:foo_read+0x5/0x10 [bar]
            Code: 00 00 <48> 8b 07
            Call Trace:
             <TASK>
             ? __die+0x23/0x70
             foo_write+0x21/0x40 [bar 0123456789abcdef]
             [<ffffffff81234567>] vfs_write.part.0+0xf5/0x450
             do_syscall_64+0x87/0x1b0
             </TASK>
            Modules linked in: bar(OE)
            RIP: 0033:0x47b7a0
            """).Cause()!;
        Assert.Equal((1, 163, "a name: with colons"), (cause.Cpu, cause.Pid, cause.TaskName));
        Assert.Equal(new LoggedFunction("foo_read", 5, "bar"), cause.Place);
        Assert.Equal([new("foo_write", 0x21, "bar"), new("vfs_write.part.0", 0xf5, null), new("do_syscall_64", 0x87, null)], cause.Frames);
    }

    [Fact]
    public void HostileLinesDoNoHarm()
    {
        var random = new Random(15);
        string[] words = ["BUG: ", "INFO: task ", " blocked ", "CPU#", "rcu: INFO: rcu", "stall", "Kernel panic - not syncing", ":", "+0x", "/", "[", "] ",
            " [#", "RIP: 0010:",
            "Call Trace:", "kernel BUG at ", "CPU: ", "PID: ", "Comm: ", "99999999999999999999", "\u0007", "\t", "<", "? ", "exitcode="];
        for (int round = 0; round < 2000; round++)
        {
            CrashLog read = Read(string.Concat(Enumerable.Range(0, 40).Select(_ => words[random.Next(words.Length)] + (random.Next(4) == 0 ? "\n" : ""))));
            Assert.True(read.Cause() is not { } cause || cause.Line.All(static c => c is (>= ' ' and <= '~') or '\t'));
        }
    }

    private static CrashLog Read(string text)
    {
        var log = new CrashLog();
        foreach (string line in text.Split('\n'))
            log.Add(TimeSpan.FromSeconds(1), line);
        return log;
    }
}
