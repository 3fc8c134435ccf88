using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Locks;

/// <summary>rt_mutexes: a task that waits for one points to its waiter, and the waiter to the lock (kernel/locking/rtmutex_common.h).</summary>
/// <param name="around">What is known of the machine.</param>
/// <param name="members">Where members are.</param>
internal sealed class RtWaiters(LockSurroundings around, StructMembers members)
{
    private readonly int _blocked = members.Optional("task_struct", "pi_blocked_on");
    private readonly int _task = members.Optional("rt_mutex_waiter", "task");
    private readonly int _lock = members.Optional("rt_mutex_waiter", "lock");
    private readonly int _owner = members.Optional("rt_mutex_base", "owner");

    /// <summary>The rt_mutex that a task waits for; null if there is none that can be proven.</summary>
    internal FoundWait? Find(KernelTask task)
    {
        IVirtualMemory memory = around.Memory;
        if (_blocked < 0 || _task < 0 || _lock < 0 || _owner < 0 || !memory.TryReadUInt64(task.Address + (ulong)_blocked, out ulong waiter)
            || around.StackOf(task) is not { } stack || !stack.Contains(waiter) || !memory.TryReadUInt64(waiter + (ulong)_task, out ulong own)
            || own != task.Address || !memory.TryReadUInt64(waiter + (ulong)_lock, out ulong address) || !memory.IsKernelAddress(address))
            return null;
        return OwnerOf(address) is { } owner && around.TaskAt(owner) is not null ? new(null, address, null, waiter) : null;
    }

    /// <summary>The owner of an rt_mutex, without its flag; null if it cannot be read.</summary>
    internal ulong? OwnerOf(ulong address) => around.Memory.TryReadUInt64(unchecked(address + (ulong)_owner), out ulong owner) ? owner & ~1UL : null;
}
