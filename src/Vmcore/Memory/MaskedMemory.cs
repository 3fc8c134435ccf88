using Vmcore.Ranges;

namespace Vmcore.Memory;

/// <summary>A memory of which some bytes read as zero: those that must not get into a dump although their page does.</summary>
internal sealed class MaskedMemory : CrashMemory
{
    private readonly CrashMemory _inner;
    private readonly PhysicalRange[] _masked;
    private readonly PhysicalRange _all;

    /// <summary>Creates the memory.</summary>
    /// <param name="inner">The memory below.</param>
    /// <param name="masked">The bytes that read as zero; a few ranges.</param>
    public MaskedMemory(CrashMemory inner, IEnumerable<PhysicalRange> masked)
        : base(inner.PageShift, inner.Limits)
    {
        _inner = inner;
        _masked = [.. masked.Where(m => !m.IsEmpty)];
        _all = _masked.Length == 0 ? default : new(_masked.Min(m => m.Start), _masked.Max(m => m.End));
    }

    /// <inheritdoc/>
    public override ulong MaxPfn => _inner.MaxPfn;

    /// <inheritdoc/>
    public override PfnRangeSet Extents => _inner.Extents;

    /// <inheritdoc/>
    public override void GetPages(ulong firstPfn, Span<ulong> exists, Span<ulong> present) => _inner.GetPages(firstPfn, exists, present);

    /// <inheritdoc/>
    public override bool HasAll(PfnRange range) => _inner.HasAll(range);

    /// <inheritdoc/>
    public override ulong AbsentUntil(PfnRange range) => _inner.AbsentUntil(range);

    /// <inheritdoc/>
    internal override bool ExtentsExist => _inner.ExtentsExist;

    /// <inheritdoc/>
    internal override ulong HoleUntil(PfnRange range) => _inner.HoleUntil(range);

    /// <inheritdoc/>
    public override MemoryStatus ReadPage(ulong pfn, Span<byte> page)
    {
        MemoryStatus status = _inner.ReadPage(pfn, page);
        Mask(pfn << PageShift, page);
        return status;
    }

    /// <inheritdoc/>
    public override int ReadPages(ulong pfn, Span<byte> pages)
    {
        int read = _inner.ReadPages(pfn, pages);
        Mask(pfn << PageShift, pages[..(read << PageShift)]);
        return read;
    }

    /// <inheritdoc/>
    public override MemoryStatus Read(ulong address, Span<byte> buffer)
    {
        MemoryStatus status = _inner.Read(address, buffer);
        Mask(address, buffer);
        return status;
    }

    private void Mask(ulong address, Span<byte> bytes)
    {
        var range = new PhysicalRange(address, address + (ulong)bytes.Length);
        if (range.Intersect(_all).IsEmpty)
            return;
        foreach (PhysicalRange masked in _masked)
        {
            PhysicalRange part = range.Intersect(masked);
            if (!part.IsEmpty)
                bytes[(int)(part.Start - address)..(int)(part.End - address)].Clear();
        }
    }
}
