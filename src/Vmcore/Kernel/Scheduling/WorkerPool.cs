using Vmcore.Kernel.Tasks;

namespace Vmcore.Kernel.Scheduling;

/// <summary>A piece of work that waits (<c>struct work_struct</c>).</summary>
public sealed class PendingWork
{
    /// <summary>Virtual address of the structure.</summary>
    public required ulong Address { get; init; }

    /// <summary>The function.</summary>
    public required ulong Function { get; init; }

    /// <summary>Name of the workqueue that it was given to; null if it cannot be told.</summary>
    public string? Workqueue { get; init; }

    /// <summary>The task that waits for the end of the work in front of it (flush_work): then the function only wakes it.</summary>
    public KernelTask? Waiter { get; init; }
}

/// <summary>A thread that does work (<c>struct worker</c>).</summary>
public sealed class Worker
{
    /// <summary>Virtual address of the structure.</summary>
    public required ulong Address { get; init; }

    /// <summary>Its thread; null if it has none (bottom halves), or it is no task of the list.</summary>
    public required KernelTask? Task { get; init; }

    /// <summary>The function that it was running; 0 if it was idle.</summary>
    public required ulong Function { get; init; }

    /// <summary>The function that it ran last; 0 if that is not known.</summary>
    public required ulong LastFunction { get; init; }

    /// <summary>Name of the workqueue whose work it does; null if that cannot be told.</summary>
    public string? Workqueue { get; init; }

    /// <summary>True if it is there to help a workqueue out when no worker can be made.</summary>
    public bool IsRescuer { get; init; }

    /// <summary>Work that is given to this worker: what must not run beside what it does, and tasks that wait for its end.</summary>
    public IReadOnlyList<PendingWork> Scheduled { get; init; } = [];
}

/// <summary>Workers that share a list of work (<c>struct worker_pool</c>).</summary>
public sealed class WorkerPool
{
    /// <summary>Number of the pool.</summary>
    public required int Id { get; init; }

    /// <summary>Virtual address of the structure.</summary>
    public required ulong Address { get; init; }

    /// <summary>Number of its CPU; null if it is bound to none.</summary>
    public required int? Cpu { get; init; }

    /// <summary>Nice value of its workers; null if it cannot be read.</summary>
    public required int? Nice { get; init; }

    /// <summary>Number of its workers, as it counts them.</summary>
    public required int Workers { get; init; }

    /// <summary>Number of those that were idle.</summary>
    public required int Idle { get; init; }

    /// <summary>Those that had work.</summary>
    public required IReadOnlyList<Worker> Busy { get; init; }

    /// <summary>Work that waits for a worker, the first one in front.</summary>
    public required IReadOnlyList<PendingWork> Pending { get; init; }

    /// <summary>How long ago a worker last took work from the list, in nanoseconds, if some waits there; null if none does, or it is not known.</summary>
    public required ulong? Stalled { get; init; }

    /// <summary>True if it has work to do.</summary>
    public bool IsBusy => Busy.Count > 0 || Pending.Count > 0;
}

/// <summary>A workqueue that asked for help, or holds work back.</summary>
public sealed class Workqueue
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Virtual address of its <c>struct workqueue_struct</c>.</summary>
    public required ulong Address { get; init; }

    /// <summary>True if it waited for its rescuer, since no worker could be made.</summary>
    public required bool IsMayday { get; init; }

    /// <summary>Work that it holds back, since as much as it may is being done already.</summary>
    public required IReadOnlyList<PendingWork> HeldBack { get; init; }

    /// <summary>Its rescuer, if that had work.</summary>
    public required Worker? Rescuer { get; init; }
}
