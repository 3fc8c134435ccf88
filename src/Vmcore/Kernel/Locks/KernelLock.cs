using Vmcore.Kernel.Tasks;

namespace Vmcore.Kernel.Locks;

/// <summary>What tasks wait for.</summary>
public enum LockKind
{
    /// <summary>A <c>struct mutex</c>, ww_mutex among them.</summary>
    Mutex,

    /// <summary>A <c>struct rw_semaphore</c>.</summary>
    ReadWriteSemaphore,

    /// <summary>A <c>struct semaphore</c>: it has no owner.</summary>
    Semaphore,

    /// <summary>A <c>struct rt_mutex_base</c>: on kernels with PREEMPT_RT every lock that sleeps, elsewhere futexes and I²C.</summary>
    RtMutex,

    /// <summary>A <c>struct completion</c>: something that is to be done; who would do it is not noted.</summary>
    Completion,

    /// <summary>A <c>struct wait_queue_head</c>: some condition. Of a page or a bit many share one.</summary>
    WaitQueue,

    /// <summary>A <c>struct swait_queue_head</c>.</summary>
    SimpleWaitQueue,
}

/// <summary>How a task wants a lock.</summary>
public enum LockMode
{
    /// <summary>For itself alone, or there is only one way.</summary>
    Exclusive,

    /// <summary>Together with other readers.</summary>
    Read,
}

/// <summary>A lock, completion or wait queue that tasks were waiting for.</summary>
public sealed class KernelLock
{
    private readonly List<LockWait> _waits = [];

    internal KernelLock(LockKind kind, ulong address) => (Kind, Address) = (kind, address);

    /// <summary>What it is.</summary>
    public LockKind Kind { get; }

    /// <summary>Virtual address of the structure.</summary>
    public ulong Address { get; }

    /// <summary>The task that held it for itself alone; null if none did, it is held by readers, or of this kind none is noted.</summary>
    public KernelTask? Owner { get; internal set; }

    /// <summary>The owner as the lock has it, without its flags; 0 if it has none. Where <see cref="Owner"/> is null, and this is not 0, it is no task of the
    /// list: one that ended while it held the lock, or damage.</summary>
    public ulong OwnerAddress { get; internal set; }

    /// <summary>The task that is at <see cref="OwnerAddress"/>, and is not the owner: it was made when the first waiter slept already, who would have been
    /// woken had the lock been given away since. The owner ended while it held the lock, and its memory was used again. Null if there is none.</summary>
    /// <remarks>One that was made before the first waiter went to sleep cannot be told from the owner.</remarks>
    public KernelTask? Successor { get; internal set; }

    /// <summary>The waiting task on whose stack the lock lies; null if it lies elsewhere.</summary>
    public KernelTask? OnStackOf { get; internal set; }

    /// <summary>Number of readers that held it; null if it was not held by readers, or that is not known. Who they are is not noted.</summary>
    public ulong? Readers { get; internal set; }

    /// <summary>The tasks that waited for it, in the order of its list where it has one.</summary>
    public IReadOnlyList<LockWait> Waits => _waits;

    internal void Add(LockWait wait) => _waits.Add(wait);
}

/// <summary>That a task waited for a lock: proven by a waiter on the task's own stack that the list of the lock leads to and back.</summary>
public sealed class LockWait
{
    internal LockWait(KernelTask task, KernelLock item, LockMode mode, ulong waiter) => (Task, Lock, Mode, Waiter) = (task, item, mode, waiter);

    /// <summary>The task.</summary>
    public KernelTask Task { get; }

    /// <summary>What it waited for.</summary>
    public KernelLock Lock { get; }

    /// <summary>How it wanted it.</summary>
    public LockMode Mode { get; }

    /// <summary>Virtual address of the waiter (<c>struct mutex_waiter</c> and the like).</summary>
    public ulong Waiter { get; }
}
