using System.Buffers.Binary;
using Vmcore.Architectures;
using Vmcore.Findings;
using Vmcore.Kernel.Lists;
using Vmcore.Kernel.Types;
using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Kernel.Slab;

// What is in use of the caches.
public sealed partial class SlabCaches
{
    private readonly ProblemList _problems = new();
    private List<SlabCache>? _all;
    private SlubLists? _lists;

    /// <summary>What cannot be told of them, or not all: one clause each; at most 100.</summary>
    public IReadOnlyList<Finding> Problems => _problems.Findings;

    /// <summary>The pages that may be of slabs.</summary>
    internal PfnRangeSet? Where { get; init; }

    /// <summary>All caches, in the kernel's order: the newest first.</summary>
    public IReadOnlyList<SlabCache> All => _all ??= ReadAll();

    /// <summary>Whether an object is in use.</summary>
    /// <param name="item">The object.</param>
    /// <param name="problem">Why that is not known; null if it is.</param>
    public SlabObjectState StateOf(SlabObject item, out Finding? problem)
    {
        ArgumentNullException.ThrowIfNull(item);
        string? why = "its slab cannot be read";
        SlabObjectState state = SlabAt(item.Address, out string? none) is { } slab && item.Index < slab.Objects
            ? Lists.StatesOf(slab, out why)[item.Index] : SlabObjectState.Unknown;
        problem = state == SlabObjectState.Unknown ? new(FindingCode.SlabStateUnknown, item.Address, none ?? why ?? "") : null;
        return state;
    }

    /// <summary>The slab that an address is of; null if it is of none, or that cannot be told.</summary>
    /// <param name="address">A virtual address of the kernel.</param>
    public SlabPages? SlabAt(ulong address) => SlabAt(address, out _);

    /// <summary>How much of each cache is in use. All struct pages are looked at.</summary>
    /// <returns>One for each of <see cref="All"/>, in their order.</returns>
    public IReadOnlyList<SlabUse> Count()
    {
        List<SlabUse> uses = [.. All.Select(static c => new SlabUse { Cache = c })];
        Dictionary<ulong, SlabUse> byAddress = [];
        foreach (SlabUse use in uses)
            byAddress[use.Cache.Address] = use;
        Visit(slab =>
        {
            // One that is not in the list was destroyed while it had objects, or is new.
            if (!byAddress.TryGetValue(slab.Cache.Address, out SlabUse? use))
            {
                byAddress.Add(slab.Cache.Address, use = new() { Cache = slab.Cache });
                uses.Add(use);
            }

            int? free = Lists.FreeOf(slab);
            use.Slabs++;
            use.Bytes += slab.Bytes;
            use.Objects += slab.Objects;
            use.Free += free ?? 0;
            use.Unknown += free is null ? slab.Objects : 0;
        }, null);
        long unknown = uses.Sum(static u => u.Unknown);
        if (unknown > 0)
            _problems.Add(FindingCode.SlabsIncomplete, $"of {unknown} objects it cannot be told whether they are in use");
        return uses;
    }

    /// <summary>All places for objects of some caches, with their states, by slab. All struct pages are looked at, once.</summary>
    /// <param name="caches">The caches.</param>
    /// <param name="visit">Is given each slab, and the states of its places.</param>
    public void VisitObjects(IEnumerable<SlabCache> caches, Action<SlabPages, IReadOnlyList<SlabObjectState>> visit)
    {
        ArgumentNullException.ThrowIfNull(caches);
        ArgumentNullException.ThrowIfNull(visit);
        Visit(slab =>
        {
            SlabObjectState[] states = Lists.StatesOf(slab, out string? problem);
            if (problem is not null)
                _problems.Add(FindingCode.SlabsIncomplete, $"{slab.Cache.Name}: {problem}");
            visit(slab, states);
        }, [.. caches.Select(static c => c.Address)]);
    }

    private SlubLists Lists => _lists ??= new(_kernel);

    private void Visit(Action<SlabPages> visit, HashSet<ulong>? only)
    {
        // The first pages of all slabs, by their struct pages: slabs that are full are on no list of the kernel.
        var scan = new MemmapScan(_memmap, _layout, page => _layout.IsSlab(page) && _layout.HeadOf(ulong.MaxValue, page) == ulong.MaxValue);
        long odd = 0;
        scan.Run(Where ?? _kernel.PhysicalMemory.Extents, (pfn, structure) =>
        {
            if (!_memmap.Model.TryGetStructPage(pfn, out ulong address, out _))
                return;
            ulong owner = BinaryPrimitives.ReadUInt64LittleEndian(structure[_cacheOffset..]);
            if (only is not null && !only.Contains(owner))
                return;
            if (CacheAt(owner) is { } cache && ReadSlab(cache, address, pfn, structure, null) is { } slab)
                visit(slab);
            else if (!IsGuarded(pfn))
                odd++;
        });
        if (scan.Unreadable > 0)
            _problems.Add(FindingCode.SlabsIncomplete, $"{scan.Unreadable} pages may be of slabs: their struct pages cannot be read");
        if (odd > 0)
            _problems.Add(FindingCode.SlabsIncomplete, $"{odd} slabs are not as their cache makes them, or it cannot be read");
    }

    private SlabPages? SlabAt(ulong address, out string? problem)
    {
        Translation at = _kernel.RequireMemory().Translate(address);
        problem = null;
        if (at.Status != MemoryStatus.Ok || HeadOf(at.PhysicalAddress >> _kernel.PhysicalMemory.PageShift, out problem) is not { } head)
            return null;
        byte[] pair = new byte[2 * _memmap.StructPageSize];
        problem = "its slab is not as its cache makes them, or cannot be read";
        if (!_memmap.TryReadPair(head.Pfn, pair) || CacheAt(BinaryPrimitives.ReadUInt64LittleEndian(pair.AsSpan(_cacheOffset))) is not { } cache
            || ReadSlab(cache, head.Struct, head.Pfn, pair, address - (at.PhysicalAddress - (head.Pfn << _kernel.PhysicalMemory.PageShift))) is not { } slab)
        {
            if (IsGuarded(head.Pfn))
                problem = "it is of KFENCE, which gives each object a page of its own";
            return null;
        }

        problem = null;
        return slab;
    }

    // The kernel says how many objects a slab has in two places, which must agree. KFENCE has slabs of its own.
    private SlabPages? ReadSlab(SlabCache cache, ulong address, ulong pfn, ReadOnlySpan<byte> structure, ulong? start)
    {
        if (_objects is null || _inUse is null || _freeList < 0)
            return null;
        int objects = (int)Bits(structure, _objects), notListed = (int)Bits(structure, _inUse), shift = _kernel.PhysicalMemory.PageShift;
        ulong first = _kernel.RequireMemory().LinearAddressOf(pfn << shift) ?? start ?? 0;
        if (first == 0 || objects == 0 || notListed > objects || (cache.Slub is { } slub ? slub.OrderOf(objects) : 0) is not { } order)
            return null;
        ulong bytes = 1UL << (order + shift);
        return (ulong)objects * cache.Stride > bytes ? null : new()
        {
            Cache = cache,
            Address = address,
            Pfn = pfn,
            Start = first,
            Objects = objects,
            Bytes = bytes,
            NotListed = notListed,
            FreeList = BinaryPrimitives.ReadUInt64LittleEndian(structure[_freeList..]),
            IsFrozen = _frozen is not null && Bits(structure, _frozen) != 0,
        };
    }

    private bool IsGuarded(ulong pfn)
    {
        const ulong LargestPool = 1UL << 28; // Two pages for each object: 255 are usual, 65535 the most.
        ulong pool = _pool ??= _kernel.Symbols?.TryFindInImage("__kfence_pool") is { } at && _kernel.RequireMemory().TryReadUInt64(at, out ulong value)
            ? value : 0;
        return pool != 0 && _kernel.RequireMemory().LinearAddressOf(pfn << _kernel.PhysicalMemory.PageShift) is { } address
            && address >= pool && address - pool < LargestPool;
    }

    private static ulong Bits(ReadOnlySpan<byte> structure, KernelTypeMember member) =>
        ScalarBits.Read(structure[(int)(member.BitOffset / 8)..], (int)(member.BitOffset % 8), member.BitWidth, member.Type.Underlying());

    private List<SlabCache> ReadAll()
    {
        List<SlabCache> caches = [];
        int limit = _kernel.Limits.SlabCaches;
        if (_kernel.RequireSymbols().TryFindInImage("slab_caches") is not { } head || Offset(_cacheType, "list") is not { } link)
        {
            _problems.Add(FindingCode.SlabsIncomplete, "the list of slab caches cannot be found");
            return caches;
        }

        var outcome = new WalkOutcome();
        foreach (ulong entry in ListWalk.CircularBothWays(_kernel.RequireMemory(), head, limit, outcome))
        {
            ulong address = unchecked(entry - (ulong)link);
            if (CacheAt(address) is { } cache)
                caches.Add(cache);
            else
                _problems.Add(FindingCode.SlabsIncomplete, $"the slab cache at 0x{address:x} cannot be read");
        }

        if (WalkText.OfList(outcome, head, limit) is { } problem)
            _problems.Add(FindingCode.SlabsIncomplete, problem);
        return caches;
    }
}
