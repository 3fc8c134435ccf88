using Vmcore.IO;
using Vmcore.Ranges;

namespace Vmcore.Memory;

/// <summary>
/// A memory that remembers where it was read. What is read before it is known what of the memory is user data of pmem can be judged afterwards.
/// </summary>
/// <param name="inner">The memory below.</param>
/// <param name="pageShift">log2 of its page size.</param>
internal sealed class WatchedMemory(IPhysicalMemory inner, int pageShift) : IPhysicalMemory
{
    private readonly HashSet<ulong> _pages = [];
    private readonly Lock _lock = new();
    private bool _isFull;

    /// <inheritdoc/>
    public ReadLimits Limits => inner.Limits;

    /// <inheritdoc/>
    public MemoryStatus Read(ulong address, Span<byte> buffer)
    {
        MemoryStatus status = inner.Read(address, buffer);
        if (status == MemoryStatus.Ok && buffer.Length > 0)
            Note(address >> pageShift, (address + (ulong)buffer.Length - 1) >> pageShift);
        return status;
    }

    /// <summary>True if a page of a set was read, or if more pages were read than are remembered, so that one of the set may be among them.</summary>
    internal bool HasRead(PfnRangeSet set)
    {
        lock (_lock)
            return !set.IsEmpty && (_isFull || _pages.Any(set.Contains));
    }

    private void Note(ulong first, ulong last)
    {
        lock (_lock)
        {
            for (ulong pfn = first; pfn <= last && !_isFull; pfn++)
            {
                _pages.Add(pfn);
                _isFull = _pages.Count >= Limits.WatchedPages;
            }
        }
    }
}
