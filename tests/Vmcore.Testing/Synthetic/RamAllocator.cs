namespace Vmcore.Testing;

/// <summary>Hands out RAM that nothing was placed on, for the structures of the synthetic kernel. All in pfns, half-open.</summary>
internal sealed class RamAllocator
{
    private readonly List<(ulong Start, ulong End)> _free = [];
    private ulong _heap, _heapEnd;

    public RamAllocator(IEnumerable<(ulong Start, ulong End)> ram, IEnumerable<(ulong Start, ulong End)> used)
    {
        _free.AddRange(ram);
        foreach ((ulong start, ulong end) in used)
            Remove(start, end);
        _free.Sort();
    }

    /// <summary>Takes <paramref name="count"/> pages: large blocks from the top, single pages from the bottom.</summary>
    public ulong Pages(ulong count, ulong alignment = 1)
    {
        bool fromTop = count > 1;
        for (int n = 0; n < _free.Count; n++)
        {
            (ulong start, ulong end) = _free[fromTop ? _free.Count - 1 - n : n];
            if (end - start < count)
                continue;
            ulong pfn = fromTop ? (end - count) / alignment * alignment : (start + alignment - 1) / alignment * alignment;
            if (pfn < start || pfn + count > end)
                continue;
            Remove(pfn, pfn + count);
            _free.Sort();
            return pfn;
        }

        throw new InvalidOperationException($"The synthetic machine has no {count} free pages of alignment {alignment}: give it more RAM or place less.");
    }

    /// <summary>Takes bytes, 64-byte aligned, at most a page; answers the physical address.</summary>
    public ulong Bytes(int size)
    {
        if (_heap + (ulong)size > _heapEnd)
        {
            _heap = Pages(1) << 12;
            _heapEnd = _heap + 4096;
        }

        ulong address = _heap;
        _heap += ((ulong)size + 63) & ~63ul;
        return address;
    }

    private void Remove(ulong start, ulong end)
    {
        for (int i = _free.Count - 1; i >= 0; i--)
        {
            (ulong s, ulong e) = _free[i];
            if (e <= start || s >= end)
                continue;
            _free.RemoveAt(i);
            if (s < start)
                _free.Add((s, start));
            if (e > end)
                _free.Add((end, e));
        }
    }
}
