using Vmcore.Memmap;
using Vmcore.Ranges;

namespace Vmcore.Pmem.Usage;

/// <summary>Neighbouring pages in one state; of a mapped file, neighbouring pages of it.</summary>
/// <param name="Page">The first page.</param>
/// <param name="Pages">The pages.</param>
internal readonly record struct UsageSegment(DaxPage Page, PfnRange Pages);

/// <summary>Neighbouring pages of which no structure can be read.</summary>
/// <param name="Pages">The pages.</param>
/// <param name="IsUnreadable">True if it is not in the dump; false if the kernel had none.</param>
internal readonly record struct UsageGap(PfnRange Pages, bool IsUnreadable);

/// <summary>Reads the struct pages of a slice of pmem, in order and once. One for each piece of work; used again for the next.</summary>
internal sealed class UsageSlice
{
    private const int ChunkPages = 4096;

    private readonly UsageScan _scan;
    private readonly MemmapReader _memmap;
    private readonly DaxPageLayout _layout;
    private readonly List<UsageSegment> _segments = [];
    private readonly List<UsageGap> _gaps = [];
    private readonly byte[] _structs;
    private readonly ulong[] _valid = new ulong[(ChunkPages / 64) + 1];
    private readonly ulong[] _faults = new ulong[(ChunkPages / 64) + 1];
    private DaxPage _run;
    private PfnRange _pages;
    private DaxPage _head;
    private ulong _headPfn, _headEnd;
    private bool _lastIsTail;

    internal UsageSlice(UsageScan scan, MemmapReader memmap, DaxPageLayout layout)
    {
        _scan = scan;
        _memmap = memmap;
        _layout = layout;
        _structs = new byte[(ChunkPages + 1) * layout.Page.Size];
    }

    /// <summary>What was found, by address.</summary>
    internal IReadOnlyList<UsageSegment> Segments => _segments;

    /// <summary>Pages without a structure that can be read; each once, those of one reason that are neighbours in one piece or several.</summary>
    internal IReadOnlyList<UsageGap> Gaps => _gaps;

    /// <summary>Pages with a structure that is not in the dump.</summary>
    internal ulong Unreadable { get; private set; }

    /// <summary>Pages without a structure.</summary>
    internal ulong WithoutStruct { get; private set; }

    /// <summary>The pages that were looked at.</summary>
    internal PfnRange Range { get; private set; }

    /// <summary>Virtual address of the dev_pagemap that pages have to name; the first one that was met, if none was given.</summary>
    internal ulong PageMap { get; private set; }

    // A page with the same structure as the last one has the same state.
    private bool CanRepeat => _lastIsTail || (!_run.IsPoisoned && _run.State is DaxPageState.Idle or DaxPageState.Foreign or DaxPageState.Shared);

    /// <summary>Reads a slice.</summary>
    /// <param name="range">The pages.</param>
    /// <param name="pageMap">Virtual address of the dev_pagemap that pages have to name; 0 if it is not known yet.</param>
    internal void Run(PfnRange range, ulong pageMap)
    {
        _segments.Clear();
        _gaps.Clear();
        (Unreadable, WithoutStruct, Range, PageMap) = (0, 0, range, pageMap);
        (_pages, _headPfn, _headEnd, _lastIsTail) = (default, 0, 0, false);
        for (ulong pfn = range.Start; pfn < range.End; pfn += ChunkPages)
        {
            int count = (int)Math.Min(ChunkPages, range.End - pfn);
            _memmap.Read(pfn, count + 1, _structs, _valid, _faults);
            ScanChunk(pfn, count);
        }

        End();
    }

    private void ScanChunk(ulong first, int count)
    {
        int size = _layout.Page.Size;
        for (int i = 0; i < count;)
        {
            if (!PageBits.Get(_valid, i))
            {
                i = SkipMissing(first, i, count);
                continue;
            }

            bool hasNext = PageBits.Get(_valid, i + 1);
            Next(first + (ulong)i, _structs.AsSpan(i * size, hasNext ? 2 * size : size));
            i++;

            // Most pages of most pmem are idle, or tails of one kind: the same structure again and again.
            if (CanRepeat)
                i += Repeat(first + (ulong)i, SameAsBefore(i, count));
        }
    }

    private int SkipMissing(ulong first, int from, int count)
    {
        End();
        int end = Math.Min(PageBits.NextSet(_valid, from), count);
        for (int i = from; i < end;)
        {
            bool isFault = PageBits.Get(_faults, i);
            int next = Math.Min(isFault ? PageBits.NextClear(_faults, i) : PageBits.NextSet(_faults, i), end);
            AddGap(new(first + (ulong)i, first + (ulong)next), isFault);
            i = next;
        }

        return end;
    }

    // How many structures from here on are equal, byte by byte, to the one before.
    private int SameAsBefore(int index, int count)
    {
        int size = _layout.Page.Size, end = Math.Min(PageBits.NextClear(_valid, index), count);
        return end <= index ? 0 : _structs.AsSpan(index * size, (end - index) * size).CommonPrefixLength(_structs.AsSpan((index - 1) * size)) / size;
    }

    private int Repeat(ulong pfn, int count)
    {
        if (count == 0 || _pages.End != pfn)
            return 0;
        if (_lastIsTail)
            count = pfn >= _headEnd ? 0 : (int)Math.Min((ulong)count, _headEnd - pfn);
        _pages = _pages with { End = pfn + (ulong)count };
        return count;
    }

    private void Next(ulong pfn, ReadOnlySpan<byte> pair)
    {
        DaxPage page;
        _lastIsTail = _layout.IsTail(pair);
        if (_lastIsTail)
        {
            if ((pfn >= _headEnd || pfn < _headPfn) && !TryFindHead(pfn))
                return;
            page = _head.State == DaxPageState.Mapped ? _head with { Index = _head.Index + (pfn - _headPfn) } : _head;
        }
        else
        {
            page = OfKnownMap(_layout.Read(pair, _layout.OrderOf(pfn, pair)));
            _head = page;
            _headPfn = pfn;
            _headEnd = pfn + (1UL << _layout.OrderOf(pfn, pair));
        }

        if (_pages.End == pfn && Continues(page, pfn))
        {
            _pages = _pages with { End = pfn + 1 };
            return;
        }

        End();
        _run = page;
        _pages = new(pfn, pfn + 1);
    }

    // A slice that starts inside a compound page, or a head that is not in the dump.
    private bool TryFindHead(ulong pfn)
    {
        if (_scan.TryReadPage(pfn, out _, out _headPfn, out int order) && _scan.TryReadPage(_headPfn, out _head, out _, out _))
        {
            _head = OfKnownMap(_head);
            _headEnd = Math.Max(pfn + 1, _headPfn + (1UL << order));
            return true;
        }

        End();
        AddGap(new(pfn, pfn + 1), isUnreadable: true);
        _headEnd = 0;
        return false;
    }

    private void AddGap(PfnRange pages, bool isUnreadable)
    {
        if (isUnreadable)
            Unreadable += pages.Count;
        else
            WithoutStruct += pages.Count;
        if (_gaps is [.., var last] && last.IsUnreadable == isUnreadable && last.Pages.End == pages.Start)
            _gaps[^1] = last with { Pages = new(last.Pages.Start, pages.End) };
        else
            _gaps.Add(new(pages, isUnreadable));
    }

    // All pages of a namespace name one dev_pagemap.
    private DaxPage OfKnownMap(DaxPage page)
    {
        if (page.State == DaxPageState.Foreign)
            return page;
        if (PageMap == 0)
            PageMap = page.PageMap;
        return page.PageMap == PageMap ? page : page with { State = DaxPageState.Foreign };
    }

    private bool Continues(DaxPage page, ulong pfn) =>
        page.State == _run.State && page.IsPinned == _run.IsPinned && page.IsPoisoned == _run.IsPoisoned
        && (page.State is not (DaxPageState.Mapped or DaxPageState.Shared)
            || (page.State == DaxPageState.Shared && _layout.HasFolios)
            || (page.Mapping == _run.Mapping && page.Index == _run.Index + (page.State == DaxPageState.Mapped ? pfn - _pages.Start : 0)));

    private void End()
    {
        if (!_pages.IsEmpty)
            _segments.Add(new(_run, _pages));
        _pages = default;
    }
}
