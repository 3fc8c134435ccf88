namespace Vmcore.Testing;

/// <summary>A machine that crashed, made from a description, with known answers.</summary>
/// <remarks>
/// Describe it (<see cref="AddRam"/>, <see cref="AddPmem"/>, <see cref="Place"/>), then ask for vmcores
/// (<see cref="ToElf"/>, <see cref="WriteSparse"/>, <see cref="Core"/>) and for the verdicts. The first question builds the machine: its kernel
/// takes RAM that nothing was placed on, and from then on the description is closed. RAM where nothing was placed is
/// <see cref="PageKind.ZeroFilled"/>.
/// </remarks>
public sealed partial class SyntheticMachine
{
    private readonly List<(ulong Start, ulong End)> _ram = [];
    private readonly List<RepeatedRam> _repeated = [];
    private readonly List<PmemRegion> _pmem = [];
    private readonly List<Placement> _placements = [];
    private MachineLayout? _layout;

    public SyntheticMachine(MachineOptions? options = null)
    {
        Options = options ?? new();
        Era = EraProfile.Of(Options.Era);
        if (Options.Levels is not (4 or 5))
            throw new ArgumentException("Page tables have 4 or 5 levels.", nameof(options));
        if (Options.StructPageSize < 56 || Options.StructPageSize % 8 != 0)
            throw new ArgumentException("SIZE(page) is a multiple of 8 from 56.", nameof(options));
        if (Options.CompoundInfoMask && (Options.Era < KernelEra.V7_1 || !ulong.IsPow2((ulong)Options.StructPageSize)))
            throw new ArgumentException("The mask encoding needs 7.1 and a power of two.", nameof(options));
    }

    public MachineOptions Options { get; }

    public EraProfile Era { get; }

    public IReadOnlyList<PmemRegion> Pmem => _pmem;

    /// <summary>Virtual addresses of the kernel's symbols.</summary>
    public IReadOnlyDictionary<string, ulong> Symbols => Layout.Symbols;

    /// <summary>The text of the vmcoreinfo note.</summary>
    public string Vmcoreinfo => VmcoreinfoText.Create(Options, Layout.Symbols);

    /// <summary>Start of the direct map.</summary>
    public ulong PageOffset => Options.PageOffset();

    /// <summary>RAM ranges in bytes, half-open, ascending.</summary>
    internal IReadOnlyList<(ulong Start, ulong End)> Ram => _ram;

    internal IReadOnlyList<RepeatedRam> Repeated => _repeated;

    /// <summary>All RAM, the repeated included.</summary>
    internal IEnumerable<(ulong Start, ulong End)> AllRam => _ram.Concat(_repeated.Select(r => (r.Start, r.End))).Order();

    internal MachineLayout Layout => _layout ??= new MachineLayout(this, _placements);

    /// <summary>Adds a range of RAM, in bytes. Its ends may lie inside a page.</summary>
    public SyntheticMachine AddRam(ulong start, ulong length)
    {
        Open();
        _ram.Add((start, start + length));
        _ram.Sort();
        return this;
    }

    /// <summary>Adds terabytes of RAM that cost nothing: sections of 128 MiB hold the kinds in turn.</summary>
    /// <param name="start">First byte, a multiple of 64 GiB; nothing else lies in the same 64 GiB.</param>
    /// <param name="length">Bytes, a multiple of 64 GiB.</param>
    /// <param name="kinds">A power of two of kinds; only those that are no compound pages.</param>
    /// <exception cref="ArgumentException">Sizes or kinds do not allow it.</exception>
    public SyntheticMachine AddRepeatedRam(ulong start, ulong length, params PageKind[] kinds)
    {
        Open();
        if (start == 0 || (start | length) % RepeatedRam.Window != 0 || !int.IsPow2(kinds.Length) || kinds.Length > 16)
            throw new ArgumentException("Repeated RAM consists of whole 64 GiB and up to 16 kinds.", nameof(kinds));
        if (Options.StructPageSize != 64 || Options.MemoryModel != SyntheticMemoryModel.SparseVmemmap)
            throw new ArgumentException("Repeated RAM needs a virtual memmap with records of 64 bytes.", nameof(start));
        if (kinds.Any(k => k is PageKind.AnonHuge or PageKind.Hugetlb or PageKind.Unaccepted))
            throw new ArgumentException("The records of repeated RAM cannot name themselves, as compound pages do.", nameof(kinds));
        _repeated.Add(new(start, length, kinds));
        return this;
    }

    /// <summary>Adds a range of persistent memory, in bytes.</summary>
    public PmemRegion AddPmem(ulong start, ulong length)
    {
        Open();
        var region = new PmemRegion(start, length, Options.StructPageSize);
        _pmem.Add(region);
        _pmem.Sort(static (a, b) => a.Start.CompareTo(b.Start));
        return region;
    }

    /// <summary>Puts a page, or a block of 2^<paramref name="order"/> pages, on RAM.</summary>
    /// <param name="pfn">First pfn, aligned to the order.</param>
    /// <param name="kind">What it is.</param>
    /// <param name="order">log2 of the pages; 0 means the usual order of the kind.</param>
    /// <param name="fill">What is in it.</param>
    /// <param name="extraFlags">More bits of the flags of the (first) struct page.</param>
    public SyntheticMachine Place(ulong pfn, PageKind kind, int order = 0, PageFill fill = PageFill.ByKind, ulong extraFlags = 0)
    {
        Open();
        if (order == 0)
            order = kind switch { PageKind.AnonHuge or PageKind.Hugetlb => 9, PageKind.Unaccepted => 10, _ => 0 };
        if ((pfn & ((1ul << order) - 1)) != 0)
            throw new ArgumentException("A block is aligned to its order.", nameof(pfn));
        _placements.Add(new(pfn, order, kind, fill, extraFlags));
        return this;
    }

    /// <summary>Puts <paramref name="count"/> blocks of one kind next to each other.</summary>
    public SyntheticMachine PlaceMany(ulong pfn, int count, PageKind kind, int order = 0, PageFill fill = PageFill.ByKind)
    {
        for (int i = 0; i < count; i++)
        {
            Place(pfn, kind, order, fill);
            pfn = _placements[^1].End;
        }

        return this;
    }

    /// <summary>The vmcore of this machine in a shape, made while it is read.</summary>
    public CoreImage Core(ElfShape? shape = null) => CoreImageBuilder.Build(this, shape ?? new());

    /// <summary>The vmcore as bytes; for machines whose memory fits an array.</summary>
    public byte[] ToElf(ElfShape? shape = null)
    {
        CoreImage core = Core(shape);
        byte[] bytes = new byte[core.Length];
        core.Read(0, bytes);
        return bytes;
    }

    /// <summary>Writes the vmcore to a sparse file.</summary>
    public void WriteSparse(string path, ElfShape? shape = null) => Core(shape).WriteSparse(path);

    private void Open()
    {
        if (_layout is not null)
            throw new InvalidOperationException("The machine was built already.");
    }
}
