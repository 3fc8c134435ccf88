using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Lists;

/// <summary>Where a red-black tree's node has its children, in bytes.</summary>
/// <param name="Left">Offset of rb_left.</param>
/// <param name="Right">Offset of rb_right.</param>
internal readonly record struct RedBlackLayout(int Left, int Right)
{
    /// <summary>The layout by the kernel's types.</summary>
    internal static RedBlackLayout From(KernelTypes types) =>
        new(types.MemberOffset("rb_node", "rb_left") ?? 16, types.MemberOffset("rb_node", "rb_right") ?? 8);
}

/// <summary>Walks a red-black tree (<c>struct rb_root</c>).</summary>
internal static class RedBlackWalk
{
    // A red-black tree of 2^40 nodes is no deeper.
    private const int DeepestTree = 96;

    /// <summary>The addresses of the nodes, in order. A node whose left child cannot be read is given without it.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="root">Address of the <c>rb_root</c>.</param>
    /// <param name="layout">Where a node has its children.</param>
    /// <param name="limit">Most nodes.</param>
    /// <param name="outcome">Receives why it ended, and which branches are missing.</param>
    internal static IEnumerable<ulong> Run(IVirtualMemory memory, ulong root, RedBlackLayout layout, int limit, WalkOutcome outcome)
    {
        outcome.Start();
        if (!memory.TryReadUInt64(root, out ulong node))
            outcome.Fail(WalkEnd.Unreadable, root);
        var seen = new HashSet<ulong>();
        var path = new Stack<ulong>();
        while (node != 0 || path.Count > 0)
        {
            while (node != 0)
            {
                WalkEnd fault = !seen.Add(node) ? WalkEnd.Cycle : seen.Count > limit ? WalkEnd.Limit
                    : path.Count > DeepestTree ? WalkEnd.Damaged : WalkEnd.Complete;
                if (fault != WalkEnd.Complete)
                {
                    outcome.Fail(fault, node);
                    outcome.Finish();
                    yield break;
                }

                path.Push(node);
                node = Child(memory, node, layout.Left, outcome);
            }

            ulong current = path.Pop();
            outcome.Add();
            yield return current;
            node = Child(memory, current, layout.Right, outcome);
        }

        outcome.Finish();
    }

    private static ulong Child(IVirtualMemory memory, ulong node, int offset, WalkOutcome outcome)
    {
        if (!memory.TryReadUInt64(unchecked(node + (ulong)offset), out ulong child))
            outcome.Fail(WalkEnd.Unreadable, node);
        return child;
    }
}
