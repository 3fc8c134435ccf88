using Vmcore.Pmem;
using Vmcore.Pmem.Usage;
using Vmcore.Ranges;

namespace Vmcore.Picture;

/// <summary>What a page of pmem was used for, in the picture of it. Each page is of one of these.</summary>
public enum PmemPictureClass
{
    /// <summary>Metadata: memmap and info block.</summary>
    Metadata,

    /// <summary>In what a namespace sets aside in front of or behind its data, and that the kernel does not use.</summary>
    Reserved,

    /// <summary>No file and no process had it mapped. It may hold data: what is only read and written leaves no trace.</summary>
    Idle,

    /// <summary>It belongs to one file, or devdax device, and was mapped; by its struct page or, where that is lost, by the file's page tree and the
    /// processes' page tables.</summary>
    Mapped,

    /// <summary>Several files share it (reflink), and at least one was mapped.</summary>
    Shared,

    /// <summary>In use without a file: held by the kernel or a device.</summary>
    InUse,

    /// <summary>Its struct page is damaged, was never written, or is of another kernel.</summary>
    Foreign,

    /// <summary>Not known: its struct page, or what would say whether there is one, is not in the dump or not of the crash.</summary>
    Unknown,

    /// <summary>The kernel had no struct page for it: nothing tells of its use.</summary>
    WithoutStruct,

    /// <summary>In no namespace.</summary>
    Unassigned,
}

/// <summary>What is marked in the picture of pmem, whatever else a page is.</summary>
public enum PmemPictureMark
{
    /// <summary>Held by someone besides page tables: direct I/O, RDMA.</summary>
    Pinned,

    /// <summary>The memory failed there, and somebody touched it (PG_hwpoison).</summary>
    Poisoned,

    /// <summary>The kernel knows that the media has lost what was there.</summary>
    BadBlock,
}

/// <summary>A namespace, or pmem that is in none, drawn in one piece in cells of equal size.</summary>
public sealed class PmemPictureArea
{
    /// <summary>Number of classes.</summary>
    internal const int Classes = (int)PmemPictureClass.Unassigned + 1;

    /// <summary>Number of marks.</summary>
    internal const int Marks = (int)PmemPictureMark.BadBlock + 1;

    private readonly uint[] _classes;
    private readonly uint[] _marks;

    internal PmemPictureArea(PmemNamespace? item, PfnRange pages, int cellShift)
    {
        Namespace = item;
        Pages = pages;
        CellShift = cellShift;
        CellCount = (int)((pages.Count + (1UL << cellShift) - 1) >> cellShift);
        _classes = new uint[CellCount * Classes];
        _marks = new uint[CellCount * Marks];
    }

    /// <summary>The namespace; null for pmem that is in none.</summary>
    public PmemNamespace? Namespace { get; }

    /// <summary>What its struct pages say; null if it has none, or they cannot be found.</summary>
    public NamespaceUsage? Usage { get; internal set; }

    /// <summary>The pages.</summary>
    public PfnRange Pages { get; }

    /// <summary>log2 of the pages of a cell.</summary>
    public int CellShift { get; }

    /// <summary>Number of cells; the last one may be a part.</summary>
    public int CellCount { get; }

    /// <summary>Pages of one class in one cell.</summary>
    public uint this[int cell, PmemPictureClass page] => _classes[(cell * Classes) + (int)page];

    /// <summary>Pages with one mark in one cell.</summary>
    public uint this[int cell, PmemPictureMark mark] => _marks[(cell * Marks) + (int)mark];

    /// <summary>Pages of one class.</summary>
    public ulong Total(PmemPictureClass page) => Sum(_classes, Classes, (int)page);

    /// <summary>Pages with one mark.</summary>
    public ulong Total(PmemPictureMark mark) => Sum(_marks, Marks, (int)mark);

    /// <summary>The pages of a cell.</summary>
    public PfnRange CellPages(int cell) =>
        new(Pages.Start + ((ulong)cell << CellShift), Math.Min(Pages.End, Pages.Start + ((ulong)(cell + 1) << CellShift)));

    internal void Add(PfnRange pages, PmemPictureClass page) => Add(_classes, Classes, pages, (int)page, add: true);

    internal void Add(PfnRange pages, PmemPictureMark mark) => Add(_marks, Marks, pages, (int)mark, add: true);

    /// <summary>Pages turn out to be something else than they were counted as.</summary>
    internal void Move(PfnRange pages, PmemPictureClass from, PmemPictureClass to)
    {
        Add(_classes, Classes, pages, (int)from, add: false);
        Add(_classes, Classes, pages, (int)to, add: true);
    }

    /// <summary>All pages of one class turn out to be of another one.</summary>
    internal void MoveAll(PmemPictureClass from, PmemPictureClass to)
    {
        for (int cell = 0; cell < CellCount; cell++)
        {
            _classes[(cell * Classes) + (int)to] += this[cell, from];
            _classes[(cell * Classes) + (int)from] = 0;
        }
    }

    private void Add(uint[] counts, int step, PfnRange pages, int what, bool add)
    {
        PfnRange own = pages.Intersect(Pages);
        for (ulong at = own.Start; at < own.End;)
        {
            int cell = (int)((at - Pages.Start) >> CellShift);
            ulong end = Math.Min(own.End, CellPages(cell).End);
            uint count = (uint)(end - at);
            if (add)
                counts[(cell * step) + what] += count;
            else
                counts[(cell * step) + what] -= count;
            at = end;
        }
    }

    private static ulong Sum(uint[] counts, int step, int what)
    {
        ulong sum = 0;
        for (int i = what; i < counts.Length; i += step)
            sum += counts[i];
        return sum;
    }
}

/// <summary>
/// A picture of the pmem: what each piece of each namespace was used for. Its size is bounded whatever the machine's: larger namespaces have larger cells.
/// </summary>
public sealed class PmemPicture
{
    internal PmemPicture(IReadOnlyList<PmemPictureArea> areas, PmemUsage usage, PmemBadBlocks badBlocks, ulong pagesLeftOut)
    {
        Areas = areas;
        Usage = usage;
        BadBlocks = badBlocks;
        PagesLeftOut = pagesLeftOut;
    }

    /// <summary>The namespaces, and the pieces of pmem that are in none, ascending; empty for a machine without pmem.</summary>
    public IReadOnlyList<PmemPictureArea> Areas { get; }

    /// <summary>Files and processes.</summary>
    public PmemUsage Usage { get; }

    /// <summary>Where the media has lost its content.</summary>
    public PmemBadBlocks BadBlocks { get; }

    /// <summary>Pages of the areas that are not among <see cref="Areas"/>, of which there are too many.</summary>
    public ulong PagesLeftOut { get; }
}
