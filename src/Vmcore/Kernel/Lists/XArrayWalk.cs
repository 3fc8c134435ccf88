using System.Numerics;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Lists;

/// <summary>Where an XArray and its nodes have what is read of them, in bytes.</summary>
/// <param name="Head">Offset of xa_head in struct xarray.</param>
/// <param name="Shift">Offset of shift in struct xa_node.</param>
/// <param name="Slots">Offset of slots in struct xa_node.</param>
/// <param name="SlotCount">Slots of a node: 64, or 16 where the kernel is built to be small.</param>
internal sealed record XArrayLayout(int Head, int Shift, int Slots, int SlotCount)
{
    /// <summary>The layout by the kernel's types; null if they do not have it.</summary>
    internal static XArrayLayout? From(StructMembers members)
    {
        int head = members.Optional("xarray", "xa_head"), shift = members.Optional("xa_node", "shift"), slots = members.Optional("xa_node", "slots");
        if (head < 0 || shift < 0 || slots < 0)
            return null;

        // Above the slots are the marks: one bit for each slot, three times.
        int afterSlots = members.Optional("xa_node", "tags", "marks");
        return new(head, shift, slots, afterSlots > slots && (afterSlots - slots) / 8 is 16 or 64 ? (afterSlots - slots) / 8 : 64);
    }
}

/// <summary>An entry of an XArray.</summary>
/// <param name="Index">Its index; of an entry that spans several the first.</param>
/// <param name="Entry">What is in the slot, with its tag.</param>
internal readonly record struct XArrayEntry(ulong Index, ulong Entry);

/// <summary>Walks an XArray (lib/xarray.c).</summary>
internal static class XArrayWalk
{
    // 64 slots a node: eleven levels hold every index.
    private const int Levels = 11;

    /// <summary>The entries that are neither empty nor nodes nor siblings of another, by ascending index.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="array">Address of the <c>struct xarray</c>.</param>
    /// <param name="layout">Where nodes have their slots.</param>
    /// <param name="outcome">Receives which branches are missing, and why. A node that is met twice ends the walk.</param>
    internal static IEnumerable<XArrayEntry> Run(IVirtualMemory memory, ulong array, XArrayLayout layout, WalkOutcome outcome)
    {
        outcome.Start();
        int slotShift = BitOperations.Log2((uint)layout.SlotCount), budget = memory.Limits.XArrayNodes;
        var seen = new HashSet<ulong>();
        var frames = new Stack<Frame>();
        ulong pending = 0;
        if (!memory.TryReadUInt64(unchecked(array + (ulong)layout.Head), out ulong head))
        {
            outcome.Fail(WalkEnd.Unreadable, array);
        }
        else if (TaggedPointer.IsNode(memory, head))
        {
            pending = head;
        }
        else if (head != 0)
        {
            outcome.Add();
            yield return new(0, head);
        }

        ulong index = 0;
        while (pending != 0 || frames.Count > 0)
        {
            if (pending != 0)
            {
                ulong node = pending & ~3UL;
                pending = 0;
                WalkEnd fault = budget-- == 0 ? WalkEnd.Limit : seen.Add(node) ? WalkEnd.Complete : WalkEnd.Cycle;
                if (fault != WalkEnd.Complete)
                {
                    outcome.Fail(fault, node);
                    break;
                }

                // The head does not tell its height, only its node does.
                var frame = new Frame(new byte[8 * layout.SlotCount], index);
                fault = frame.Read(memory, node, layout);
                if (fault == WalkEnd.Complete && ((frames.Count > 0 && frame.Shift != frames.Peek().Shift - slotShift)
                    || frame.Shift % slotShift != 0 || frame.Shift >= Levels * slotShift))
                    fault = WalkEnd.Damaged;
                if (fault == WalkEnd.Complete)
                    frames.Push(frame);
                else
                    outcome.Fail(fault, node);
                continue;
            }

            Frame at = frames.Peek();
            if (at.Next == layout.SlotCount)
            {
                frames.Pop();
                continue;
            }

            index = at.Index + ((ulong)at.Next << at.Shift);
            ulong entry = memory.Word64(at.Slots.AsSpan(8 * at.Next++));
            if (TaggedPointer.IsNode(memory, entry))
            {
                // Below the lowest level there are no nodes: what looks like one is damage.
                if (at.Shift >= slotShift)
                    pending = entry;
                else
                    outcome.Fail(WalkEnd.Damaged, entry & ~3UL);
            }
            else if (entry != 0 && (entry & 3) != 2)
            {
                outcome.Add();
                yield return new(index, entry);
            }
        }

        outcome.Finish();
    }

    // One node on the way down.
    private sealed class Frame(byte[] slots, ulong index)
    {
        internal byte[] Slots => slots;

        internal ulong Index => index;

        internal int Shift { get; private set; }

        internal int Next { get; set; }

        internal WalkEnd Read(IVirtualMemory memory, ulong node, XArrayLayout layout)
        {
            bool ok = memory.TryReadByte(unchecked(node + (ulong)layout.Shift), out byte shift)
                && memory.Read(unchecked(node + (ulong)layout.Slots), slots) == MemoryStatus.Ok;
            Shift = shift;
            return ok ? WalkEnd.Complete : WalkEnd.Unreadable;
        }
    }
}
