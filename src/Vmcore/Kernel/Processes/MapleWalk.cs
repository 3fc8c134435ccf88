using System.Buffers.Binary;
using Vmcore.Kernel.Lists;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Processes;

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

/// <summary>Walks a maple tree, which holds the mappings of a process since 6.1.</summary>
internal static class MapleWalk
{
    private const int MaxNodes = 1 << 18;
    private const int MaxDepth = 32;

    // Types of node, in bits 3 to 6 of the pointer to one.
    private const int LeafRange = 1, Range = 2, GapRange = 3;

    internal static IEnumerable<ulong> Entries(IVirtualMemory memory, ulong root, MapleLayout layout, ProblemList problems)
    {
        if (!memory.TryReadUInt64(root, out ulong entry) || entry == 0)
            yield break;
        if (!IsNode(memory, entry))
        {
            if ((entry & 3) == 0)
                yield return entry;
            yield break;
        }

        var seen = new HashSet<ulong>();
        var pending = new Stack<(ulong Node, ulong Max, int Depth)>();
        pending.Push((entry, ulong.MaxValue, 0));
        byte[] node = new byte[Math.Max(layout.RangeSlots + (8 * layout.RangeSlotCount), layout.GapSlots + (8 * layout.GapSlotCount))];
        while (pending.TryPop(out (ulong Node, ulong Max, int Depth) at))
        {
            int type = (int)(at.Node >> 3) & 15;
            if (!seen.Add(at.Node) || seen.Count > MaxNodes || at.Depth > MaxDepth || type is not (LeafRange or Range or GapRange)
                || memory.Read(at.Node & ~0xffUL, node) != MemoryStatus.Ok)
            {
                problems.Add($"a node in the tree of a process's mappings is damaged or cannot be read at 0x{at.Node & ~0xffUL:x}");
                continue;
            }

            bool isGap = type == GapRange;
            int slots = isGap ? layout.GapSlotCount : layout.RangeSlotCount,
                pivotsAt = isGap ? layout.GapPivots : layout.RangePivots, slotsAt = isGap ? layout.GapSlots : layout.RangeSlots;
            int used = Used(node.AsSpan(pivotsAt, 8 * (slots - 1)), at.Max, slots);
            if (type == LeafRange)
            {
                for (int i = 0; i < used; i++)
                {
                    ulong area = Word(node, slotsAt, i);
                    if (memory.IsKernelAddress(area) && (area & 3) == 0)
                        yield return area;
                }

                continue;
            }

            for (int i = used - 1; i >= 0; i--)
            {
                ulong child = Word(node, slotsAt, i);

                // Only the root is tagged as a node; below it the type of the parent says what a slot holds.
                if (memory.IsKernelAddress(child))
                    pending.Push((child, i < slots - 1 && Word(node, pivotsAt, i) is var pivot and not 0 ? Math.Min(pivot, at.Max) : at.Max, at.Depth + 1));
            }
        }
    }

    // A pivot of zero, or that of the node's end, closes the used part: behind it may be anything, the last slot's place included.
    private static int Used(ReadOnlySpan<byte> pivots, ulong max, int slots)
    {
        for (int i = 0; i < slots - 1; i++)
        {
            ulong pivot = BinaryPrimitives.ReadUInt64LittleEndian(pivots[(8 * i)..]);
            if (pivot >= max || (pivot == 0 && i > 0))
                return i + 1;
        }

        return slots;
    }

    private static ulong Word(byte[] node, int at, int index) => BinaryPrimitives.ReadUInt64LittleEndian(node.AsSpan(at + (8 * index)));

    private static bool IsNode(IVirtualMemory memory, ulong entry) => (entry & 3) == 2 && memory.IsKernelAddress(entry);
}
