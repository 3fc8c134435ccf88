using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Lists;

/// <summary>Walks over the kernel's lists and trees. No pointer is trusted: each walk ends at a cycle, at what cannot be read, and at a limit.</summary>
internal static class StructureWalk
{
    // A red-black tree of 2^40 nodes is no deeper.
    private const int MaxTreeDepth = 96;

    /// <summary>The addresses of the <c>list_head</c>s in a circular list, the head itself not among them.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="head">Address of the head.</param>
    /// <param name="limit">Most entries.</param>
    /// <param name="what">What the list is of, for the problem.</param>
    /// <param name="problems">Receives why the list ended early.</param>
    internal static IReadOnlyList<ulong> Circular(IVirtualMemory memory, ulong head, int limit, string what, ProblemList problems)
    {
        List<ulong> entries = ListWalk.Run(memory, head, limit, out string? problem);
        if (problem is not null)
            problems.Add($"{what}: {problem}; {entries.Count} entries were found");
        return entries;
    }

    /// <summary>The addresses of the nodes in an <c>hlist</c>.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="head">Address of the <c>hlist_head</c>.</param>
    /// <param name="limit">Most nodes.</param>
    internal static IEnumerable<ulong> Hashed(IVirtualMemory memory, ulong head, int limit)
    {
        var seen = new HashSet<ulong>();
        while (seen.Count < limit && memory.TryReadUInt64(head, out ulong next) && next != 0 && seen.Add(next))
        {
            yield return next;
            head = next;
        }
    }

    /// <summary>The addresses of the nodes in a red-black tree, in order.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="root">Address of the <c>rb_root</c>.</param>
    /// <param name="layout">Where a node has its children.</param>
    /// <param name="limit">Most nodes.</param>
    /// <param name="what">What the tree is of, for the problem.</param>
    /// <param name="problems">Receives why the tree ended early.</param>
    internal static IEnumerable<ulong> RedBlack(IVirtualMemory memory, ulong root, RedBlackLayout layout, int limit, string what, ProblemList problems)
    {
        if (!memory.TryReadUInt64(root, out ulong node))
        {
            problems.Add($"the tree of {what} cannot be read at 0x{root:x}");
            yield break;
        }

        var seen = new HashSet<ulong>();
        var path = new Stack<ulong>();
        while (node != 0 || path.Count > 0)
        {
            while (node != 0)
            {
                if (!seen.Add(node) || seen.Count > limit || path.Count > MaxTreeDepth)
                {
                    problems.Add($"the tree of {what} is damaged at 0x{node:x}, or has more than {limit} nodes; the rest is left out");
                    yield break;
                }

                path.Push(node);
                if (!memory.TryReadUInt64(node + (ulong)layout.Left, out node))
                {
                    problems.Add($"a node in the tree of {what} cannot be read at 0x{path.Peek():x}");
                    node = 0;
                }
            }

            ulong current = path.Pop();
            yield return current;
            memory.TryReadUInt64(current + (ulong)layout.Right, out node);
        }
    }
}

/// <summary>Where a red-black tree's node has its children, in bytes.</summary>
/// <param name="Left">Offset of rb_left.</param>
/// <param name="Right">Offset of rb_right.</param>
internal readonly record struct RedBlackLayout(int Left, int Right)
{
    /// <summary>The layout by the kernel's types.</summary>
    internal static RedBlackLayout From(KernelTypes types) =>
        new(types.MemberOffset("rb_node", "rb_left") ?? 16, types.MemberOffset("rb_node", "rb_right") ?? 8);
}

/// <summary>What went wrong in walks, as sentences. Bounded: a damaged machine could give one for each of a million objects.</summary>
internal sealed class ProblemList
{
    private const int Most = 100;

    private readonly List<string> _texts = [];

    /// <summary>The sentences.</summary>
    internal IReadOnlyList<string> Texts => _texts;

    /// <summary>Adds a sentence, once.</summary>
    internal void Add(string text)
    {
        lock (_texts)
        {
            if (_texts.Count < Most && !_texts.Contains(text))
                _texts.Add(text);
        }
    }
}
