using Vmcore.Architectures;
using Vmcore.Kernel.Types;
using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Pmem.Usage;

/// <summary>
/// Reads the struct pages of a namespace's data once, on several threads. Memory does not grow with the pmem's size, time does: some seconds for a terabyte.
/// Only struct pages are read, never the data.
/// </summary>
internal sealed class UsageScan
{
    // 256 MiB of pmem; 4 MiB of memmap.
    private const ulong SlicePages = 65536;

    private readonly MemmapReader _memmap;
    private readonly DaxPageLayout _layout;
    private readonly KernelAddressSpace _memory;
    private readonly KernelTypes? _types;
    private readonly int _pageShift;
    private int _runsLeft;

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
        _runsLeft = memory.Limits.UsageRuns;
        _types = types;
        _pageShift = pageShift;
    }

    /// <summary>True if the pages are folios (6.15 and later), of which only the files' page trees say whether they are shared.</summary>
    internal bool HasFolios => _layout.HasFolios;

    /// <summary>Scans a namespace.</summary>
    /// <param name="item">The namespace.</param>
    /// <param name="scanned">Is told now and then how many pages were done since the last time; null for nobody.</param>
    /// <param name="visitor">Is told where pages in which state are; null for nobody.</param>
    internal NamespaceUsage Run(PmemNamespace item, Action<ulong>? scanned = null, IUsageVisitor? visitor = null)
    {
        var usage = new NamespaceUsage(item, item.DataPages(_pageShift));
        visitor?.Begin(usage);
        var slices = new UsageSlice[ParallelScan.BatchSize];
        for (int i = 0; i < slices.Length; i++)
            slices[i] = new(this, _memmap, _layout);
        var ranges = new PfnRange[slices.Length];
        for (ulong start = usage.Data.Start; start < usage.Data.End;)
        {
            ulong from = start;
            if (!_memmap.Model.TryGetStructPage(start, out _, out ulong runEnd))
            {
                start = Math.Min(runEnd, usage.Data.End);
                usage.Counts.WithoutStruct += start - from;
                visitor?.TakeWithout(new(from, start), isUnreadable: false);
            }
            else if (item.State == MemmapState.Overwritten)
            {
                // What another kernel wrote there says nothing of this one: neither a file nor that the page is idle.
                start = Math.Min(runEnd, usage.Data.End);
                usage.Counts.Unreadable += start - from;
                visitor?.TakeWithout(new(from, start), isUnreadable: true);
            }
            else
            {
                int count = 0;
                for (; count < ranges.Length && start < usage.Data.End; start = ranges[count++].End)
                    ranges[count] = new(start, Math.Min(((start / SlicePages) + 1) * SlicePages, usage.Data.End));
                ulong known = usage.PageMapAddress;
                ParallelScan.Run(count, i => slices[i].Run(ranges[i], known));
                foreach (UsageSlice slice in slices.AsSpan(0, count))
                    Add(usage, slice, visitor);
            }

            scanned?.Invoke(start - from);
        }

        usage.Counts.Total = usage.Data.Count;
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
            if (candidate < address && distance % size == 0 && distance / size < 1UL << PageClassifier.LargestOrder && distance / size <= pfn)
                return pfn - (distance / size);
        }

        return null;
    }

    private void Add(NamespaceUsage usage, UsageSlice slice, IUsageVisitor? visitor)
    {
        // What the namespace's first pages name is what all have to name; a slice that did not know that yet may have met another one.
        if (usage.PageMapAddress == 0)
            usage.PageMapAddress = slice.PageMap;
        else if (slice.PageMap != usage.PageMapAddress && slice.PageMap != 0)
            slice.Run(slice.Range, usage.PageMapAddress);
        usage.Counts.Unreadable += slice.Unreadable;
        usage.Counts.WithoutStruct += slice.WithoutStruct;
        foreach (UsageGap gap in visitor is null ? [] : slice.Gaps)
            visitor!.TakeWithout(gap.Pages, gap.IsUnreadable);
        foreach (UsageSegment segment in slice.Segments)
        {
            visitor?.TakePages(segment.Pages, segment.Page);
            usage.Counts.Add(segment.Page, segment.Pages.Count);
            if (segment.Page.State == DaxPageState.Mapped)
                AddMapped(usage, segment);
            else if (segment.Page.State == DaxPageState.Shared)
                AddShared(usage, segment.Pages, _layout.HasFolios ? 0 : segment.Page.Index);
            int most = _memory.Limits.PoisonedPages;
            for (ulong pfn = segment.Pages.Start; segment.Page.IsPoisoned && pfn < segment.Pages.End && usage.PoisonedPages.Count < most; pfn++)
                usage.PoisonedPages.Add(pfn);
        }
    }

    private void AddShared(NamespaceUsage usage, PfnRange pages, ulong count)
    {
        if (usage.SharedRuns is [.., var last] && last.Pages.End == pages.Start && last.Count == count)
            usage.SharedRuns[^1] = last with { Pages = new(last.Pages.Start, pages.End) };
        else if (usage.SharedRuns.Count < _memory.Limits.SharedRuns)
            usage.SharedRuns.Add(new(pages, count));
    }

    private void AddMapped(NamespaceUsage usage, UsageSegment segment)
    {
        (DaxPage page, PfnRange pages) = segment;
        if (!usage.MappingTable.TryGetValue(page.Mapping, out MappingUsage? mapping))
        {
            if (usage.MappingTable.Count == _memory.Limits.PmemMappings)
            {
                usage.PagesOfOthers += pages.Count;
                return;
            }

            usage.MappingTable[page.Mapping] = mapping = new(page.Mapping);
        }

        if (mapping.Add(new(page.Index, pages.Start, pages.Count), _runsLeft > 0 && mapping.Runs.Count < _memory.Limits.FileRuns))
            _runsLeft--;
        if (page.IsPinned)
            mapping.Pinned += pages.Count;
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
        int type = members.Optional("dev_pagemap", "type"), flags = members.Optional("dev_pagemap", "flags"),
            shift = members.Optional("dev_pagemap", "vmemmap_shift"), range = members.Optional("dev_pagemap", "range");
        int altmap = members.Optional("dev_pagemap", "altmap"), reserve = members.Optional("vmem_altmap", "reserve"),
            free = members.Optional("vmem_altmap", "free"), alloc = members.Optional("vmem_altmap", "alloc");
        if (type < 0 || flags < 0 || range < 0 || altmap < 0 || !_memory.TryReadUInt32(address + (ulong)type, out uint kind)
            || !_memory.TryReadUInt32(address + (ulong)flags, out uint bits)
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

        return last == ulong.MaxValue || last < start
            ? null
            : new(address, kind, new(start, last + 1), (int)Math.Min(order & 0xffffffff, 63), unchecked(reserved + unused), used);
    }
}
