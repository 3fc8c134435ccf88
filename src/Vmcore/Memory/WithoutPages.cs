using Vmcore.Ranges;

namespace Vmcore.Memory;

/// <summary>A memory in which pages with user data of pmem are as if a filter had left them out; whoever reads there is told why.</summary>
internal sealed class WithoutPages : CrashMemory
{
    private readonly CrashMemory _inner;
    private readonly PfnRangeSet _hidden;

    /// <summary>Creates the memory.</summary>
    /// <param name="inner">The memory below.</param>
    /// <param name="hidden">The pages that are not to be read.</param>
    public WithoutPages(CrashMemory inner, PfnRangeSet hidden)
        : base(inner.PageShift, inner.Limits)
    {
        _inner = inner;
        _hidden = hidden;
    }

    /// <inheritdoc/>
    public override ulong MaxPfn => _inner.MaxPfn;

    /// <inheritdoc/>
    public override PfnRangeSet Extents => _inner.Extents;

    /// <inheritdoc/>
    public override void GetPages(ulong firstPfn, Span<ulong> exists, Span<ulong> present)
    {
        _inner.GetPages(firstPfn, exists, present);
        ulong[] hidden = new ulong[present.Length];
        PageBits.Fill(hidden, firstPfn, _hidden);
        for (int i = 0; i < present.Length; i++)
            present[i] &= ~hidden[i];
    }

    /// <inheritdoc/>
    public override ulong AbsentUntil(PfnRange range) => _inner.AbsentUntil(range);

    /// <inheritdoc/>
    internal override bool ExtentsExist => _inner.ExtentsExist;

    /// <inheritdoc/>
    internal override ulong HoleUntil(PfnRange range) => _inner.HoleUntil(range);

    /// <inheritdoc/>
    public override MemoryStatus ReadPage(ulong pfn, Span<byte> page)
    {
        if (!_hidden.Contains(pfn))
            return _inner.ReadPage(pfn, page);
        page.Clear();
        return MemoryStatus.UserData;
    }

    /// <inheritdoc/>
    public override int ReadPages(ulong pfn, Span<byte> pages)
    {
        ulong end = pfn + (ulong)(pages.Length >> PageShift);
        int next = _hidden.IndexAtOrAfter(pfn);
        ulong open = next < _hidden.Count ? Math.Clamp(_hidden[next].Start, pfn, end) : end;
        return open == pfn ? 0 : _inner.ReadPages(pfn, pages[..((int)(open - pfn) << PageShift)]);
    }

    /// <inheritdoc/>
    public override MemoryStatus Read(ulong address, Span<byte> buffer)
    {
        if (!buffer.IsEmpty)
        {
            ulong last = (address + (ulong)buffer.Length - 1) >> PageShift;
            int next = _hidden.IndexAtOrAfter(address >> PageShift);
            if (next < _hidden.Count && _hidden[next].Start <= last)
                return MemoryStatus.UserData;
        }

        return _inner.Read(address, buffer);
    }
}
