using System.Buffers.Binary;

namespace Vmcore.Pmem;

/// <summary>
/// Asks the struct pages whether an info block is that of the namespace that the kernel had there. User data may hold the image of a block, and if the
/// real one is lost, nothing else tells that the image is not it.
/// </summary>
internal static class BlockProof
{
    /// <summary>The words of lru in the first struct page after the reserve, which the kernel links to itself where the memmap is on the pmem.</summary>
    /// <returns>False if it cannot be read: then nothing is proven.</returns>
    internal static bool TryReadLink(ulong at, InfoBlock block, PmemEvidence evidence, out ulong expected, out ulong next, out ulong previous)
    {
        ulong reserve = Math.Max(InfoBlock.Reserve, (ulong)evidence.Memory.PageSize);
        return TryReadLru((at + block.StartPad + reserve) >> evidence.Memory.PageShift, evidence, out expected, out next, out previous);
    }

    /// <summary>True if the struct pages say that no namespace with this block starts there.</summary>
    internal static bool Contradicts(ulong at, InfoBlock block, PmemEvidence evidence)
    {
        // An empty list has one address twice, whichever kernel wrote it; a data page has its mapping and nothing there.
        if (block.Map == PmemMap.Device)
            return TryReadLink(at, block, evidence, out _, out ulong next, out ulong previous) && next != previous;

        // With the memmap in RAM every page names its mapping in the same word, and the page before the first one names another.
        ulong first = (at + block.StartPad) >> evidence.Memory.PageShift;
        return first > 0 && TryReadLru(first, evidence, out _, out ulong own, out _) && TryReadLru(first - 1, evidence, out _, out ulong before, out _)
            && own == before && evidence.Kernel!.Memory.IsKernelAddress(own);
    }

    internal static bool TryReadLru(ulong pfn, PmemEvidence evidence, out ulong expected, out ulong next, out ulong previous)
    {
        expected = next = previous = 0;
        if (evidence.Memmap is not { } memmap || evidence.Kernel?.VmcoreInfo.Offset("page.lru") is not { } lru)
            return false;
        int size = memmap.StructPageSize;
        Span<byte> pages = stackalloc byte[2 * 256];
        if (lru + 16 > size || !memmap.Model.TryGetStructPage(pfn, out ulong address, out _) || !memmap.TryReadPair(pfn, pages[..(2 * size)]))
            return false;
        expected = address + (ulong)lru;
        next = BinaryPrimitives.ReadUInt64LittleEndian(pages[lru..]);
        previous = BinaryPrimitives.ReadUInt64LittleEndian(pages[(lru + 8)..]);
        return true;
    }
}
