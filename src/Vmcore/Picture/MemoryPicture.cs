using Vmcore.Memmap;
using Vmcore.Ranges;

namespace Vmcore.Picture;

/// <summary>What a page is in the picture of a machine's memory: the classes of the filter, with the kernel's own pages told apart.</summary>
public enum PictureClass
{
    /// <summary>The kernel's own, of no other class here: page tables, stacks, per-CPU lists.</summary>
    Kernel,

    /// <summary>The kernel's small objects.</summary>
    Slab,

    /// <summary>Set aside at boot: the kernel's image, the memmap.</summary>
    Reserved,

    /// <summary>Page cache without private data.</summary>
    Cache,

    /// <summary>Page cache with private data.</summary>
    CachePrivate,

    /// <summary>User process data.</summary>
    User,

    /// <summary>Free.</summary>
    Free,

    /// <summary>Poisoned by a memory error.</summary>
    HwPoison,

    /// <summary>Logically offline.</summary>
    Offline,

    /// <summary>Memmap and info blocks on pmem.</summary>
    PmemMetadata,

    /// <summary>Everything else on pmem.</summary>
    PmemUserData,

    /// <summary>Memory without a struct page that can be read.</summary>
    Unknown,

    /// <summary>Set aside for the crash kernel, which no dump has.</summary>
    CrashKernel,

    /// <summary>No memory: a gap that is too small to be shown as one.</summary>
    Hole,
}

/// <summary>A run of physical memory that is drawn in one piece, in cells of equal size.</summary>
public sealed class PictureRegion
{
    private readonly uint[] _counts;
    private readonly uint[] _present;

    internal PictureRegion(string name, bool isPmem, PfnRange pages, int cellShift)
    {
        Name = name;
        IsPmem = isPmem;
        Pages = pages;
        CellShift = cellShift;
        CellCount = (int)((pages.Count + (1UL << cellShift) - 1) >> cellShift);
        _counts = new uint[CellCount * MemoryPicture.Classes];
        _present = new uint[CellCount];
    }

    /// <summary>What the kernel calls it, for example <c>System RAM</c>.</summary>
    public string Name { get; }

    /// <summary>True for pmem.</summary>
    public bool IsPmem { get; }

    /// <summary>The pages.</summary>
    public PfnRange Pages { get; }

    /// <summary>log2 of the pages of a cell.</summary>
    public int CellShift { get; }

    /// <summary>Number of cells; the last one may be a part.</summary>
    public int CellCount { get; }

    /// <summary>Pages by class, over all cells.</summary>
    public IReadOnlyList<ulong> Totals
    {
        get
        {
            ulong[] totals = new ulong[MemoryPicture.Classes];
            for (int i = 0; i < _counts.Length; i++)
                totals[i % MemoryPicture.Classes] += _counts[i];
            return totals;
        }
    }

    /// <summary>Pages that the dump should have and its files do not: they were cut short, a part is missing, or they could not be read when it was written.
    /// They are none of <see cref="Present"/>.</summary>
    public ulong Lost { get; internal set; }

    /// <summary>Pages that have content in the dump.</summary>
    public ulong Present => _present.Aggregate(0UL, static (sum, count) => sum + count);

    /// <summary>Pages of one class in one cell.</summary>
    public uint this[int cell, PictureClass page] => _counts[(cell * MemoryPicture.Classes) + (int)page];

    /// <summary>Pages of a cell that have content in the dump.</summary>
    public uint PresentIn(int cell) => _present[cell];

    /// <summary>The cell that a page of the region is in.</summary>
    internal int CellOf(ulong pfn) => (int)((pfn - Pages.Start) >> CellShift);

    /// <summary>Adds counts of neighbouring cells.</summary>
    /// <param name="firstCell">The first cell.</param>
    /// <param name="counts">Pages by cell and class.</param>
    /// <param name="present">Pages with content in the dump by cell.</param>
    internal void Add(int firstCell, ReadOnlySpan<uint> counts, ReadOnlySpan<uint> present)
    {
        for (int i = 0; i < counts.Length; i++)
            _counts[(firstCell * MemoryPicture.Classes) + i] += counts[i];
        for (int i = 0; i < present.Length; i++)
            _present[firstCell + i] += present[i];
    }

    internal void Add(PfnRange pages, PictureClass page)
    {
        PfnRange own = pages.Intersect(Pages);
        for (ulong at = own.Start; at < own.End;)
        {
            int cell = (int)((at - Pages.Start) >> CellShift);
            ulong end = Math.Min(own.End, Pages.Start + ((ulong)(cell + 1) << CellShift));
            _counts[(cell * MemoryPicture.Classes) + (int)page] += (uint)(end - at);
            at = end;
        }
    }

    internal void AddPresent(PfnRange pages)
    {
        PfnRange own = pages.Intersect(Pages);
        for (ulong at = own.Start; at < own.End;)
        {
            int cell = (int)((at - Pages.Start) >> CellShift);
            ulong end = Math.Min(own.End, Pages.Start + ((ulong)(cell + 1) << CellShift));
            _present[cell] += (uint)(end - at);
            at = end;
        }
    }
}

/// <summary>A named range in the picture: a line of /proc/iomem, or a namespace.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Range">Physical addresses in bytes.</param>
/// <param name="Depth">How many others are around it.</param>
public sealed record PictureMark(string Name, PhysicalRange Range, int Depth);

/// <summary>
/// A picture of physical memory: what is where. Its size is bounded whatever the machine's: larger machines have larger cells.
/// </summary>
public sealed class MemoryPicture
{
    /// <summary>Name of the region, and of the mark, of an area that is set aside for the crash kernel: memory that no dump has.</summary>
    public const string CrashKernel = "Crash kernel";

    /// <summary>Number of classes.</summary>
    public const int Classes = (int)PictureClass.Hole + 1;

    internal MemoryPicture(IReadOnlyList<PictureRegion> regions, IReadOnlyList<PictureMark> marks, int pageShift)
    {
        Regions = regions;
        Marks = marks;
        PageShift = pageShift;
    }

    /// <summary>The regions, ascending.</summary>
    public IReadOnlyList<PictureRegion> Regions { get; }

    /// <summary>Named ranges, ascending.</summary>
    public IReadOnlyList<PictureMark> Marks { get; }

    /// <summary>log2 of the page size in bytes.</summary>
    public int PageShift { get; }

    /// <summary>True if a dump level leaves a class out.</summary>
    /// <param name="page">The class.</param>
    /// <param name="level">The dump level.</param>
    public static bool IsLeftOut(PictureClass page, DumpLevel level) => page switch
    {
        PictureClass.Cache => (level & (DumpLevel.Cache | DumpLevel.CachePrivate)) != 0,
        PictureClass.CachePrivate => (level & DumpLevel.CachePrivate) != 0,
        PictureClass.User => (level & DumpLevel.User) != 0,
        PictureClass.Free => (level & DumpLevel.Free) != 0,
        PictureClass.PmemMetadata => (level & DumpLevel.PmemMetadata) != 0,
        PictureClass.HwPoison or PictureClass.Offline or PictureClass.PmemUserData or PictureClass.CrashKernel or PictureClass.Hole => true,
        _ => false,
    };
}
