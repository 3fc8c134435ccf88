using Vmcore.Ranges;

namespace Vmcore.Pmem;

/// <summary>What became of a namespace's memmap.</summary>
public enum MemmapState
{
    /// <summary>There is none on the pmem: map=mem, raw, sector.</summary>
    None,

    /// <summary>All of its pages are in the dump.</summary>
    Complete,

    /// <summary>Some of its pages are not in the dump.</summary>
    Incomplete,

    /// <summary>None of its pages is in the dump.</summary>
    Missing,

    /// <summary>The capture kernel has written it anew: what was there at the crash is lost.</summary>
    Overwritten,
}

/// <summary>A namespace at the time of the crash.</summary>
public sealed record PmemNamespace
{
    /// <summary>The kernel's name, for example <c>namespace0.0</c>; null if the resource tree is not in the dump.</summary>
    public string? Name { get; init; }

    /// <summary>Physical addresses from base to end, in bytes.</summary>
    public required PhysicalRange Range { get; init; }

    /// <summary>What it is for.</summary>
    public PmemMode Mode { get; init; }

    /// <summary>Where its memmap is.</summary>
    public PmemMap Map { get; init; }

    /// <summary>Its info block; null if it has none that is valid.</summary>
    public InfoBlock? InfoBlock { get; init; }

    /// <summary>Its metadata: the pages that hold live memmap, and the info block's page. Gaps between them are user data.</summary>
    public PfnRangeSet Metadata { get; init; } = PfnRangeSet.Empty;

    /// <summary>Those pages of <see cref="Metadata"/> that the dump has.</summary>
    public ulong MetadataPresent { get; init; }

    /// <summary>Number of its pages that have a struct page.</summary>
    public ulong StructPages { get; init; }

    /// <summary>What became of the memmap.</summary>
    public MemmapState State { get; init; }

    /// <summary>The pages that hold data: those behind what the info block sets aside; all, if there is no info block.</summary>
    /// <param name="pageShift">log2 of the page size in bytes.</param>
    public PfnRange DataPages(int pageShift) => InfoBlock is { } block
        ? new((Range.Start + block.StartPad + block.DataOffset) >> pageShift, (Range.End - block.EndTruncation) >> pageShift)
        : Range.ToPfns(pageShift);
}
