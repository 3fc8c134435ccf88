using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Erasing;

/// <summary>Memory in which what is erased reads as erased: whoever writes a dump from it, in whatever format, writes nothing else.</summary>
internal sealed class ErasedMemory : CrashMemory
{
    private readonly CrashMemory _inner;
    private readonly ErasedData _data;

    /// <summary>Creates the memory.</summary>
    /// <param name="inner">The memory below.</param>
    /// <param name="data">What is erased; nothing may be added any more.</param>
    public ErasedMemory(CrashMemory inner, ErasedData data)
        : base(inner.PageShift, inner.Limits)
    {
        _inner = inner;
        _data = data;
        data.Sort();
    }

    /// <inheritdoc/>
    public override ulong MaxPfn => _inner.MaxPfn;

    /// <inheritdoc/>
    public override PfnRangeSet Extents => _inner.Extents;

    /// <inheritdoc/>
    public override void GetPages(ulong firstPfn, Span<ulong> exists, Span<ulong> present) => _inner.GetPages(firstPfn, exists, present);

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
        // Also of a page that could be read only in part.
        _data.Apply(pfn << PageShift, page);
        return status;
    }

    /// <inheritdoc/>
    public override int ReadPages(ulong pfn, Span<byte> pages)
    {
        int read = _inner.ReadPages(pfn, pages);
        _data.Apply(pfn << PageShift, pages);
        return read;
    }

    /// <inheritdoc/>
    public override MemoryStatus Read(ulong address, Span<byte> buffer)
    {
        MemoryStatus status = _inner.Read(address, buffer);
        _data.Apply(address, buffer);
        return status;
    }
}
