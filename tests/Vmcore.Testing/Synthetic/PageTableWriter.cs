namespace Vmcore.Testing;

/// <summary>Writes x86_64 page tables of four or five levels.</summary>
internal sealed class PageTableWriter(PhysicalStore memory, RamAllocator ram, ulong root, int levels, ulong smeMask, bool pat)
{
    private const ulong Present = 1, Large = 0x80, LargePat = 0x1000, AddressMask = 0x000ffffffffff000;
    private const ulong TableFlags = 0x067, LeafFlags = 0x163 | (1ul << 63);

    /// <summary>Physical pages of all tables but the root.</summary>
    public List<ulong> TablePfns { get; } = [];

    /// <summary>Maps one leaf of 4 KiB, 2 MiB or 1 GiB.</summary>
    public void Map(ulong va, ulong pa, ulong size)
    {
        int leafLevel = size switch { 1ul << 12 => 0, 1ul << 21 => 1, 1ul << 30 => 2, _ => throw new ArgumentOutOfRangeException(nameof(size)) };
        if (((va | pa) & (size - 1)) != 0)
            throw new ArgumentException("A leaf must be aligned to its size.", nameof(va));
        ulong leaf = pa | LeafFlags | smeMask;
        if (leafLevel > 0)
            leaf |= Large | (pat && (va / size & 1) != 0 ? LargePat : 0);
        memory.Write64(Slot(TableFor(va, leafLevel), va, leafLevel), leaf);
    }

    /// <summary>Maps 1 GiB by a table of 2 MiB leaves that others may use too.</summary>
    public void Link(ulong va, ulong tablePfn) => memory.Write64(Slot(TableFor(va, 2), va, 2), (tablePfn << 12) | TableFlags | smeMask);

    /// <summary>The entry of a 2 MiB leaf, for a table made by hand.</summary>
    public ulong BlockEntry(ulong pa) => pa | LeafFlags | Large | smeMask;

    private ulong TableFor(ulong va, int leafLevel)
    {
        ulong table = root;
        for (int level = levels - 1; level > leafLevel; level--)
        {
            ulong slot = Slot(table, va, level);
            ulong entry = memory.Read64(slot);
            if ((entry & Present) != 0 && (entry & Large) != 0)
                throw new InvalidOperationException($"0x{va:x} is mapped by a larger leaf already.");
            if ((entry & Present) == 0)
            {
                ulong pfn = ram.Pages(1);
                TablePfns.Add(pfn);
                memory.Page(pfn);
                entry = (pfn << 12) | TableFlags | smeMask;
                memory.Write64(slot, entry);
            }

            table = entry & AddressMask & ~smeMask;
        }

        return table;
    }

    /// <summary>Maps a range with the largest leaves that fit, up to <paramref name="largest"/>; what is mapped already stays.</summary>
    public void MapRange(ulong va, ulong pa, ulong length, ulong largest = 1ul << 21)
    {
        ulong end = va + length;
        while (va < end)
        {
            ulong size = largest;
            while (size > 4096 && (((va | pa) & (size - 1)) != 0 || end - va < size))
                size >>= 9;
            if (!Find(va).Mapped)
                Map(va, pa, size);
            va += size;
            pa += size;
        }
    }

    /// <summary>What maps an address: the physical address, or the level at which the walk ended (0: in a table of leaves of 4 KiB).</summary>
    public (bool Mapped, ulong Physical, int Level) Find(ulong va)
    {
        ulong table = root;
        for (int level = levels - 1; ; level--)
        {
            ulong entry = memory.Read64(Slot(table, va, level));
            if ((entry & Present) == 0)
                return (false, 0, level);
            ulong address = entry & AddressMask & ~smeMask;
            if (level == 0 || (entry & Large) != 0)
            {
                ulong offsetMask = (1ul << (12 + (9 * level))) - 1;
                return (true, (address & ~offsetMask) | (va & offsetMask), level);
            }

            table = address;
        }
    }

    private static ulong Slot(ulong table, ulong va, int level) => table + ((va >> (12 + (9 * level)) & 511) * 8);
}
