using Vmcore.Findings;
using Vmcore.Kernel.Cpus;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Tasks;

/// <summary>How long tasks had been in their state, when they started, and how much they ran.</summary>
/// <remarks>
/// All by the scheduler's clock (sched_clock, nanoseconds since the start, that of the log), which each CPU reads into its run queue when it has work. Of an
/// idle machine the last reading may be old, so what is "now" is the latest of all. Source: kernel/sched/stats.h (sched_info), kernel/sched/fair.c
/// (update_curr), kernel/sched/core.c (update_rq_clock).
/// </remarks>
public sealed class TaskTimes
{
    private readonly IVirtualMemory _memory;
    private readonly Dictionary<int, CpuClock> _clocks = [];
    private readonly int _onRq;
    private readonly int _delayed;
    private readonly int _arrival;
    private readonly int _queued;
    private readonly int _accounted;
    private readonly int _ran;
    private readonly int _started;
    private readonly int _user;
    private readonly int _system;

    private TaskTimes(IVirtualMemory memory, KernelTypes types)
    {
        _memory = memory;
        KernelType? task = types.FindNamed(KernelTypeKind.Struct, "task_struct");
        _onRq = (int)(task?.FindMember("on_rq")?.ByteOffset ?? -1);
        _delayed = (int)(task?.FindPath("se.sched_delayed")?.ByteOffset ?? -1);
        _arrival = Nanoseconds(task, "sched_info.last_arrival");
        _queued = Nanoseconds(task, "sched_info.last_queued");
        _accounted = Nanoseconds(task, "se.exec_start");
        _ran = Nanoseconds(task, "se.sum_exec_runtime");
        _started = Nanoseconds(task, "start_time");
        _user = Nanoseconds(task, "utime");
        _system = Nanoseconds(task, "stime");
    }

    /// <summary>The scheduler's clock when the machine stopped, in nanoseconds: the latest that a run queue has. Null if none can be read.</summary>
    public ulong? Now { get; private set; }

    /// <summary>Why it cannot be told how long tasks had been in their state; null if it can.</summary>
    public Finding? Problem { get; private set; }

    /// <summary>Reads the clocks.</summary>
    internal static TaskTimes Load(IVirtualMemory memory, KernelSymbols symbols, KernelTypes types, PerCpuAreas? perCpu)
    {
        var times = new TaskTimes(memory, types);
        times.ReadClocks(symbols, types, perCpu);
        if (times.Now is null)
            times.Problem = new(FindingCode.TaskTimesUnknown, "no run queue's clock can be read");
        else if (times._arrival < 0 && times._accounted < 0)
            times.Problem = new(FindingCode.TaskTimesUnknown, "the kernel's types have neither sched_info nor sched_entity.exec_start");
        return times;
    }

    /// <summary>The times of a task.</summary>
    /// <param name="task">The task.</param>
    public TaskTime Of(KernelTask task)
    {
        ArgumentNullException.ThrowIfNull(task);
        ulong? arrival = Read(task, _arrival), queued = Read(task, _queued), atLeast, atMost = Since(arrival);
        if (task.IsOnCpu)
            atLeast = atMost;
        else if (IsQueued(task))
            atLeast = Since(queued);
        else
            atLeast = SinceAccounted(task) ?? (queued > arrival ? Since(queued) : null);

        // Since 6.12 one that went to sleep may be moved to the queue of another CPU, which forgets when it was accounted: it was asleep when it was queued,
        // for else it would have run since. A task that has just come to another CPU may be noted with that one's clock: what contradicts itself is no bound.
        bool isContradiction = atLeast > atMost;
        return new()
        {
            InStateAtLeast = isContradiction ? null : atLeast,
            InStateAtMost = isContradiction ? null : atMost,
            Started = Read(task, _started),
            UserTime = Read(task, _user),
            SystemTime = Read(task, _system),
            RunTime = Read(task, _ran),
        };
    }

    /// <summary>The clock of a CPU's run queue when it was last read, in nanoseconds; null if it cannot be read.</summary>
    /// <param name="cpu">Number of the CPU.</param>
    public ulong? ClockOf(int cpu) => _clocks.GetValueOrDefault(cpu)?.Clock;

    // On a run queue though not running; since 6.12 one that sleeps may stay there for a while (delayed dequeue).
    private bool IsQueued(KernelTask task) => _onRq >= 0 && _memory.TryReadUInt32(task.Address + (ulong)_onRq, out uint queued) && queued != 0
        && !(_delayed >= 0 && _memory.TryReadByte(task.Address + (ulong)_delayed, out byte flag) && flag == 1);

    private ulong? Read(KernelTask task, int offset) =>
        offset >= 0 && _memory.TryReadUInt64(unchecked(task.Address + (ulong)offset), out ulong value) ? value : null;

    private ulong? Since(ulong? time) => time is { } then and not 0 && then <= Now ? Now - then : null;

    // What a task ran is accounted by a clock that leaves out interrupts and stolen time, and so falls behind the other, never catches up: a lower bound.
    private ulong? SinceAccounted(KernelTask task) =>
        Read(task, _accounted) is { } then and not 0 && _clocks.GetValueOrDefault(task.Cpu) is { } cpu && then <= cpu.OfTasks
            ? cpu.OfTasks - then + (Now - cpu.Clock) : null;

    private void ReadClocks(KernelSymbols symbols, KernelTypes types, PerCpuAreas? perCpu)
    {
        KernelType? queue = types.FindNamed(KernelTypeKind.Struct, "rq");
        int clock = Nanoseconds(queue, "clock"), ofTasks = Nanoseconds(queue, "clock_task");
        if (clock < 0 || perCpu is null || symbols.TryFindInImage("runqueues") is not { } symbol)
            return;
        foreach (int cpu in perCpu.Possible)
        {
            if (perCpu.OffsetOf(cpu) is not { } offset || !_memory.TryReadUInt64(unchecked(symbol + offset + (ulong)clock), out ulong now) || now == 0)
                continue;
            ulong other = 0;
            if (ofTasks >= 0 && (!_memory.TryReadUInt64(unchecked(symbol + offset + (ulong)ofTasks), out other) || other > now))
                other = 0;
            _clocks[cpu] = new(now, other);
            Now = Now > now ? Now : now;
        }
    }

    // Times that are in jiffies (cputime_t) or two numbers (timespec), as in kernels before 4.11, are not told.
    private static int Nanoseconds(KernelType? type, string path) => type?.FindPath(path) is { ByteOffset: >= 0 and <= int.MaxValue } member
        && member.Type.Name != "cputime_t" && member.Type.Underlying() is { Kind: KernelTypeKind.Integer, Size: 8 } ? (int)member.ByteOffset : -1;

    private sealed class CpuClock(ulong clock, ulong ofTasks)
    {
        internal ulong Clock => clock;

        internal ulong OfTasks => ofTasks;
    }
}
