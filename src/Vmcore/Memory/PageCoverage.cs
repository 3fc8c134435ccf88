using Vmcore.Ranges;

namespace Vmcore.Memory;

/// <summary>
/// Which pages a dump covers, and of which it has the content: of all of the machine's memory, user data of pmem included. It gives no byte of it.
/// </summary>
/// <remarks>May be asked from several threads at once.</remarks>
public sealed class PageCoverage
{
    private readonly CrashMemory _memory;

    /// <summary>Creates the coverage of a memory.</summary>
    /// <param name="memory">The memory with all that the file has.</param>
    internal PageCoverage(CrashMemory memory) => _memory = memory;

    /// <summary>log2 of the page size in bytes.</summary>
    public int PageShift => _memory.PageShift;

    /// <summary>Page size in bytes.</summary>
    public int PageSize => _memory.PageSize;

    /// <inheritdoc cref="CrashMemory.MaxPfn"/>
    public ulong MaxPfn => _memory.MaxPfn;

    /// <inheritdoc cref="CrashMemory.Extents"/>
    public PfnRangeSet Extents => _memory.Extents;

    /// <inheritdoc cref="CrashMemory.GetPages"/>
    public void GetPages(ulong firstPfn, Span<ulong> exists, Span<ulong> present) => _memory.GetPages(firstPfn, exists, present);

    /// <inheritdoc cref="CrashMemory.ClearLost"/>
    internal void ClearLost(ulong firstPfn, Span<ulong> present) => _memory.ClearLost(firstPfn, present);

    /// <summary>True if the machine had memory at a page, as far as the dump tells.</summary>
    /// <param name="pfn">The page.</param>
    public bool Exists(ulong pfn) => PagesOf(pfn, out _);

    /// <summary>True if the file has the content of a page.</summary>
    /// <param name="pfn">The page.</param>
    public bool Has(ulong pfn)
    {
        PagesOf(pfn, out bool present);
        return present;
    }

    /// <inheritdoc cref="CrashMemory.HasAll"/>
    public bool HasAll(PfnRange range) => _memory.HasAll(range);

    /// <inheritdoc cref="CrashMemory.AbsentUntil"/>
    public ulong AbsentUntil(PfnRange range) => _memory.AbsentUntil(range);

    /// <inheritdoc cref="CrashMemory.ExtentsExist"/>
    internal bool ExtentsExist => _memory.ExtentsExist;

    /// <inheritdoc cref="CrashMemory.HoleUntil"/>
    internal ulong HoleUntil(PfnRange range) => _memory.HoleUntil(range);

    private bool PagesOf(ulong pfn, out bool isPresent)
    {
        Span<ulong> exists = stackalloc ulong[1], present = stackalloc ulong[1];
        _memory.GetPages(pfn & ~63UL, exists, present);
        isPresent = PageBits.Get(present, (int)(pfn & 63));
        return PageBits.Get(exists, (int)(pfn & 63));
    }
}
