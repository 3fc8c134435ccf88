using Vmcore.Architectures;
using Vmcore.Kernel;
using Vmcore.Kernel.Types;
using Vmcore.Memmap;
using Vmcore.Memory;

namespace Vmcore.Pmem.Usage;

/// <summary>
/// Reads the struct pages of a namespace's data, in order and once. Memory does not grow with the pmem's size, time does: some seconds for a terabyte.
/// Only struct pages are read, never the data.
/// </summary>
internal sealed class UsageScan
{
    /// <summary>Most runs of shared pages that are kept of a namespace.</summary>
    internal const int MostShared = 1 << 16;

    private const int ChunkPages = 4096;
    private const int MostMappings = 1 << 17;
    private const int MostRunsInAll = 1 << 20;
    private const int MostPoisoned = 4096;

    private readonly MemmapReader _memmap;
    private readonly DaxPageLayout _layout;
    private readonly KernelAddressSpace _memory;
    private readonly KernelTypes? _types;
    private readonly int _pageShift;
    private readonly byte[] _structs;
    private readonly ulong[] _valid = new ulong[(ChunkPages / 64) + 1];
    private readonly ulong[] _faults = new ulong[(ChunkPages / 64) + 1];
    private int _runsLeft = MostRunsInAll;

    /// <summary>Makes the scan.</summary>
    /// <param name="memmap">The memmap.</param>
    /// <param name="layout">The layout of its structures.</param>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="types">The kernel's types; null if there are none.</param>
    /// <param name="pageShift">log2 of the page size in bytes.</param>
    internal UsageScan(MemmapReader memmap, DaxPageLayout layout, KernelAddressSpace memory, KernelTypes? types, int pageShift)
    {
        _memmap = memmap;
        _layout = layout;
        _memory = memory;
        _types = types;
        _pageShift = pageShift;
        _structs = new byte[(ChunkPages + 1) * layout.Page.Size];
    }

    /// <summary>True if the pages are folios (6.15 and later), of which only the files' page trees say whether they are shared.</summary>
    internal bool HasFolios => _layout.HasFolios;

    /// <summary>The pages of a namespace that hold data.</summary>
    /// <param name="item">The namespace.</param>
    /// <param name="pageShift">log2 of the page size in bytes.</param>
    public static PfnRange DataOf(PmemNamespace item, int pageShift) =>
        item.InfoBlock is { } block
            ? new((item.Range.Start + block.StartPad + block.DataOffset) >> pageShift, (item.Range.End - block.EndTruncation) >> pageShift)
            : item.Range.ToPfns(pageShift);

    /// <summary>Scans a namespace.</summary>
    public NamespaceUsage Run(PmemNamespace item)
    {
        var usage = new NamespaceUsage(item, DataOf(item, _pageShift));
        var cursor = new Cursor(usage, this);
        for (ulong pfn = usage.Data.Start; pfn < usage.Data.End; pfn += ChunkPages)
        {
            int count = (int)Math.Min(ChunkPages, usage.Data.End - pfn);
            if (!_memmap.Model.TryGetStructPage(pfn, out _, out ulong runEnd) && runEnd >= pfn + (ulong)count)
            {
                cursor.End();
                usage.Counts.WithoutStruct += (ulong)count;
                continue;
            }

            _memmap.Read(pfn, count + 1, _structs, _valid, _faults);
            ScanChunk(cursor, pfn, count);
        }

        cursor.End();
        usage.Counts.Total = usage.Data.Count;
        usage.PageMapAddress = cursor.PageMap;
        Judge(usage);
        return usage;
    }

    /// <summary>Reads one page's structure, or that of its head.</summary>
    /// <param name="pfn">The page.</param>
    /// <param name="page">Receives what it says; of a tail, what its head says with the index moved on.</param>
    /// <param name="head">Receives the head; the page itself if it is no tail.</param>
    /// <param name="order">Receives the order of the compound page.</param>
    /// <returns>False if there is no structure, or it cannot be read.</returns>
    public bool TryReadPage(ulong pfn, out DaxPage page, out ulong head, out int order)
    {
        page = default;
        head = pfn;
        order = 0;
        byte[] pair = new byte[2 * _layout.Page.Size];
        if (!_memmap.TryReadPair(pfn, pair))
            return false;
        if (_layout.IsTail(pair))
        {
            if (HeadOf(pfn, pair) is not { } found || !_memmap.TryReadPair(found, pair) || _layout.IsTail(pair))
                return false;
            head = found;
        }

        order = _layout.OrderOf(head, pair);
        page = _layout.Read(pair, order);
        if (page.State == DaxPageState.Mapped)
            page = page with { Index = page.Index + (pfn - head) };
        return true;
    }

    private ulong? HeadOf(ulong pfn, ReadOnlySpan<byte> tail)
    {
        ulong size = (ulong)_layout.Page.Size, word = DaxPageLayout.Word(tail, _layout.Page.CompoundHead);
        if (!_memmap.Model.TryGetStructPage(pfn, out ulong address, out _))
            return null;

        // Up to 7.0 the head's address; since then, where the size is a power of two, a mask for the tail's own.
        ulong head = word - 1, masked = address & head;
        foreach (ulong candidate in (ReadOnlySpan<ulong>)[head, masked])
        {
            ulong distance = address - candidate;
            if (candidate < address && distance % size == 0 && distance / size < 1UL << PageClassifier.MaxOrder && distance / size <= pfn)
                return pfn - (distance / size);
        }

        return null;
    }

    private void ScanChunk(Cursor cursor, ulong first, int count)
    {
        int size = _layout.Page.Size;
        int previous = -1;
        for (int i = 0; i < count; i++)
        {
            if (!PageBits.Get(_valid, i))
            {
                cursor.Missing(PageBits.Get(_faults, i));
                previous = -1;
                continue;
            }

            ReadOnlySpan<byte> page = _structs.AsSpan(i * size, size);

            // Most pages of most pmem are idle, or tails of one kind: the same structure again and again.
            if (previous >= 0 && cursor.CanRepeat && page.SequenceEqual(_structs.AsSpan(previous * size, size)) && cursor.Repeat(first + (ulong)i))
                continue;
            previous = i;
            bool hasNext = PageBits.Get(_valid, i + 1);
            cursor.Next(first + (ulong)i, _structs.AsSpan(i * size, hasNext ? 2 * size : size));
        }
    }

    private void Judge(NamespaceUsage usage)
    {
        if (usage.Namespace.State == MemmapState.Overwritten)
            usage.Damage = "the memmap was written anew after the crash, by a pmem driver in the capture kernel: its struct pages are not those of the crash";
        if (usage.PageMapAddress == 0 || _types is null)
            return;
        usage.PageMap = ReadPageMap(usage.PageMapAddress);
        if (usage.Damage is not null)
            return;
        if (usage.PageMap is not { } map)
            usage.Damage = $"the struct pages name a dev_pagemap at 0x{usage.PageMapAddress:x} that cannot be read: they may not be those of the crash";
        else if (!usage.Data.ToPhysical(_pageShift).Intersect(map.Range).Equals(usage.Data.ToPhysical(_pageShift)))
            usage.Damage = $"the struct pages name a dev_pagemap of {map.Range}, which does not cover the namespace's data: they may not be those of the crash";
    }

    private DevicePageMap? ReadPageMap(ulong address)
    {
        var members = new StructMembers(_types!);
        int type = members.Optional("dev_pagemap", "type"), flags = members.Optional("dev_pagemap", "flags"), shift = members.Optional("dev_pagemap", "vmemmap_shift"), range = members.Optional("dev_pagemap", "range");
        int altmap = members.Optional("dev_pagemap", "altmap"), reserve = members.Optional("vmem_altmap", "reserve"), free = members.Optional("vmem_altmap", "free"), alloc = members.Optional("vmem_altmap", "alloc");
        if (type < 0 || flags < 0 || range < 0 || altmap < 0 || !_memory.TryReadUInt32(address + (ulong)type, out uint kind) || !_memory.TryReadUInt32(address + (ulong)flags, out uint bits)
            || !_memory.TryReadUInt64(address + (ulong)range, out ulong start) || !_memory.TryReadUInt64(address + (ulong)range + 8, out ulong last))
            return null;
        ulong order = 0, reserved = 0, unused = 0, used = 0;
        if (shift >= 0)
            _memory.TryReadUInt64(address + (ulong)shift, out order);
        if ((bits & 1) != 0 && reserve >= 0 && free >= 0 && alloc >= 0)
        {
            _memory.TryReadUInt64(address + (ulong)(altmap + reserve), out reserved);
            _memory.TryReadUInt64(address + (ulong)(altmap + free), out unused);
            _memory.TryReadUInt64(address + (ulong)(altmap + alloc), out used);
        }

        return last == ulong.MaxValue || last < start ? null : new(address, kind, new(start, last + 1), (int)Math.Min(order & 0xffffffff, 63), unchecked(reserved + unused), used);
    }

    /// <summary>Where the scan is: the run that grows, and the compound page that it is in.</summary>
    private sealed class Cursor(NamespaceUsage usage, UsageScan scan)
    {
        private DaxPage _run;
        private PfnRange _pages;
        private DaxPage _head;
        private ulong _headPfn, _headEnd;
        private bool _lastIsTail;

        /// <summary>Virtual address of the dev_pagemap that was met first.</summary>
        internal ulong PageMap { get; private set; }

        /// <summary>True if a page with the same structure as the last one has the same state.</summary>
        internal bool CanRepeat => _lastIsTail || _run.State is DaxPageState.Idle or DaxPageState.Foreign or DaxPageState.Shared;

        internal void Missing(bool isFault)
        {
            End();
            if (isFault)
                usage.Counts.Unreadable++;
            else
                usage.Counts.WithoutStruct++;
        }

        internal bool Repeat(ulong pfn)
        {
            if (_pages.End != pfn || (_lastIsTail && pfn >= _headEnd) || (!_lastIsTail && _run.IsPoisoned))
                return false;
            _pages = _pages with { End = pfn + 1 };
            return true;
        }

        internal void Next(ulong pfn, ReadOnlySpan<byte> pair)
        {
            DaxPage page;
            _lastIsTail = scan._layout.IsTail(pair);
            if (_lastIsTail)
            {
                if (pfn >= _headEnd || pfn < _headPfn)
                {
                    // A range that starts inside a compound page, or a head that is not in the dump.
                    if (!scan.TryReadPage(pfn, out _, out _headPfn, out int order) || !scan.TryReadPage(_headPfn, out _head, out _, out _))
                    {
                        Missing(isFault: true);
                        _headEnd = 0;
                        return;
                    }

                    _headEnd = Math.Max(pfn + 1, _headPfn + (1UL << order));
                }

                page = _head.State == DaxPageState.Mapped ? _head with { Index = _head.Index + (pfn - _headPfn) } : _head;
            }
            else
            {
                int order = scan._layout.OrderOf(pfn, pair);
                page = scan._layout.Read(pair, order);
                _head = page;
                _headPfn = pfn;
                _headEnd = pfn + (1UL << order);
                if (PageMap == 0 && page.State != DaxPageState.Foreign)
                    PageMap = page.PageMap;
                else if (page.PageMap != PageMap && page.State != DaxPageState.Foreign)
                    page = page with { State = DaxPageState.Foreign };
            }

            if (_pages.End == pfn && Continues(page, pfn))
                _pages = _pages with { End = pfn + 1 };
            else
                Start(page, pfn);
        }

        internal void End()
        {
            ulong count = _pages.Count;
            if (count == 0)
                return;
            usage.Counts.Add(_run, count);
            if (_run.State == DaxPageState.Mapped)
                AddMapped();
            else if (_run.State == DaxPageState.Shared && usage.SharedRuns.Count < MostShared)
                usage.SharedRuns.Add(new(_pages, scan._layout.HasFolios ? 0 : _run.Index));
            for (ulong pfn = _pages.Start; _run.IsPoisoned && pfn < _pages.End && usage.PoisonedPages.Count < MostPoisoned; pfn++)
                usage.PoisonedPages.Add(pfn);
            _pages = default;
        }

        private bool Continues(DaxPage page, ulong pfn) =>
            page.State == _run.State && page.IsPinned == _run.IsPinned && page.IsPoisoned == _run.IsPoisoned
            && (page.State is not (DaxPageState.Mapped or DaxPageState.Shared)
                || (page.State == DaxPageState.Shared && scan._layout.HasFolios)
                || (page.Mapping == _run.Mapping && page.Index == _run.Index + (page.State == DaxPageState.Mapped ? pfn - _pages.Start : 0)));

        private void Start(DaxPage page, ulong pfn)
        {
            End();
            _run = page;
            _pages = new(pfn, pfn + 1);
        }

        private void AddMapped()
        {
            if (!usage.MappingTable.TryGetValue(_run.Mapping, out MappingUsage? mapping))
            {
                if (usage.MappingTable.Count == MostMappings)
                {
                    usage.PagesOfOthers += _pages.Count;
                    return;
                }

                usage.MappingTable[_run.Mapping] = mapping = new(_run.Mapping);
            }

            if (mapping.Add(new(_run.Index, _pages.Start, _pages.Count), scan._runsLeft > 0))
                scan._runsLeft--;
            if (_run.IsPinned)
                mapping.Pinned += _pages.Count;
        }
    }
}
