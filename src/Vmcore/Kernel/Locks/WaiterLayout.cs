using Vmcore.Kernel.Types;

namespace Vmcore.Kernel.Locks;

/// <summary>Where a kind of lock, and what waits for it, have their members in this kernel, in bytes; −1 for what it has not.</summary>
/// <remarks>
/// A waiter lies on the stack of the task that waits, in the frame of the function that sleeps: kernel/locking/mutex.h, rwsem.c, semaphore.c,
/// include/linux/swait.h, wait.h. Up to 7.0 the list of waiters has its head in the lock; since 7.1 mutex, rw_semaphore and semaphore have a pointer to the
/// first waiter instead, and the waiters are a ring without a head.
/// </remarks>
internal sealed class WaiterLayout
{
    private WaiterLayout(LockKind kind, StructMembers members, string waiter, string task, string node)
    {
        Kind = kind;
        Task = members.Optional(waiter, task);
        Node = members.Optional(waiter, node);
    }

    /// <summary>The kind of lock.</summary>
    internal LockKind Kind { get; }

    /// <summary>The waiter's pointer to its task.</summary>
    internal int Task { get; }

    /// <summary>The waiter's link in the list.</summary>
    internal int Node { get; }

    /// <summary>The waiter's function, which tells it from a list's head: of wait queues only.</summary>
    internal int Function { get; private init; } = -1;

    /// <summary>The waiter's mode: of rw_semaphores only.</summary>
    internal int Type { get; private init; } = -1;

    /// <summary>The head of the list in the lock.</summary>
    internal int Head { get; private init; } = -1;

    /// <summary>The pointer to the first waiter in the lock.</summary>
    internal int First { get; private init; } = -1;

    /// <summary>The owner with its flags in the lock.</summary>
    internal int Owner { get; private init; } = -1;

    /// <summary>The count in the lock.</summary>
    internal int Count { get; private init; } = -1;

    /// <summary>True if this kernel has such waiters.</summary>
    internal bool IsKnown => Task >= 0 && Node >= 0 && (Head >= 0 || First >= 0);

    /// <summary>The layouts that this kernel has.</summary>
    internal static List<WaiterLayout> All(KernelTypes types)
    {
        var members = new StructMembers(types);
        WaiterLayout[] all =
        [
            new(LockKind.Mutex, members, "mutex_waiter", "task", "list")
            {
                Head = members.Optional("mutex", "wait_list"),
                First = members.Optional("mutex", "first_waiter"),
                Owner = members.Optional("mutex", "owner.counter"),
            },
            new(LockKind.ReadWriteSemaphore, members, "rwsem_waiter", "task", "list")
            {
                Type = members.Optional("rwsem_waiter", "type"),
                Head = members.Optional("rw_semaphore", "wait_list"),
                First = members.Optional("rw_semaphore", "first_waiter"),

                // Before 5.3 the owner was a plain pointer, and the count meant something else.
                Owner = members.Optional("rw_semaphore", "owner.counter"),
                Count = members.Optional("rw_semaphore", "count.counter"),
            },
            new(LockKind.Semaphore, members, "semaphore_waiter", "task", "list")
            {
                Head = members.Optional("semaphore", "wait_list"),
                First = members.Optional("semaphore", "first_waiter"),
                Count = members.Optional("semaphore", "count"),
            },
            new(LockKind.Completion, members, "swait_queue", "task", "task_list") { Head = members.Optional("completion", "wait.task_list") },
            new(LockKind.WaitQueue, members, "wait_queue_entry", "private", "entry")
            {
                Function = members.Optional("wait_queue_entry", "func"),
                Head = members.Optional("wait_queue_head", "head"),
            },
            new(LockKind.SimpleWaitQueue, members, "swait_queue", "task", "task_list") { Head = members.Optional("swait_queue_head", "task_list") },
        ];
        return [.. all.Where(static l => l.IsKnown && (l.Kind != LockKind.WaitQueue || l.Function >= 0))];
    }
}
