using Vmcore.Findings;
using Vmcore.Kernel.Lists;

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
    // fs/dax.c, since 5.1.
    private const int FlagBits = 4;
    private const ulong HugeFlag = 2, ZeroPageFlag = 4, EmptyFlag = 8;
    private const ulong PfnEnd = 1UL << 44;

    internal static IEnumerable<DaxEntry> Over(KernelVfs vfs, ulong array, XArrayLayout layout, int pageShift)
    {
        var outcome = new WalkOutcome();
        foreach (XArrayEntry entry in XArrayWalk.Run(vfs.Memory, array, layout, outcome))
        {
            if (Decode(entry.Index, entry.Entry, pageShift) is { } found)
                yield return found;
        }

        foreach (WalkFault fault in outcome.Faults)
        {
            if (fault.Reason is WalkEnd.Cycle or WalkEnd.Limit)
                vfs.ProblemList.Add(FindingCode.FilesListBroken, $"the page tree of a file at 0x{array:x} is damaged; the rest of it is left out");
            else if (fault.Address != array)
                vfs.ProblemList.Add(FindingCode.FilesListBroken, $"a node of the page tree of a file cannot be read at 0x{fault.Address:x}");
        }
    }

    private static DaxEntry? Decode(ulong index, ulong entry, int pageShift)
    {
        const int HugeShift = 21;
        if ((entry & 1) == 0 || ((entry >> 1) & (ZeroPageFlag | EmptyFlag)) != 0)
            return null;
        ulong value = entry >> 1, pfn = value >> FlagBits;
        ulong pages = (value & HugeFlag) != 0 ? 1UL << (HugeShift - pageShift) : 1;
        return pfn == 0 || pfn >= PfnEnd ? null : new(index & ~(pages - 1), pfn & ~(pages - 1), pages);
    }
}
