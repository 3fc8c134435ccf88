using Vmcore.Memory;

namespace Vmcore.Kernel.Vfs;

/// <summary>Pages of a file that the kernel has mapped directly (DAX).</summary>
/// <param name="Index">First page of the file.</param>
/// <param name="Pfn">The page of pmem that it is.</param>
/// <param name="Pages">Number of neighbouring pages, 1 or more.</param>
public readonly record struct DaxEntry(ulong Index, ulong Pfn, ulong Pages);

/// <summary>
/// Walks the XArray in which a DAX file keeps, by page of the file, the pfn on the media. Entries stay after an unmap until the file is truncated or evicted;
/// they are the only trace of who shares a reflinked extent.
/// </summary>
internal static class DaxEntryWalk
{
    private const int MaxNodes = 1 << 20;

    // 64 slots a node: eleven levels hold every index.
    private const int MaxLevels = 11;

    // fs/dax.c, since 5.1.
    private const int FlagBits = 4;
    private const ulong HugeFlag = 2, ZeroPageFlag = 4, EmptyFlag = 8;
    private const ulong MaxPfn = 1UL << 44;

    internal static IEnumerable<DaxEntry> Over(KernelVfs vfs, ulong array, int pageShift)
    {
        VfsLayout layout = vfs.Layout;
        if (!vfs.Memory.TryReadUInt64(array + (ulong)layout.ArrayHead, out ulong head) || head == 0)
            yield break;
        if (!IsNode(vfs, head))
        {
            if (Decode(0, head, pageShift) is { } only)
                yield return only;
            yield break;
        }

        int slotShift = System.Numerics.BitOperations.Log2((uint)layout.NodeSlotCount), budget = MaxNodes;
        var seen = new HashSet<ulong>();
        var pending = new Stack<(ulong Node, ulong Index, int Shift)>();
        byte[] slots = new byte[8 * layout.NodeSlotCount];
        pending.Push((head & ~3UL, 0, -1));
        while (pending.TryPop(out (ulong Node, ulong Index, int Shift) at))
        {
            if (budget-- == 0 || !seen.Add(at.Node))
            {
                vfs.ProblemList.Add($"the page tree of a file at 0x{array:x} is damaged; the rest of it is left out");
                yield break;
            }

            // The head does not tell its height, only its node does.
            if (!TryReadShift(vfs, at.Node, out int shift) || (at.Shift >= 0 && shift != at.Shift) || shift % slotShift != 0 || shift >= MaxLevels * slotShift
                || vfs.Memory.Read(at.Node + (ulong)layout.NodeSlots, slots) != MemoryStatus.Ok)
            {
                vfs.ProblemList.Add($"a node of the page tree of a file cannot be read at 0x{at.Node:x}");
                continue;
            }

            for (int i = layout.NodeSlotCount - 1; i >= 0; i--)
            {
                ulong entry = BitConverter.ToUInt64(slots, 8 * i), index = at.Index + ((ulong)i << shift);
                if (IsNode(vfs, entry))
                {
                    if (shift >= slotShift)
                        pending.Push((entry & ~3UL, index, shift - slotShift));
                }
                else if (Decode(index, entry, pageShift) is { } found)
                {
                    yield return found;
                }
            }
        }
    }

    // Tagged 2, and no small number: those are siblings of an entry that spans several slots.
    private static bool IsNode(KernelVfs vfs, ulong entry) => (entry & 3) == 2 && vfs.Memory.IsKernelAddress(entry);

    private static bool TryReadShift(KernelVfs vfs, ulong node, out int shift)
    {
        Span<byte> value = stackalloc byte[1];
        bool ok = vfs.Memory.Read(node + (ulong)vfs.Layout.NodeShift, value) == MemoryStatus.Ok;
        shift = value[0];
        return ok;
    }

    private static DaxEntry? Decode(ulong index, ulong entry, int pageShift)
    {
        const int HugeShift = 21;
        if ((entry & 1) == 0 || ((entry >> 1) & (ZeroPageFlag | EmptyFlag)) != 0)
            return null;
        ulong value = entry >> 1, pfn = value >> FlagBits;
        ulong pages = (value & HugeFlag) != 0 ? 1UL << (HugeShift - pageShift) : 1;
        return pfn == 0 || pfn >= MaxPfn ? null : new(index & ~(pages - 1), pfn & ~(pages - 1), pages);
    }
}
