using Vmcore.Findings;
using Vmcore.Kernel.Cpus;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Types;

namespace Vmcore.Tests.Kernel.Tasks;

/// <summary>How long tasks were in their state, by what a scheduler leaves in its structures: two CPUs, of which the first has been idle for a while.</summary>
public sealed class TaskTimesTests
{
    private const ulong Variables = 0xffff_8880_0000_0000, Area = 0xffff_8880_1000_0000, Task = 0xffff_8880_2000_0000;
    private const ulong Second = 1_000_000_000, Now = 100 * Second, IdleClock = 90 * Second, IdleTasks = 85 * Second;

    private const string Types = """
        sched_info 32: pcount u64 0, run_delay u64 8, last_arrival u64 16, last_queued u64 24
        sched_entity 64: exec_start u64 0, sum_exec_runtime u64 8, sched_delayed u8 16
        task_struct 256: on_rq u32 0, se sched_entity 64, sched_info sched_info 128, start_time u64 160, utime u64 168, stime u64 176
        rq 64: nr_running u32 4, clock u64 16, clock_task u64 24
        """;

    private readonly SparseMemory _memory = new();

    public TaskTimesTests()
    {
        _memory.Put(Variables, 2, 4).Put(Variables + 8, 3).Put(Variables + 16, 3).Put(Variables + 32, Area).Put(Variables + 40, Area + 0x1000)
            .Put(Area + 0x100, 0).Put(Task + 255, 0, 1);
        Clock(0, IdleClock, IdleTasks);
        Clock(1, Now, Now - Second);
    }

    /// <summary>It slept at 60 s of the clock of CPU 0's tasks, which fell 5 s behind, so at 65 s at the latest; it had come onto the CPU at 64 s.</summary>
    [Fact]
    public void ABlockedTaskHasSleptForSoLongAtLeastAndAtMost()
    {
        Put(arrival: 64 * Second, queued: 0, accounted: 60 * Second, onRq: 0);
        TaskTime time = Times(Types).Of(TaskOn(0, isOnCpu: false));
        Assert.Equal(35 * Second, time.InStateAtLeast);
        Assert.Equal(36 * Second, time.InStateAtMost);
    }

    [Fact]
    public void ATaskThatWaitsForItsCpuWaitsSinceItWasQueued()
    {
        Put(arrival: 64 * Second, queued: 98 * Second, accounted: 60 * Second, onRq: 1);
        TaskTime time = Times(Types).Of(TaskOn(0, isOnCpu: false));
        Assert.Equal(2 * Second, time.InStateAtLeast);
        Assert.Equal(36 * Second, time.InStateAtMost);
    }

    /// <summary>Since 6.12 a task that sleeps may stay on the queue: it sleeps all the same.</summary>
    [Fact]
    public void ATaskOfDelayedDequeueSleeps()
    {
        Put(arrival: 64 * Second, queued: 0, accounted: 60 * Second, onRq: 1);
        _memory.Put(Task + 64 + 16, 1, 1);
        Assert.Equal(35 * Second, Times(Types).Of(TaskOn(0, isOnCpu: false)).InStateAtLeast);
    }

    /// <summary>Moved to another CPU after it had gone to sleep (delayed dequeue), it has no time of accounting any more, but one of queueing.</summary>
    [Theory]
    [InlineData(65, 35)]
    [InlineData(63, null)]
    public void ATaskThatWasMovedInItsSleepSleptWhenItWasQueued(int queued, int? atLeast)
    {
        Put(arrival: 64 * Second, queued: (ulong)queued * Second, accounted: 0, onRq: 0);
        Assert.Equal((ulong?)atLeast * Second, Times(Types).Of(TaskOn(0, isOnCpu: false)).InStateAtLeast);
    }

    [Fact]
    public void ARunningTaskRunsSinceItCameOntoItsCpu()
    {
        Put(arrival: 99 * Second, queued: 0, accounted: 97 * Second, onRq: 1);
        TaskTime time = Times(Types).Of(TaskOn(1, isOnCpu: true));
        Assert.Equal((Second, Second), (time.InStateAtLeast, time.InStateAtMost));
        Assert.Equal((7UL, 8UL, 9UL, 10UL), (time.Started, time.UserTime, time.SystemTime, time.RunTime));
    }

    /// <summary>Nothing that contradicts itself is told: a time after now, a lower bound above the upper one, 0 for never.</summary>
    [Theory]
    [InlineData(0, 0, null, null)]
    [InlineData(101, 0, null, null)]
    [InlineData(64, 0, null, 36)]
    [InlineData(0, 60, 35, null)]
    [InlineData(64, 86, null, 36)]
    [InlineData(95, 60, null, null)]
    public void WhatContradictsItselfIsNotTold(int arrival, int accounted, int? atLeast, int? atMost)
    {
        Put((ulong)arrival * Second, 0, (ulong)accounted * Second, onRq: 0);
        TaskTime time = Times(Types).Of(TaskOn(0, isOnCpu: false));
        Assert.Equal(((ulong?)atLeast * Second, (ulong?)atMost * Second), (time.InStateAtLeast, time.InStateAtMost));
    }

    /// <summary>A kernel without sched_info has the lower bound; one whose times are no nanoseconds has none of them.</summary>
    [Fact]
    public void AMemberThatIsNotThereIsAGap()
    {
        Put(arrival: 64 * Second, queued: 0, accounted: 60 * Second, onRq: 0);
        TaskTimes times = Times("""
            sched_entity 64: exec_start u64 0
            cputime 8: seconds u32 0, rest u32 4
            task_struct 256: on_rq u32 0, se sched_entity 64, start_time cputime 160, utime u32 168
            rq 64: clock u64 16, clock_task u64 24
            """);
        Assert.Null(times.Problem);
        TaskTime time = times.Of(TaskOn(0, isOnCpu: false));
        Assert.Equal((35 * Second, null), (time.InStateAtLeast, time.InStateAtMost));
        Assert.Equal((null, null, null, null), (time.Started, time.UserTime, time.SystemTime, time.RunTime));
    }

    [Fact]
    public void WithoutAClockNothingIsToldAndThatIsSaid()
    {
        _memory.Remove(Area);
        _memory.Remove(Area + 0x1000);
        Put(arrival: 64 * Second, queued: 0, accounted: 60 * Second, onRq: 0);
        TaskTimes times = Times(Types);
        Assert.Equal(FindingCode.TaskTimesUnknown, times.Problem?.Code);
        Assert.Null(times.Of(TaskOn(0, isOnCpu: false)).InStateAtLeast);
        Assert.Equal(7UL, times.Of(TaskOn(0, isOnCpu: false)).Started);
    }

    [Theory]
    [InlineData(0, 0, true, true, false, "running", false)]
    [InlineData(0, 0, false, true, false, "waiting for a CPU", false)]
    [InlineData(1, 0, false, false, false, "sleeping", false)]
    [InlineData(2, 0, false, false, false, "uninterruptible", true)]
    [InlineData(2, 0, false, false, true, "uninterruptible, in I/O", true)]
    [InlineData(0x102, 0, false, false, true, "uninterruptible but killable, in I/O", false)]
    [InlineData(0x402, 0, false, false, false, "idle", false)]
    [InlineData(0x2402, 0, false, false, false, "idle", false)]
    [InlineData(0x8000, 0, false, false, false, "frozen", false)]
    [InlineData(0x104, 0, false, false, false, "stopped", false)]
    [InlineData(0x80, 0x20, false, false, false, "zombie", false)]
    public void StatesHaveWords(ulong state, ulong exit, bool onCpu, bool queued, bool inIo, string words, bool hung)
    {
        Assert.Equal(words, TaskStates.Text(state, exit, onCpu, queued, inIo));
        Assert.Equal(hung, TaskStates.IsHung(state, exit));
    }

    private void Clock(ulong cpu, ulong clock, ulong ofTasks) =>
        _memory.Put(Area + (cpu * 0x1000) + 0x100 + 16, clock).Put(Area + (cpu * 0x1000) + 0x100 + 24, ofTasks);

    private void Put(ulong arrival, ulong queued, ulong accounted, ulong onRq) => _memory.Put(Task, onRq, 4).Put(Task + 64, accounted).Put(Task + 72, 10)
        .Put(Task + 144, arrival).Put(Task + 152, queued).Put(Task + 160, 7).Put(Task + 168, 8).Put(Task + 176, 9);

    private TaskTimes Times(string types)
    {
        var symbols = KernelSymbols.Of(new NamedSymbols(new()
        {
            ["nr_cpu_ids"] = Variables,
            ["__cpu_possible_mask"] = Variables + 8,
            ["__cpu_online_mask"] = Variables + 16,
            ["__per_cpu_offset"] = Variables + 32,
            ["runqueues"] = 0x100,
        }));
        return TaskTimes.Load(_memory, symbols, TypesByText.Parse(types), PerCpuAreas.TryLoad(_memory, symbols));
    }

    private KernelTask TaskOn(int cpu, bool isOnCpu) => new()
    {
        Object = KernelObject.At(_memory, KernelType.Void, Task),
        Pid = 1,
        Tgid = 1,
        ParentPid = 0,
        Name = "task",
        State = 'D',
        StateText = "",
        IsHung = true,
        Cpu = cpu,
        IsOnCpu = isOnCpu,
        IsKernelThread = true,
    };
}
