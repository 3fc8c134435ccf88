namespace Vmcore.Testing;

/// <summary>Lays out sections and struct pages, and says which pages of pmem hold them.</summary>
internal sealed class MemmapLayout
{
    private const ulong SectionPages = 1ul << 15, SubsectionPages = 512, Block = 2ul << 20;
    private const ulong EarlyFlags = 0xf, DeviceFlags = 0x3, TaintFlag = 0x10;

    private readonly SyntheticMachine _machine;
    private readonly MachineOptions _options;
    private readonly PhysicalStore _memory;
    private readonly RamAllocator _ram;
    private readonly PageTableWriter _tables;
    private readonly Placement[] _placements;
    private readonly Dictionary<string, ulong> _symbols;
    private readonly SortedDictionary<ulong, Section> _sections = [];
    private readonly Dictionary<ulong, ulong> _vmemmapPages = [];
    private readonly StructPageWriter _writer;
    private ulong _flatMap;

    public MemmapLayout(SyntheticMachine machine, PhysicalStore memory, RamAllocator ram,
        PageTableWriter tables, Placement[] placements, Dictionary<string, ulong> symbols)
    {
        _machine = machine;
        _options = machine.Options;
        _memory = memory;
        _ram = ram;
        _tables = tables;
        _placements = placements;
        _symbols = symbols;
        _writer = new(memory, _options, AddressOf, Translate);
    }

    private bool Virtual => _options.MemoryModel == SyntheticMemoryModel.SparseVmemmap;

    private ulong Size => (ulong)_options.StructPageSize;

    /// <summary>Writes everything.</summary>
    /// <param name="staticArea">Place in the kernel image for a table without allocation.</param>
    public void Write((ulong Physical, ulong Virtual) staticArea)
    {
        foreach ((ulong start, ulong end) in _machine.Ram)
        {
            for (ulong nr = start >> 27; nr << 27 < end; nr++)
                _sections[nr] = new Section { Early = true, Subsections = ulong.MaxValue };
        }

        AllocateForRam();
        List<SyntheticNamespace> spaces = [.. _machine.Pmem.SelectMany(r => r.Spaces).Where(s => s.HasMemmap)];
        if (spaces.Count > 0 && !Virtual)
            throw new NotSupportedException("Pmem with struct pages needs a virtual memmap.");
        foreach (SyntheticNamespace space in spaces)
            AddSpace(space);
        if (_options.MemoryModel == SyntheticMemoryModel.Flat)
            WriteFlat(staticArea);
        else
            WriteSections(staticArea);
        WriteRamPages();
        foreach (RepeatedRam repeated in _machine.Repeated)
            WriteRepeated(repeated);
        foreach (SyntheticNamespace space in spaces)
            new PmemPageWriter(_machine, _memory, _ram, _writer, AddressOf).Write(space);
    }

    private ulong AddressOf(ulong pfn) => _options.MemoryModel switch
    {
        SyntheticMemoryModel.SparseVmemmap => _options.Vmemmap() + (pfn * Size),
        SyntheticMemoryModel.Flat => _options.PageOffset() + _flatMap + (pfn * Size),
        _ => _options.PageOffset() + _sections[pfn >> 15].Map + ((pfn & (SectionPages - 1)) * Size),
    };

    private ulong? Translate(ulong va) =>
        !Virtual ? va - _options.PageOffset()
        : _vmemmapPages.TryGetValue(va >> 12, out ulong pfn) ? (pfn << 12) | (va & 4095)
        : _tables.Find(va) is (true, { } physical, _) ? physical
        : null;

    private void AllocateForRam()
    {
        if (_options.MemoryModel == SyntheticMemoryModel.Flat)
        {
            ulong pages = (_sections.Keys.Max() + 1) * SectionPages;
            _flatMap = _ram.Pages(((pages * Size) + 4095) >> 12, 512) << 12;
            return;
        }

        foreach ((ulong nr, Section section) in _sections)
        {
            if (Virtual)
                Populate(nr * SectionPages, SectionPages, altmap: null);
            else
                section.Map = _ram.Pages(((SectionPages * Size) + 4095) >> 12, 512) << 12;
        }
    }

    /// <summary>Backs the struct pages of a range, as the kernel would.</summary>
    private void Populate(ulong pfn, ulong count, Altmap? altmap)
    {
        ulong start = AddressOf(pfn);
        ulong end = AddressOf(pfn + count);
        bool wholeSection = count == SectionPages;
        for (ulong va = start & ~4095ul; va < end;)
        {
            ulong next = Math.Min((va & ~(Block - 1)) + Block, end);
            (bool mapped, _, int level) = _tables.Find(va);
            if (mapped)
            {
                va += 4096;
                continue;
            }

            if (wholeSection && level > 0 && !_options.VmemmapBasePages)
            {
                ulong block = va & ~(Block - 1);
                ulong target = altmap?.Take(512) ?? _ram.Pages(512, 512);
                _tables.Map(block, target << 12, Block);
                for (ulong i = 0; i < 512 && altmap is not { IsSparse: true }; i++)
                    _vmemmapPages[(block >> 12) + i] = target + i;
                va = next;
                continue;
            }

            ulong page = wholeSection && altmap is not null ? altmap.Take(1) : _ram.Pages(1);
            _tables.Map(va, page << 12, 4096);
            _vmemmapPages[va >> 12] = page;
            va += 4096;
        }
    }

    private void AddSpace(SyntheticNamespace space)
    {
        ulong first = space.MappedStart >> 12;
        ulong end = space.MappedEnd >> 12;
        if (!_machine.Era.HasSubsections && ((first | end) & (SectionPages - 1)) != 0)
            throw new NotSupportedException("Before 5.3 a mapping of pmem consists of whole sections.");
        if (((first | end) & (SubsectionPages - 1)) != 0)
            throw new NotSupportedException("A mapping of pmem starts and ends at 2 MiB.");
        Altmap? altmap = space.Options.Map == SyntheticPmemMap.Dev ? new(first + 2, space, _memory) : null;
        for (ulong pfn = first; pfn < end;)
        {
            ulong nr = pfn >> 15;
            ulong next = Math.Min((nr + 1) << 15, end);
            if (!_sections.TryGetValue(nr, out Section? section))
                _sections.Add(nr, section = new());
            if (!section.Early)
            {
                for (ulong sub = pfn; sub < next; sub += SubsectionPages)
                    section.Subsections |= 1ul << (int)((sub & (SectionPages - 1)) >> 9);
                Populate(pfn, next - pfn, altmap);
            }

            if (next - pfn != SectionPages && _machine.Era.HasTaintFlag)
                section.Taint = true;
            pfn = next;
        }
    }

    private void WriteSections((ulong Physical, ulong Virtual) staticArea)
    {
        ulong entrySize = (ulong)_options.MemSectionSize;
        ulong perRoot = (ulong)_options.SectionsPerRoot();
        ulong roots;
        if (_options.MemoryModel == SyntheticMemoryModel.SparseStatic)
        {
            if (_options.SectionRoots() * entrySize > 0x100000)
                throw new NotSupportedException("The plain array of sections is limited to 1 MiB: lower MaxPhysmemBits.");
            roots = staticArea.Physical;
            _symbols["mem_section"] = staticArea.Virtual;
        }
        else
        {
            roots = _ram.Pages(((_options.SectionRoots() * 8) + 4095) >> 12) << 12;
            _symbols["mem_section"] = _options.PageOffset() + roots;
        }

        foreach ((ulong nr, Section section) in _sections)
        {
            ulong entry = roots + (nr * entrySize);
            if (_options.MemoryModel != SyntheticMemoryModel.SparseStatic)
            {
                ulong slot = roots + (nr / perRoot * 8);
                if (_memory.Read64(slot) == 0)
                    _memory.Write64(slot, _options.PageOffset() + (_ram.Pages(1) << 12));
                entry = _memory.Read64(slot) - _options.PageOffset() + (nr % perRoot * entrySize);
            }

            ulong map = Virtual ? _options.Vmemmap() : _options.PageOffset() + section.Map - (nr * SectionPages * Size);
            ulong flags = (section.Early ? EarlyFlags : DeviceFlags) | (section.Taint ? TaintFlag : 0);
            if (_options.Era < KernelEra.V5_4)
                flags &= section.Early ? 0x7ul : 0x3;
            _memory.Write64(entry, map | flags);
            ulong usage = _ram.Bytes(64);
            _memory.Write64(usage + (ulong)_machine.Era.SubsectionMapOffset, section.Subsections);
            _memory.Write64(entry + 8, _options.PageOffset() + usage);
        }
    }

    /// <summary>One block of records for each kind, and one table of blocks and one page of sections for all of the range.</summary>
    private void WriteRepeated(RepeatedRam repeated)
    {
        ulong table = _ram.Pages(1);
        for (int kind = 0; kind < repeated.Kinds.Count; kind++)
        {
            ulong pfn = (repeated.Start >> 12) + ((ulong)kind << 15);
            ulong block = _ram.Pages(512, 512);
            for (ulong i = 0; i < 512; i++)
                _vmemmapPages[(AddressOf(pfn) >> 12) + i] = block + i;
            for (ulong slot = (ulong)kind; slot < 512; slot += (ulong)repeated.Kinds.Count)
                _memory.Write64((table << 12) + (slot * 8), _tables.BlockEntry(block << 12));
            for (ulong at = pfn; at < pfn + SectionPages;)
            {
                Placement placement = repeated.PlacementOf(at);
                PageImages.Write(_writer, _machine.Era, placement);
                at = placement.End;
            }
        }

        ulong sections = _ram.Pages(1);
        ulong usage = _ram.Bytes(64);
        ulong entrySize = (ulong)_options.MemSectionSize;
        _memory.Write64(usage + (ulong)_machine.Era.SubsectionMapOffset, ulong.MaxValue);
        for (ulong at = sections << 12; at < (sections + 1) << 12; at += entrySize)
        {
            _memory.Write64(at, _options.Vmemmap() | (_options.Era < KernelEra.V5_4 ? 7 : EarlyFlags));
            _memory.Write64(at + 8, _options.PageOffset() + usage);
        }

        ulong roots = _symbols["mem_section"] - _options.PageOffset();
        ulong rootBytes = 4096 / entrySize << 27;
        for (ulong at = repeated.Start; at < repeated.End; at += rootBytes)
            _memory.Write64(roots + (at / rootBytes * 8), _options.PageOffset() + (sections << 12));
        for (ulong at = repeated.Start; at < repeated.End; at += RepeatedRam.Window)
            _tables.Link(AddressOf(at >> 12), table);
    }

    private void WriteFlat((ulong Physical, ulong Virtual) staticArea)
    {
        _symbols["mem_map"] = staticArea.Virtual;
        _memory.Write64(staticArea.Physical, _options.PageOffset() + _flatMap);
    }

    private void WriteRamPages()
    {
        IEnumerable<ulong> sections = _options.MemoryModel == SyntheticMemoryModel.Flat
            ? Enumerable.Range(0, (int)_sections.Keys.Max() + 1).Select(n => (ulong)n)
            : _sections.Where(s => s.Value.Early).Select(s => s.Key);
        foreach (ulong nr in sections)
        {
            for (ulong pfn = nr * SectionPages; pfn < (nr + 1) * SectionPages; pfn++)
            {
                ulong flags = _writer.ZoneFlags(pfn, device: false);
                if (!_machine.IsRam(pfn))
                    flags |= 1ul << _machine.Era.Reserved;
                _writer.Write(pfn, PageImage.InUse(flags));
            }
        }

        foreach (Placement placement in _placements)
            PageImages.Write(_writer, _machine.Era, placement);
    }

    private sealed class Section
    {
        public bool Early { get; init; }

        public bool Taint { get; set; }

        public ulong Subsections { get; set; }

        /// <summary>Physical address of the memmap, without vmemmap.</summary>
        public ulong Map { get; set; }
    }

    /// <summary>The bump allocator of a namespace's own pages.</summary>
    private sealed class Altmap(ulong next, SyntheticNamespace space, PhysicalStore memory)
    {
        private ulong _next = next;

        /// <summary>True if most of its pages stay zero: they are too many to be kept.</summary>
        public bool IsSparse => space.Options.WrittenStructs is not null;

        public ulong Take(ulong count)
        {
            ulong pfn = (_next + count - 1) / count * count;
            _next = pfn + count;
            if (_next > space.DataPfn)
                throw new InvalidOperationException("The metadata range of the namespace is too small.");
            for (ulong i = 0; i < count && !IsSparse; i++)
            {
                space.AltmapPfns.Add(pfn + i);
                memory.Page(pfn + i);
            }

            return pfn;
        }
    }
}
