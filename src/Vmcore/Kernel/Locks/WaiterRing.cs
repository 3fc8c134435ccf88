using Vmcore.Kernel.Lists;
using Vmcore.Kernel.Tasks;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Kernel.Locks;

/// <summary>The list that a waiter is linked into, proven link by link.</summary>
/// <param name="around">What is known of the machine.</param>
/// <param name="layout">How waiters look.</param>
/// <param name="known">The rings that were walked before, by the links in them: each link is walked once, however many tasks are in one list.</param>
internal sealed class WaiterRing(LockSurroundings around, WaiterLayout layout, Dictionary<ulong, WaiterRing> known)
{
    private readonly List<ulong> _nodes = [];

    /// <summary>The links of the waiters, from the head on; with no head from this one on.</summary>
    internal IReadOnlyList<ulong> Nodes => _nodes;

    /// <summary>Address of the list's head; null if all nodes are waiters.</summary>
    internal ulong? Head { get; private set; }

    /// <summary>Why the list proves nothing, as one clause; null if it does.</summary>
    internal string? Problem { get; private set; }

    /// <summary>The list around a waiter.</summary>
    /// <param name="node">Address of its link.</param>
    internal WaiterRing Around(ulong node)
    {
        if (known.TryGetValue(node, out WaiterRing? walked))
            return walked;
        Problem = Walk(node);
        foreach (ulong at in _nodes)
            known[at] = this;
        return this;
    }

    /// <summary>Tells whether an address is that of a link in this list.</summary>
    internal bool Has(ulong node) => known.GetValueOrDefault(node) == this;

    private string? Walk(ulong node)
    {
        IVirtualMemory memory = around.Memory;
        var outcome = new WalkOutcome();
        int headAt = -1;
        ulong last = node;
        if (!IsWaiter(node))
            return $"at 0x{node:x} is no waiter";
        _nodes.Add(node);
        foreach (ulong at in ListWalk.Circular(memory, node, memory.Limits.LockWaiters, outcome))
        {
            if (!memory.TryReadUInt64(unchecked(at + 8), out ulong back) || back != last)
                return $"the list of waiters at 0x{node:x} does not lead back from 0x{at:x}";
            if (known.TryGetValue(at, out WaiterRing? other))
                return other.Problem ?? $"the list of waiters at 0x{node:x} leads into another at 0x{at:x}";
            last = at;
            if (IsWaiter(at))
            {
                _nodes.Add(at);
                continue;
            }

            if (Head is not null)
                return $"the list of waiters at 0x{node:x} has at 0x{at:x} what is no waiter";
            (Head, headAt) = (at, _nodes.Count);
        }

        if (WalkText.OfList(outcome, node, memory.Limits.LockWaiters) is { } problem)
            return problem;
        if (!memory.TryReadUInt64(unchecked(node + 8), out ulong closing) || closing != last)
            return $"the list of waiters at 0x{node:x} does not lead back from there";
        if (headAt > 0)
        {
            List<ulong> before = _nodes.GetRange(0, headAt);
            _nodes.RemoveRange(0, headAt);
            _nodes.AddRange(before);
        }

        return null;
    }

    /// <summary>The task that a waiter is of: one of the list, on whose stack the waiter lies.</summary>
    /// <param name="node">Address of its link.</param>
    internal KernelTask? TaskOf(ulong node) =>
        around.Memory.TryReadUInt64(unchecked(node - (ulong)layout.Node + (ulong)layout.Task), out ulong address)
        && around.TaskAt(address) is { } task && around.StackOf(task) is { } stack && stack.Contains(node) ? task : null;

    // What waits in a wait queue need not be a task (epoll, poll): its function tells it from the head, which has a spinlock there.
    private bool IsWaiter(ulong node) => layout.Function < 0 ? TaskOf(node) is not null
        : around.Memory.TryReadUInt64(unchecked(node - (ulong)layout.Node + (ulong)layout.Function), out ulong function) && around.IsCode(function);
}

/// <summary>What locks are looked for with.</summary>
internal sealed class LockSurroundings
{
    /// <summary>The kernel's memory.</summary>
    internal required IVirtualMemory Memory { get; init; }

    /// <summary>The task at an address; null if there is none.</summary>
    internal required Func<ulong, KernelTask?> TaskAt { get; init; }

    /// <summary>The stack of a task; null if it is not known.</summary>
    internal required Func<KernelTask, VirtualRange?> StackOf { get; init; }

    /// <summary>Tells whether an address lies in code.</summary>
    internal required Func<ulong, bool> IsCode { get; init; }

    /// <summary>The name of the function that an address is in; null if it is in none.</summary>
    internal required Func<ulong, string?> FunctionAt { get; init; }

    /// <summary>Tells whether the first task was made when the second had gone to sleep for the last time; false if that is not certain.</summary>
    internal required Func<KernelTask, KernelTask, bool> IsYounger { get; init; }
}
