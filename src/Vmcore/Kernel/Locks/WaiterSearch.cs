using Vmcore.Architectures;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Locks;

/// <summary>
/// Finds what a task sleeps for. Nothing is taken for a waiter that only looks like one: it names this very task, it lies in the frame of the function that
/// sleeps, it is linked both ways into a list whose other members are waiters of other tasks on their own stacks, and the list belongs to a lock that says
/// itself that it has waiters.
/// </summary>
internal sealed class WaiterSearch
{
    // A waiter is made by the function that sleeps, or by one that calls it: out_of_line_wait_on_bit, then __wait_on_bit, then bit_wait.
    private const int AskedFrames = 4;

    private readonly LockSurroundings _around;
    private readonly IVirtualMemory _memory;
    private readonly List<WaiterLayout> _layouts;
    private readonly List<Dictionary<ulong, WaiterRing>> _rings;
    private readonly int _blockedOn;
    private readonly int _blocker;
    private readonly RtWaiters _rt;
    private readonly Dictionary<ulong, string> _names = [];

    /// <summary>Gets ready.</summary>
    /// <param name="around">What is known of the machine.</param>
    /// <param name="types">The kernel's types.</param>
    internal WaiterSearch(LockSurroundings around, KernelTypes types)
    {
        (_around, _memory) = (around, around.Memory);
        _layouts = WaiterLayout.All(types);
        _rings = _layouts.ConvertAll(static _ => new Dictionary<ulong, WaiterRing>());
        var members = new StructMembers(types);

        // Of 7.1 and later: hints only, what they lead to has to be proven like anything else.
        _blockedOn = members.Optional("task_struct", "blocked_on");
        _blocker = members.Optional("task_struct", "blocker");
        _rt = new(around, members);
    }

    /// <summary>Why a task that waited for a lock by its stack has none: one clause; null if it has, or did not.</summary>
    internal string? Problem { get; private set; }

    /// <summary>Finds it.</summary>
    /// <param name="task">The task.</param>
    /// <param name="stack">Its stack.</param>
    /// <returns>The lock and the waiters that its list has; null if nothing can be proven.</returns>
    internal FoundWait? Find(KernelTask task, TaskStack stack)
    {
        Problem = null;
        if (_rt.Find(task) is { } found)
            return found;
        string? problem = null;
        int asked = 0;
        for (int i = 0; i < stack.Frames.Count && asked < AskedFrames && stack.Frames[i] is { IsReliable: true, Registers: null }; i++)
        {
            SleepSite site = SiteOf(stack.Frames[i]);
            if (site == SleepSite.Scheduler)
                continue;
            asked++;
            foreach (WaiterLayout layout in _layouts)
            {
                if (!IsAsked(layout.Kind, site))
                    continue;
                if (Find(task, stack, i, layout, ref problem) is { } wait)
                    return wait;
            }

            if (site == SleepSite.Any)
                continue;

            // Here it sleeps for a lock: what its callers wait for is not what keeps it.
            Problem = $"what PID {task.Pid} waits for in {NameOf(stack.Frames[i])} cannot be proven: {problem ?? "no waiter of it is on its stack"}";
            return null;
        }

        return null;
    }

    private static bool IsAsked(LockKind kind, SleepSite site) => site switch
    {
        SleepSite.Mutex => kind == LockKind.Mutex,
        SleepSite.ReadWriteSemaphore => kind == LockKind.ReadWriteSemaphore,
        SleepSite.Semaphore => kind == LockKind.Semaphore,
        SleepSite.Completion => kind == LockKind.Completion,
        _ => kind is LockKind.WaitQueue or LockKind.SimpleWaitQueue,
    };

    private SleepSite SiteOf(StackFrame frame) => NameOf(frame) is { } name ? SleepSites.Of(name) : SleepSite.Any;

    private string? NameOf(StackFrame frame)
    {
        if (!_names.TryGetValue(frame.SymbolAddress, out string? name))
            _names.Add(frame.SymbolAddress, name = _around.FunctionAt(frame.SymbolAddress) ?? "");
        return name.Length > 0 ? name : null;
    }

    private FoundWait? Find(KernelTask task, TaskStack stack, int frame, WaiterLayout layout, ref string? problem)
    {
        byte[] bytes = BytesOf(task, stack, frame, out ulong start);
        for (int at = 0; at + 8 <= bytes.Length; at += 8)
        {
            // Every word that names the task may be the one in its waiter.
            if (_memory.Word64(bytes.AsSpan(at)) != task.Address)
                continue;
            ulong waiter = unchecked(start + (ulong)at - (ulong)layout.Task), node = unchecked(waiter + (ulong)layout.Node);
            var ring = new WaiterRing(_around, layout, _rings[_layouts.IndexOf(layout)]);
            if (ring.TaskOf(node) is null || !IsLinked(node, layout))
                continue;
            ring = ring.Around(node);
            if (ring.Problem is { } why)
            {
                problem = why;
                continue;
            }

            ulong? found = layout.Head >= 0 ? ring.Head is { } head ? unchecked(head - (ulong)layout.Head) : null
                : ring.Head is null ? LockOf(task, stack, frame, ring, layout) : null;
            if (found is { } address && SaysItHasWaiters(address, layout))
                return new(layout, address, ring, waiter);
            problem ??= $"the list of waiters at 0x{node:x} is in no lock that has waiters";
        }

        return null;
    }

    // Before a list is walked: a list that a waiter has left may be anything by now. Alone in a list with a head it cannot be.
    private bool IsLinked(ulong node, WaiterLayout layout) =>
        _memory.TryReadUInt64(node, out ulong next) && _memory.TryReadUInt64(unchecked(node + 8), out ulong last)
        && (next != node || layout.Head < 0) && _memory.IsKernelAddress(next) && _memory.IsKernelAddress(last)
        && _memory.TryReadUInt64(unchecked(next + 8), out ulong back) && back == node && _memory.TryReadUInt64(last, out ulong forth) && forth == node;

    // A frame is what lies between its stack pointer and that of its caller. Where it was found by frame records its stack pointer lies below its callee.
    private byte[] BytesOf(KernelTask task, TaskStack stack, int frame, out ulong start, int frames = 1)
    {
        start = stack.Frames[frame].StackPointer & ~7UL;
        int next = frame + frames + (stack.Method == StackMethod.FramePointers ? 1 : 0);
        if (_around.StackOf(task) is not { } own || !own.Contains(start))
            return [];
        ulong end = next < stack.Frames.Count && stack.Frames[next].StackPointer > start && own.Contains(stack.Frames[next].StackPointer)
            ? stack.Frames[next].StackPointer : own.End;
        byte[] bytes = new byte[Math.Min(end - start, _memory.Limits.StackBytes)];
        return _memory.Read(start, bytes) == MemoryStatus.Ok ? bytes : [];
    }

    // A ring without a head: the lock is the one thing that the task has a pointer to, and that points to the first of the ring.
    private ulong? LockOf(KernelTask task, TaskStack stack, int frame, WaiterRing ring, WaiterLayout layout)
    {
        byte[] bytes = BytesOf(task, stack, 0, out _, frame + AskedFrames);
        HashSet<ulong> tried = [];
        ulong? found = null;
        foreach (int hint in (ReadOnlySpan<int>)[_blockedOn, _blocker])
        {
            if (hint >= 0 && _memory.TryReadUInt64(task.Address + (ulong)hint, out ulong word) && !Try(word & ~7UL))
                return null;
        }

        for (int at = 0; at + 8 <= bytes.Length; at += 8)
        {
            if (!Try(_memory.Word64(bytes.AsSpan(at))))
                return null;
        }

        return found;

        // False for a second lock that claims the ring.
        bool Try(ulong candidate)
        {
            if ((candidate & 7) != 0 || !_memory.IsKernelAddress(candidate) || !tried.Add(candidate)
                || !_memory.TryReadUInt64(unchecked(candidate + (ulong)layout.First), out ulong first)
                || !ring.Has(unchecked(first + (ulong)layout.Node)) || !SaysItHasWaiters(candidate, layout))
                return true;
            if (found is not null)
                return false;
            found = candidate;
            return true;
        }
    }

    private bool SaysItHasWaiters(ulong address, WaiterLayout layout)
    {
        const ulong MutexWaiters = 1, SemaphoreWaiters = 2;
        if ((address & 7) != 0 || !_memory.IsKernelAddress(address))
            return false;
        return layout.Kind switch
        {
            LockKind.Mutex => layout.Owner >= 0 && _memory.TryReadUInt64(address + (ulong)layout.Owner, out ulong owner) && (owner & MutexWaiters) != 0,
            LockKind.ReadWriteSemaphore => layout.Owner < 0 || layout.Count < 0
                || (_memory.TryReadUInt64(address + (ulong)layout.Count, out ulong count) && (count & SemaphoreWaiters) != 0),
            LockKind.Semaphore => layout.Count >= 0 && _memory.TryReadUInt32(address + (ulong)layout.Count, out uint free) && free == 0,
            _ => true,
        };
    }
}

/// <summary>A lock that a task was found to wait for.</summary>
/// <param name="layout">How it and its waiters look; null of an rt_mutex.</param>
/// <param name="address">Address of the lock.</param>
/// <param name="ring">Its list; null of an rt_mutex, which has a tree.</param>
/// <param name="waiter">Address of the task's waiter.</param>
internal sealed class FoundWait(WaiterLayout? layout, ulong address, WaiterRing? ring, ulong waiter)
{
    internal WaiterLayout? Layout => layout;

    internal ulong Lock => address;

    internal WaiterRing? Ring => ring;

    internal ulong Waiter => waiter;
}
