using Vmcore.Architectures;
using Vmcore.Findings;
using Vmcore.Kernel.Types;
using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Kernel.Slab;

/// <summary>
/// Which cache an address is of: from the <c>struct page</c> of its page over the slab to the cache. Works on the dump's own types (BTF), or a vmlinux's.
/// </summary>
/// <remarks>Source of the facts: mm/slab.h (<c>struct slab</c>, since 5.17; before, its members were those of <c>struct page</c>), mm/slub.c
/// (nearest_obj, fixup_red_left).</remarks>
public sealed partial class SlabCaches
{
    private readonly Dictionary<ulong, SlabCache?> _known = [];
    private readonly KernelView _kernel;
    private readonly MemmapReader _memmap;
    private readonly StructPageLayout _layout;
    private readonly KernelType _cacheType;
    private readonly int _cacheOffset;
    private readonly int _firstOffset;
    private readonly int _freeList = -1;
    private readonly KernelTypeMember? _objects, _inUse, _frozen;
    private ulong? _pool;

    private SlabCaches(KernelView kernel, MemmapReader memmap, StructPageLayout layout, KernelType cacheType, int cacheOffset, int firstOffset, KernelType slab)
    {
        _kernel = kernel;
        _memmap = memmap;
        _layout = layout;
        _cacheType = cacheType;
        _cacheOffset = cacheOffset;
        _firstOffset = firstOffset;
        _freeList = Offset(slab, "freelist") ?? -1;
        (_objects, _inUse, _frozen) = (Counter(slab, "objects"), Counter(slab, "inuse"), Counter(slab, "frozen"));
    }

    /// <summary>Prepares the search; nothing is read yet.</summary>
    /// <param name="kernel">The kernel, with types.</param>
    /// <param name="memmap">Reads its struct pages.</param>
    /// <param name="layout">The layout of these.</param>
    /// <exception cref="MissingInformationException">The kernel's types are not there, or do not say where a slab names its cache.</exception>
    public static SlabCaches Open(KernelView kernel, MemmapReader memmap, StructPageLayout layout) => Open(kernel, memmap, layout, null);

    /// <summary>The same.</summary>
    /// <param name="kernel">The kernel, with types.</param>
    /// <param name="memmap">Reads its struct pages.</param>
    /// <param name="layout">The layout of these.</param>
    /// <param name="where">The pages that may be of slabs; null for all.</param>
    internal static SlabCaches Open(KernelView kernel, MemmapReader memmap, StructPageLayout layout, PfnRangeSet? where)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        ArgumentNullException.ThrowIfNull(memmap);
        ArgumentNullException.ThrowIfNull(layout);
        KernelTypes types = kernel.RequireTypes();
        KernelType? slab = types.Find("struct slab") ?? types.Find("struct page"), cache = types.Find("struct kmem_cache");
        if (Offset(slab, "slab_cache") is not { } cacheOffset || cache is null || Offset(cache, "size") is null || Offset(cache, "name") is null)
            throw new MissingInformationException($"{kernel.Name}: the kernel's types do not say how a slab names its cache");

        // Only the allocator that 6.8 removed (CONFIG_SLAB) has objects begin elsewhere than at the slab's first page.
        return new(kernel, memmap, layout, cache, cacheOffset, Offset(slab, "s_mem") ?? -1, slab!) { Where = where };
    }

    /// <summary>Finds the object that an address belongs to.</summary>
    /// <param name="address">A virtual address of the kernel.</param>
    /// <param name="problem">Why it cannot be told; null if it can, also if the address is of no slab.</param>
    /// <returns>Null if its page is in no slab, or that cannot be told.</returns>
    public SlabObject? Find(ulong address, out Finding? problem)
    {
        SlabObject? found = Search(address, out string? why);
        problem = why is null ? null : new(FindingCode.SlabUnknown, address, why);
        return found;
    }

    private SlabObject? Search(ulong address, out string? problem)
    {
        KernelAddressSpace memory = _kernel.RequireMemory();
        Translation at = memory.Translate(address);
        problem = at.Status is MemoryStatus.Ok or MemoryStatus.NotMapped ? null : "a page table on the way to it is not in the dump";
        if (at.Status != MemoryStatus.Ok || HeadOf(at.PhysicalAddress >> _kernel.PhysicalMemory.PageShift, out problem) is not { } head)
            return null;
        ulong physical = at.PhysicalAddress;
        problem = "its slab does not lead to a cache that can be read";
        if (!memory.TryReadUInt64(head.Struct + (ulong)_cacheOffset, out ulong cacheAddress) || CacheAt(cacheAddress) is not { } cache)
            return null;

        // The address of the slab's first page, by the map that the address is of.
        ulong first = address - (physical - (head.Pfn << _kernel.PhysicalMemory.PageShift));
        if (_firstOffset >= 0 && (!memory.TryReadUInt64(head.Struct + (ulong)_firstOffset, out first) || first > address))
            return null;
        problem = null;
        ulong index = (address - first) / cache.Stride;
        return new(cache, first + (index * cache.Stride) + cache.LeftPadding, (int)index);
    }

    /// <summary>The structure that decides what a page is: its own, or that of the compound page's head; null if it is of no slab.</summary>
    private (ulong Struct, ulong Pfn)? HeadOf(ulong pfn, out string? problem)
    {
        byte[] pair = new byte[2 * _memmap.StructPageSize];
        problem = null;
        if (!_memmap.Model.TryGetStructPage(pfn, out ulong address, out _))
            return null;
        problem = "its struct page, or that of the compound page's head, cannot be read";
        if (!_memmap.TryReadPair(pfn, pair))
            return null;
        if (_layout.HeadOf(address, pair) is var head && head != address)
        {
            ulong distance = (address - head) / (ulong)_memmap.StructPageSize;
            if (head > address || distance > pfn || distance >= 1UL << PageClassifier.LargestOrder || !_memmap.TryReadPair(pfn - distance, pair))
                return null;
            (address, pfn) = (head, pfn - distance);
        }

        problem = null;
        return _layout.IsSlab(pair) ? (address, pfn) : null;
    }

    private SlabCache? CacheAt(ulong address)
    {
        if (!_known.TryGetValue(address, out SlabCache? cache))
            _known[address] = cache = ReadCache(address);
        return cache;
    }

    private SlabCache? ReadCache(ulong address)
    {
        IVirtualMemory memory = _kernel.RequireMemory();
        try
        {
            KernelObject item = KernelObject.At(memory, _cacheType, address);
            uint stride = (uint)item.Member("size").AsUInt64();
            if (stride == 0 || stride > memory.Limits.SlabObjectBytes)
                return null;
            memory.TryReadCString(item.Member("name").AsUInt64(), memory.Limits.NameBytes, out string name);
            return new(address, name, _cacheType.FindMember("object_size") is null ? stride : (uint)item.Member("object_size").AsUInt64(), stride,
                _cacheType.FindMember("red_left_pad") is null ? 0 : RedZone(item))
            {
                Slub = SlubCache.TryRead(item),
            };
        }
        catch (KernelObjectException)
        {
            return null;
        }
    }

    // red_left_pad is there with CONFIG_SLUB_DEBUG, and counts only in caches that have red zones (SLAB_RED_ZONE, include/linux/slab.h).
    private static uint RedZone(KernelObject cache)
    {
        const ulong RedZoneFlag = 0x400;
        uint padding = (uint)cache.Member("red_left_pad").AsUInt64();
        return (cache.Member("flags").AsUInt64() & RedZoneFlag) != 0 && padding < (uint)cache.Member("size").AsUInt64() ? padding : 0;
    }

    // Within struct page, of which the structures are that are read.
    private KernelTypeMember? Counter(KernelType slab, string name) =>
        slab.FindMember(name) is { BitOffset: >= 0 } member && member.BitOffset + 32 <= _layout.Size * 8L ? member : null;

    private static int? Offset(KernelType? type, string member) => type?.FindMember(member) is { } found ? (int)(found.BitOffset / 8) : null;
}
