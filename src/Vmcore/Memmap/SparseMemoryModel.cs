using Vmcore.Kernel.Identity;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Memmap;

/// <summary>What the kernel knows of one section of physical memory.</summary>
/// <param name="MemMap">Encoded address: the structure of pfn is at this + pfn · SIZE(page).</param>
/// <param name="Flags">Low bits of section_mem_map: 1 present, 2 has a memmap, 4 online, 8 early (boot memory), 16 tainted by a device mapping.</param>
internal readonly record struct MemorySection(ulong MemMap, uint Flags)
{
    /// <summary>True if the kernel has structures for the section.</summary>
    public bool HasMemMap => (Flags & 3) == 3;

    /// <summary>True for memory that is neither boot memory nor online: pmem, or other device memory.</summary>
    public bool IsDevice => HasMemMap && (Flags & 0xc) == 0;
}

/// <summary>SPARSEMEM: physical memory in sections, each with its own piece of the memmap, with or without SPARSEMEM_EXTREME and VMEMMAP.</summary>
internal sealed class SparseMemoryModel : MemoryModel
{
    // The encoded address has at least six zero low bits on every kernel; the flags need up to six of them (6.15).
    private const ulong FlagMask = 0x3f;
    private const int RootCacheSize = 64;

    private readonly IVirtualMemory _memory;
    private readonly ulong _roots;
    private readonly bool _extreme;
    private readonly int _entrySize;
    private readonly int _mapOffset;
    private readonly int _perRoot;
    private readonly int _pfnShift;
    private readonly ulong _sectionCount;
    private readonly Root?[] _cache = new Root?[RootCacheSize];

    private SparseMemoryModel(IVirtualMemory memory, int structPageSize, ulong roots,
        bool extreme, int entrySize, int mapOffset, int perRoot, int pfnShift, ulong sectionCount)
        : base(structPageSize)
    {
        _memory = memory;
        _roots = roots;
        _extreme = extreme;
        _entrySize = entrySize;
        _mapOffset = mapOffset;
        _perRoot = perRoot;
        _pfnShift = pfnShift;
        _sectionCount = sectionCount;
    }

    /// <inheritdoc/>
    public override string Name => _extreme ? "SPARSEMEM_EX" : "SPARSEMEM";

    /// <summary>log2 of the number of pages in a section.</summary>
    public int SectionShift => _pfnShift;

    /// <summary>Number of sections that the kernel can have.</summary>
    public ulong SectionCount => _sectionCount;

    /// <inheritdoc/>
    public override bool TryGetStructPage(ulong pfn, out ulong address, out ulong runEnd)
    {
        ulong number = pfn >> _pfnShift;
        MemorySection section = GetSection(number);
        runEnd = section.HasMemMap ? (number + 1) << _pfnShift : NextPresent(number) << _pfnShift;
        address = unchecked(section.MemMap + (pfn * (ulong)StructPageSize));
        return section.HasMemMap;
    }

    /// <summary>The section with a number; an empty one if it does not exist or cannot be read.</summary>
    public MemorySection GetSection(ulong number) =>
        number >= _sectionCount ? default : GetRoot(number).Sections[(int)(number % (ulong)_perRoot)];

    /// <inheritdoc/>
    internal override bool IsUnreadable(ulong pfn)
    {
        ulong number = pfn >> _pfnShift;
        return number < _sectionCount && GetRoot(number).IsUnreadable;
    }

    private Root GetRoot(ulong number)
    {
        ulong rootNumber = number / (ulong)_perRoot;
        int slot = (int)(rootNumber % RootCacheSize);
        Root? root = Volatile.Read(ref _cache[slot]);
        if (root is null || root.Number != rootNumber)
        {
            root = ReadRoot(rootNumber);
            Volatile.Write(ref _cache[slot], root);
        }

        return root;
    }

    /// <summary>A section after one that does not exist, such that all between them do not exist either. Whole roots are skipped at once.</summary>
    /// <param name="number">The section that does not exist.</param>
    /// <returns>The next section to look at, <paramref name="number"/> + 1 or more; a number beyond any pfn after the last section.</returns>
    internal ulong NextPresent(ulong number)
    {
        if (number >= _sectionCount)
            return ulong.MaxValue >> _pfnShift;
        ulong rootNumber = number / (ulong)_perRoot;
        return Volatile.Read(ref _cache[(int)(rootNumber % RootCacheSize)]) is { IsAbsent: true } root && root.Number == rootNumber
            ? (rootNumber + 1) * (ulong)_perRoot
            : number + 1;
    }

    /// <inheritdoc/>
    internal override IEnumerable<VirtualRange> Tables()
    {
        ulong roots = (_sectionCount + (ulong)_perRoot - 1) / (ulong)_perRoot, rootSize = (ulong)_perRoot * (ulong)_entrySize;
        yield return new(_roots, unchecked(_roots + (_extreme ? roots * sizeof(ulong) : roots * rootSize)));
        byte[] some = new byte[512 * sizeof(ulong)];
        for (ulong i = 0; _extreme && i < roots; i += 512)
        {
            int count = (int)Math.Min(512, roots - i);
            if (_memory.Read(unchecked(_roots + (i * sizeof(ulong))), some.AsSpan(0, count * sizeof(ulong))) != MemoryStatus.Ok)
                continue;
            for (int k = 0; k < count; k++)
            {
                ulong root = _memory.Word64(some.AsSpan(k * sizeof(ulong)));
                if (_memory.IsKernelAddress(root))
                    yield return new(root, unchecked(root + rootSize));
            }
        }
    }

    internal static SparseMemoryModel Create(CrashedKernel kernel, int pageShift, int structPageSize, ulong symbol, int entrySize, int mapOffset)
    {
        VmcoreInfo info = kernel.VmcoreInfo;
        long sectionBits = info.Number("SECTION_SIZE_BITS") ?? kernel.Architecture.DefaultSectionBits(info, pageShift);
        long physicalBits = info.Number("MAX_PHYSMEM_BITS") ?? kernel.Architecture.DefaultPhysicalBits(kernel.Memory);
        int pageSize = 1 << pageShift;
        if (sectionBits < Math.Max(24, pageShift + 1) || sectionBits > 40 || physicalBits < sectionBits || physicalBits > 56)
            throw new MissingInformationException($"vmcoreinfo: SECTION_SIZE_BITS={sectionBits} and MAX_PHYSMEM_BITS={physicalBits} are impossible: "
                + "the struct pages cannot be found");
        if (entrySize is < 8 or > 4096 || mapOffset + 8 > entrySize)
            throw new MissingInformationException($"vmcoreinfo: SIZE(mem_section)={entrySize} and "
                + $"OFFSET(mem_section.section_mem_map)={mapOffset} are impossible: the struct pages cannot be found");
        ulong count = 1UL << (int)(physicalBits - sectionBits);
        int perRoot = pageSize / entrySize;
        // With SPARSEMEM_EXTREME there is one entry per root, without it one per section.
        bool extreme = info.Length("mem_section") is not { } length || (ulong)length != count || count <= (ulong)perRoot;
        if (extreme && info.Length("mem_section") is { } roots && (ulong)roots < ((count + (ulong)perRoot - 1) / (ulong)perRoot))
            count = (ulong)roots * (ulong)perRoot;
        SparseMemoryModel Model(ulong address, bool ex) =>
            new(kernel.Memory, structPageSize, address, ex, entrySize, mapOffset, perRoot, (int)sectionBits - pageShift, count);
        SparseMemoryModel model = Model(symbol, extreme);
        if (model.HasAnySection())
            return model;

        // vmcoreinfo gives the value of the pointer since 4.15, before that, and in a vmlinux, its address.
        if (extreme && kernel.Memory.TryReadUInt64(symbol, out ulong pointed) && kernel.Memory.IsKernelAddress(pointed))
        {
            SparseMemoryModel indirect = Model(pointed, true);
            if (indirect.HasAnySection())
                return indirect;
        }

        SparseMemoryModel plain = Model(symbol, !extreme);
        return plain.HasAnySection() ? plain
            : throw new MissingInformationException(model.IsUnreadable(0)
                ? $"mem_section at 0x{symbol:x} cannot be read: the struct pages cannot be found"
                : $"mem_section at 0x{symbol:x} names no section with a memmap: the struct pages cannot be found");
    }

    // Boot memory may begin anywhere: absent roots are skipped, so that most of what is asked are roots that are there.
    private bool HasAnySection()
    {
        int asked = 0;
        for (ulong i = 0; i < _sectionCount && asked < _memory.Limits.SectionsAsked; i = NextPresent(i), asked++)
        {
            if (GetSection(i) is { HasMemMap: true } section
                && _memory.IsKernelAddress(unchecked(section.MemMap + ((i << _pfnShift) * (ulong)StructPageSize))))
                return true;
        }

        return false;
    }

    private Root ReadRoot(ulong rootNumber)
    {
        var sections = new MemorySection[_perRoot];
        ulong address;
        if (!_extreme)
            address = unchecked(_roots + (rootNumber * (ulong)_perRoot * (ulong)_entrySize));
        else if (!_memory.TryReadUInt64(unchecked(_roots + (rootNumber * 8)), out address))
            return new(rootNumber, sections) { IsAbsent = true, IsUnreadable = true };
        else if (address == 0)
            return new(rootNumber, sections) { IsAbsent = true };
        byte[] bytes = new byte[_perRoot * _entrySize];
        bool whole = _memory.Read(address, bytes) == MemoryStatus.Ok;
        for (int i = 0; i < _perRoot; i++)
        {
            Span<byte> entry = bytes.AsSpan(i * _entrySize, _entrySize);
            if (!whole && _memory.Read(address + (ulong)(i * _entrySize), entry) != MemoryStatus.Ok)
                continue;
            ulong word = _memory.Word64(entry[_mapOffset..]);
            sections[i] = new(word & ~FlagMask, (uint)(word & FlagMask));
        }

        return new(rootNumber, sections) { IsUnreadable = !whole };
    }

    private sealed record Root(ulong Number, MemorySection[] Sections)
    {
        public bool IsAbsent { get; init; }

        public bool IsUnreadable { get; init; }
    }
}
