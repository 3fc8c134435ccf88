using Vmcore.Kernel.Tasks;

namespace Vmcore.Kernel.Scheduling;

/// <summary>How a task is scheduled.</summary>
public enum SchedulingClass
{
    /// <summary>With a share of the CPU (SCHED_OTHER, SCHED_BATCH, SCHED_IDLE).</summary>
    Fair,

    /// <summary>By a fixed priority (SCHED_FIFO, SCHED_RR).</summary>
    RealTime,

    /// <summary>By a deadline (SCHED_DEADLINE).</summary>
    Deadline,

    /// <summary>Before everything else: the thread of the CPU that stops what runs (migration/N).</summary>
    Stop,
}

/// <summary>A task that waited for its CPU.</summary>
public sealed class QueuedTask
{
    internal QueuedTask(KernelTask task, SchedulingClass how, int? priority) => (Task, Class, Priority) = (task, how, priority);

    /// <summary>The task.</summary>
    public KernelTask Task { get; }

    /// <summary>How it is scheduled.</summary>
    public SchedulingClass Class { get; }

    /// <summary>Of a real-time task its priority in the queue: 0 is the highest; else null.</summary>
    public int? Priority { get; }
}

/// <summary>What a CPU had to do.</summary>
public sealed class RunQueue
{
    /// <summary>Number of the CPU.</summary>
    public required int Cpu { get; init; }

    /// <summary>Virtual address of its <c>struct rq</c>.</summary>
    public required ulong Address { get; init; }

    /// <summary>The task that ran; null if it is no task of the list.</summary>
    public KernelTask? Current { get; init; }

    /// <summary>Number of tasks that ran or waited to, as the CPU counted them; null if it cannot be read.</summary>
    public uint? Running { get; init; }

    /// <summary>Tasks that waited for the CPU: its stopper, those with a deadline, then real-time tasks by priority, then the others in the order of their
    /// list.</summary>
    public IReadOnlyList<QueuedTask> Queued { get; init; } = [];

    /// <summary>The scheduler's clock when the CPU last read it, in nanoseconds.</summary>
    public ulong? Clock { get; init; }

    /// <summary>How long before the latest clock of all CPUs that was, in nanoseconds. An idle CPU reads its clock seldom; one that is not, and fell behind by
    /// more than a tick, had its interrupts off.</summary>
    public ulong? ClockBehind { get; init; }

    /// <summary>Number of times that the CPU went from one task to another; null if it cannot be read.</summary>
    public ulong? Switches { get; init; }

    /// <summary>When the soft lockup watchdog last saw the CPU get to a task of its own, in nanoseconds of the scheduler's clock, rounded down to a multiple
    /// of 2^30; null if the kernel has no watchdog, it does not run, or was told to start anew.</summary>
    public ulong? WatchdogTouched { get; init; }

    /// <summary>Interrupts of the watchdog's timer; if they do not go on, the CPU had interrupts off (hard lockup). Null if there is none.</summary>
    public ulong? WatchdogTicks { get; init; }
}
