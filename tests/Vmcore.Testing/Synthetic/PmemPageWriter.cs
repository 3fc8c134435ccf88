namespace Vmcore.Testing;

/// <summary>The struct pages of a namespace.</summary>
internal sealed class PmemPageWriter(SyntheticMachine machine, PhysicalStore memory, RamAllocator ram, StructPageWriter writer, Func<ulong, ulong> addressOf)
{
    /// <summary>What a capture kernel with another base would have left.</summary>
    private const ulong OtherBase = 0x40000000000;

    public void Write(SyntheticNamespace space)
    {
        PmemNamespaceOptions o = space.Options;
        ulong first = space.MappedStart >> 12;
        ulong end = space.MappedEnd >> 12;
        ulong shift = o.State == SyntheticPmemState.MemmapOverwritten ? OtherBase : 0;
        ulong pgmap = WritePgmap(space) + shift;
        ulong initialised = o.Map == SyntheticPmemMap.Dev ? first + 2 : first;
        if (o.StaleReserve && o.Map == SyntheticPmemMap.Dev)
            writer.Write(first, PageImage.InUse(0) with { MapCount = machine.Era.BuddyType, Private = 10, RefCount = 0 });
        ulong data = o.Map == SyntheticPmemMap.Dev ? space.DataPfn : first;
        if (o.WrittenStructs is { } written)
        {
            for (ulong pfn = initialised; pfn < initialised + 16; pfn++)
                writer.Write(pfn, PageImage.InUse(Flags(pfn)) with { Word8 = addressOf(pfn) + 8, Word16 = addressOf(pfn) + 8 });
            initialised = data;
            end = Math.Min(end, data + written);
        }

        for (ulong pfn = initialised; pfn < data; pfn++)
        {
            ulong self = addressOf(pfn) + 8 + shift;
            writer.Write(pfn, PageImage.InUse(Flags(pfn)) with { Word8 = self, Word16 = self });
        }

        bool compound = o.Mode == SyntheticPmemMode.DevDax && o.Align > 4096 && machine.Era.CompoundDevdax;
        int order = compound ? int.TrailingZeroCount((int)(o.Align / 4096)) : 0;
        for (ulong pfn = data; pfn < end; pfn += 1ul << order)
            WriteData(pfn, order, pgmap);
        if (o.State == SyntheticPmemState.MemmapOverwritten)
            return;
        foreach ((ulong page, ulong count, ulong mapping, ulong index) in space.Files)
        {
            for (ulong i = 0; i < count; i++)
            {
                ulong pfn = space.DataPfn + page + i;
                PageImage image = Data(pfn, pgmap) with { Mapping = mapping, Index = mapping == 1 ? index : index + i };
                image.RefCount++;
                if (pfn < end && order == 0)
                    writer.Write(pfn, image);
                else if (pfn < end && pfn % (1ul << order) == 0)
                    writer.Write(pfn, image with { Flags = image.Flags | (1ul << machine.Era.Head) });
            }
        }
    }

    private ulong Flags(ulong pfn) => writer.ZoneFlags(pfn, device: true) | (1ul << machine.Era.Reserved);

    private PageImage Data(ulong pfn, ulong pgmap) => PageImage.InUse(Flags(pfn)) with { Word8 = pgmap, RefCount = machine.Era.DaxFolios ? 0 : 1 };

    private void WriteData(ulong pfn, int order, ulong pgmap)
    {
        if (order == 0)
            writer.Write(pfn, Data(pfn, pgmap));
        else
            writer.WriteCompound(pfn, order, Data(pfn, pgmap), hugetlb: false, device: true);
    }

    /// <summary>Writes struct dev_pagemap as 6.1 and 6.12 have it; answers its address.</summary>
    private ulong WritePgmap(SyntheticNamespace space)
    {
        PmemNamespaceOptions o = space.Options;
        ulong at = ram.Bytes(192);
        bool dev = o.Map == SyntheticPmemMap.Dev;
        ulong shift = machine.Options.Era >= KernelEra.V6_9 ? 8ul : 0;
        ulong first = space.MappedStart >> 12;
        if (dev)
        {
            ulong used = (ulong)space.AltmapPfns.Count;
            memory.Write64(at, first);
            memory.Write64(at + 8, (space.MappedEnd >> 12) - 1);
            memory.Write64(at + 16, 2);
            memory.Write64(at + 24, (space.DataOffset >> 12) - 2);
            memory.Write64(at + 32, used == 0 ? 0 : space.AltmapPfns[0] - first - 2);
            memory.Write64(at + 40, used);
        }

        memory.Write64(at + 96 + shift, (o.Mode == SyntheticPmemMode.FsDax ? 3ul : 4ul) | (dev ? 1ul << 32 : 0));
        memory.Write64(at + 104 + shift, o.Mode == SyntheticPmemMode.DevDax ? (ulong)int.TrailingZeroCount((int)(o.Align / 4096)) : 0);
        memory.Write64(at + 128 + shift, 1);
        memory.Write64(at + 136 + shift, space.MappedStart);
        memory.Write64(at + 144 + shift, space.MappedEnd - 1);
        return space.PgmapAddress = machine.Options.PageOffset() + at;
    }
}
