using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Lists;

/// <summary>Where the nodes of a maple tree have their pivots and slots, in bytes.</summary>
internal sealed class MapleLayout
{
    internal MapleLayout(StructMembers members)
    {
        RangePivots = members.Required("maple_range_64", "pivot");
        RangeSlots = members.Required("maple_range_64", "slot");
        GapPivots = members.Required("maple_arange_64", "pivot");
        GapSlots = members.Required("maple_arange_64", "slot");
        int gaps = members.Required("maple_arange_64", "gap");
        RangeSlotCount = ((RangeSlots - RangePivots) / 8) + 1;
        GapSlotCount = ((GapSlots - GapPivots) / 8) + 1;
        if (RangeSlotCount is < 2 or > 64 || GapSlotCount is < 2 or > 64 || gaps <= GapSlots)
            throw new MissingInformationException(
                $"the kernel's types say that nodes of a maple tree have {RangeSlotCount} and {GapSlotCount} slots, which is impossible");
    }

    internal int RangePivots { get; }

    internal int RangeSlots { get; }

    internal int RangeSlotCount { get; }

    internal int GapPivots { get; }

    internal int GapSlots { get; }

    internal int GapSlotCount { get; }
}

/// <summary>Walks a maple tree (lib/maple_tree.c), which holds the mappings of a process since 6.1.</summary>
internal static class MapleWalk
{
    // Types of node, in bits 3 to 6 of the pointer to one.
    private const int LeafRange = 1, Range = 2, GapRange = 3;

    /// <summary>The pointers that a tree holds, by ascending index; numbers and empty ranges are passed over.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="root">Address of the tree's <c>ma_root</c>.</param>
    /// <param name="layout">Where a node has its pivots and slots.</param>
    /// <param name="outcome">Receives which branches are missing, and why.</param>
    internal static IEnumerable<ulong> Run(IVirtualMemory memory, ulong root, MapleLayout layout, WalkOutcome outcome)
    {
        outcome.Start();
        var pending = new Stack<(ulong Node, ulong Max, int Depth)>();
        if (!memory.TryReadUInt64(root, out ulong entry))
        {
            outcome.Fail(WalkEnd.Unreadable, root);
        }
        else if (TaggedPointer.IsNode(memory, entry))
        {
            pending.Push((entry, ulong.MaxValue, 0));
        }
        else if (entry != 0 && (entry & 3) == 0)
        {
            outcome.Add();
            yield return entry;
        }

        var seen = new HashSet<ulong>();
        byte[] node = new byte[Math.Max(layout.RangeSlots + (8 * layout.RangeSlotCount), layout.GapSlots + (8 * layout.GapSlotCount))];
        while (pending.TryPop(out (ulong Node, ulong Max, int Depth) at))
        {
            int type = (int)(at.Node >> 3) & 15;
            ulong address = at.Node & ~0xffUL;
            WalkEnd fault = !seen.Add(at.Node) ? WalkEnd.Cycle : seen.Count > memory.Limits.MapleNodes ? WalkEnd.Limit
                : at.Depth > memory.Limits.MapleDepth || type is not (LeafRange or Range or GapRange) ? WalkEnd.Damaged
                : memory.Read(address, node) != MemoryStatus.Ok ? WalkEnd.Unreadable : WalkEnd.Complete;
            if (fault != WalkEnd.Complete)
            {
                outcome.Fail(fault, address);
                if (fault == WalkEnd.Limit)
                    break;
                continue;
            }

            bool isGap = type == GapRange;
            int slots = isGap ? layout.GapSlotCount : layout.RangeSlotCount,
                pivotsAt = isGap ? layout.GapPivots : layout.RangePivots, slotsAt = isGap ? layout.GapSlots : layout.RangeSlots;
            int used = Used(memory, node.AsSpan(pivotsAt, 8 * (slots - 1)), at.Max, slots);
            if (type == LeafRange)
            {
                for (int i = 0; i < used; i++)
                {
                    ulong area = Word(memory, node, slotsAt, i);
                    if (!memory.IsKernelAddress(area) || (area & 3) != 0)
                        continue;
                    outcome.Add();
                    yield return area;
                }

                continue;
            }

            for (int i = used - 1; i >= 0; i--)
            {
                ulong child = Word(memory, node, slotsAt, i);

                // Only the root is tagged as a node; below it the type of the parent says what a slot holds.
                if (memory.IsKernelAddress(child))
                {
                    ulong pivot = i < slots - 1 ? Word(memory, node, pivotsAt, i) : 0;
                    pending.Push((child, pivot != 0 ? Math.Min(pivot, at.Max) : at.Max, at.Depth + 1));
                }
            }
        }

        outcome.Finish();
    }

    // A pivot of zero, or that of the node's end, closes the used part: behind it may be anything, the last slot's place included.
    private static int Used(IVirtualMemory memory, ReadOnlySpan<byte> pivots, ulong max, int slots)
    {
        for (int i = 0; i < slots - 1; i++)
        {
            ulong pivot = memory.Word64(pivots[(8 * i)..]);
            if (pivot >= max || (pivot == 0 && i > 0))
                return i + 1;
        }

        return slots;
    }

    private static ulong Word(IVirtualMemory memory, byte[] node, int at, int index) => memory.Word64(node.AsSpan(at + (8 * index)));
}
