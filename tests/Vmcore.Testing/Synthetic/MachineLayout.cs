using System.Buffers.Binary;
using System.Text;

namespace Vmcore.Testing;

/// <summary>The kernel of a built machine: its image, tables and structures, as bytes in physical memory.</summary>
internal sealed class MachineLayout
{
    private const ulong DataOffset = 2ul << 20;

    private readonly SyntheticMachine _machine;
    private readonly MachineOptions _options;
    private readonly Placement[] _placements;
    private readonly RamAllocator _ram;
    private readonly PageTableWriter _tables;

    public MachineLayout(SyntheticMachine machine, IEnumerable<Placement> placements)
    {
        _machine = machine;
        _options = machine.Options;
        _placements = [.. placements.OrderBy(p => p.Pfn)];
        CheckPlacements();
        ulong image = _options.KernelPhysicalStart;
        (ulong crash, ulong crashLength) = _options.CrashKernel;
        List<(ulong, ulong)> used =
        [
            (0, 0x100),
            (image >> 12, (image + MachineOptionsExtensions.ImageSize) >> 12),
            (crash >> 12, (crash + crashLength + 4095) >> 12),
            .. _placements.Select(p => (p.Pfn, p.End)),
        ];
        _ram = new(machine.Ram.Select(r => ((r.Start + 4095) >> 12, r.End >> 12)), used);
        ulong root = image + DataOffset;
        _tables = new(Memory, _ram, root, _options.Levels, _options.SmeMask, _options.PatOnLargeLeaves);
        WriteImage(root);
        MapDirect();
        var memmap = new MemmapLayout(machine, Memory, _ram, _tables, _placements, Symbols);
        memmap.Write(DataAddress(0x20000));
        foreach (PmemRegion region in machine.Pmem)
        {
            foreach (SyntheticNamespace space in region.Spaces)
                WriteMedia(space);
        }

        if (_options.RfcList)
            WriteRfcList();
    }

    public PhysicalStore Memory { get; } = new();

    public Dictionary<string, ulong> Symbols { get; } = [];

    public SortedSet<ulong> PmemMetadata { get; } = [];

    /// <summary>The block that covers a page of RAM.</summary>
    public Placement? PlacementOf(ulong pfn)
    {
        int low = 0, high = _placements.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_placements[middle].End <= pfn)
                low = middle + 1;
            else
                high = middle;
        }

        if (low < _placements.Length && _placements[low].Pfn <= pfn)
            return _placements[low];
        return _machine.Repeated.FirstOrDefault(r => r.Contains(pfn))?.PlacementOf(pfn);
    }

    private void CheckPlacements()
    {
        ulong imageStart = _options.KernelPhysicalStart >> 12;
        ulong imageEnd = imageStart + (MachineOptionsExtensions.ImageSize >> 12);
        ulong last = 0;
        foreach (Placement p in _placements)
        {
            if (p.Pfn < last || (p.Pfn < imageEnd && p.End > imageStart))
                throw new InvalidOperationException($"What was placed at pfn 0x{p.Pfn:x} overlaps something else.");
            if (!_machine.Ram.Any(r => p.Pfn >= r.Start >> 12 && p.End <= (r.End + 4095) >> 12))
                throw new InvalidOperationException($"What was placed at pfn 0x{p.Pfn:x} is not on RAM.");
            last = p.End;
        }
    }

    /// <summary>Physical and virtual address of an offset in the kernel's data.</summary>
    private (ulong Physical, ulong Virtual) DataAddress(ulong offset) =>
        (_options.KernelPhysicalStart + DataOffset + offset, _options.Text() + DataOffset + offset);

    private void WriteImage(ulong root)
    {
        ulong text = _options.Text();
        Memory.Page(root >> 12);
        _tables.Map(text, _options.KernelPhysicalStart, 2ul << 20);
        for (ulong offset = DataOffset; offset < MachineOptionsExtensions.ImageSize; offset += 4096)
            _tables.Map(text + offset, _options.KernelPhysicalStart + offset, 4096);
        for (ulong pfn = 0; pfn < 16; pfn++)
            PageText.FillRandom(Memory.Page((_options.KernelPhysicalStart >> 12) + pfn), pfn, ~_options.Seed);

        Symbols["_stext"] = text;
        Symbols["swapper_pg_dir"] = Symbols["init_top_pgt"] = DataAddress(0).Virtual;
        WriteUtsNames();
        Symbols["node_online_map"] = DataAddress(0x3000).Virtual;
        Memory.Write64(DataAddress(0x3000).Physical, 1);
        if (_options.MemoryModel == SyntheticMemoryModel.SparseVmemmap)
            Symbols["vmemmap"] = _options.Vmemmap();
        if (_options.Era < KernelEra.V6_9)
            WriteVmapArea();
        WriteNode();
    }

    private void WriteUtsNames()
    {
        (ulong physical, ulong address) = DataAddress(0x2000);
        Symbols["init_uts_ns"] = address;
        physical += (ulong)VmcoreinfoText.UtsNameOffset(_options);
        string[] names = ["Linux", "synthetic", _options.Release ?? _machine.Era.Release, "#1 SMP synthetic", "x86_64", "(none)"];
        for (int i = 0; i < names.Length; i++)
            Memory.Write(physical + ((ulong)i * 65), Encoding.ASCII.GetBytes(names[i]));
    }

    private void WriteVmapArea()
    {
        (ulong physical, ulong address) = DataAddress(0x3100);
        Symbols["vmap_area_list"] = address;
        ulong area = _ram.Bytes(64);
        ulong link = _options.PageOffset() + area + 40;
        Memory.Write64(area, _options.VmallocBase());
        Memory.Write64(area + 40, address);
        Memory.Write64(area + 48, address);
        Memory.Write64(physical, link);
        Memory.Write64(physical + 8, link);
    }

    private void WriteNode()
    {
        ulong node = _ram.Pages(5) << 12;
        ulong last = _machine.AllRam.Max(r => (r.End + 4095) >> 12);
        Memory.Write64(node + 17640, 0);
        Memory.Write64(node + 17648, last);
        Memory.Write64(node + 17656, last);
        // nr_zones shares a word with nothing else that is written.
        Memory.Write64(node + 17632, 3);
        Memory.Write64(node + 144, last);
        ulong address = _options.PageOffset() + node;
        if (_options.NodesShift == 0)
        {
            Symbols["contig_page_data"] = address;
            return;
        }

        Symbols["node_data"] = DataAddress(0x4000).Virtual;
        Memory.Write64(DataAddress(0x4000).Physical, address);
    }

    private void MapDirect()
    {
        ulong pageOffset = _options.PageOffset();
        ulong granule = _options.GigabyteDirectMap ? 1ul << 30 : 4096;
        IEnumerable<(ulong Start, ulong End)> mapped = _machine.Ram.Concat(
            _machine.Pmem.SelectMany(r => r.Spaces).Where(s => s.HasMemmap).Select(s => (s.MappedStart, s.MappedEnd)));
        foreach ((ulong start, ulong end) in mapped)
        {
            ulong from = start / granule * granule;
            ulong to = (end + granule - 1) / granule * granule;
            // The kernel maps from 0 on: readers take the lowest mapping for that of address 0.
            if (start < 1 << 20)
                from = 0;
            _tables.MapRange(pageOffset + from, from, to - from, _options.GigabyteDirectMap ? 1ul << 30 : 2ul << 20);
        }

        foreach (RepeatedRam repeated in _machine.Repeated)
            _tables.MapRange(pageOffset + repeated.Start, repeated.Start, repeated.Length, 1ul << 30);
    }

    private void WriteMedia(SyntheticNamespace space)
    {
        PmemNamespaceOptions o = space.Options;
        foreach (ulong pfn in space.AltmapPfns)
            PmemMetadata.Add(pfn);
        if (!space.HasInfoBlock)
            return;
        byte[] block = InfoBlockWriter.Create(space, _options.StructPageSize);
        if (o.State == SyntheticPmemState.LiveInfoBlockLost)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(block.AsSpan(4088), ~BinaryPrimitives.ReadUInt64LittleEndian(block.AsSpan(4088)));
            Encoding.ASCII.GetBytes(PageText.PmemStale).CopyTo(block.AsSpan(1024));
        }
        else if (space.HasMemmap)
        {
            PmemMetadata.Add((space.Start >> 12) + 1);
        }

        Memory.Write(space.Start + 4096, block);
        if (!o.FakeInfoBlocksInData)
            return;
        for (ulong at = ((space.DataPfn << 12) + (16ul << 20)) & ~((16ul << 20) - 1); at + (16ul << 20) <= space.End; at += 16ul << 20)
        {
            byte[] fake = InfoBlockWriter.Create(new(at, 16ul << 20, new() { Mode = o.Mode }, 64), 64);
            // The rest of a block is not looked at, but it says that this is user data.
            Memory.Write(at + 4096, fake);
        }
    }

    private void WriteRfcList()
    {
        (ulong headPhysical, ulong head) = DataAddress(0x14000);
        Symbols["devm_memmap_vmcore_head"] = head;
        ulong previous = head, previousPhysical = headPhysical;
        // The newest comes first.
        foreach (SyntheticNamespace space in _machine.Pmem.SelectMany(r => r.Spaces).Where(s => s.HasMemmap && s.Options.Map == SyntheticPmemMap.Dev).Reverse())
        {
            ulong node = _ram.Bytes(40);
            ulong address = _options.PageOffset() + node;
            Memory.Write64(previousPhysical, address);
            Memory.Write64(node + 8, previous);
            Memory.Write64(node + 16, space.MappedStart >> 12);
            Memory.Write64(node + 24, space.DataPfn);
            Memory.Write64(node + 32, _options.PageOffset() + 0x123400);
            previous = address;
            previousPhysical = node;
        }

        Memory.Write64(previousPhysical, head);
        Memory.Write64(headPhysical + 8, previous);
    }
}
