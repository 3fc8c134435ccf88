using Vmcore.Findings;
using Vmcore.Ranges;

namespace Vmcore.Pmem;

/// <summary>The pmem of the crashed machine: one answer, merged from all sources and checked against each other.</summary>
public sealed class PmemLayout
{
    /// <summary>A machine without pmem.</summary>
    public static PmemLayout None { get; } = new(PfnRangeSet.Empty, PfnRangeSet.Empty, [], []);

    /// <summary>Creates a layout.</summary>
    /// <param name="pages">All pages of pmem.</param>
    /// <param name="metadata">Those of them that are metadata.</param>
    /// <param name="namespaces">The namespaces, by address.</param>
    /// <param name="findings">Disagreements between sources, damage, and what could not be found out.</param>
    /// <param name="unwritten">Bytes in metadata pages that the kernel never wrote; null for none.</param>
    public PmemLayout(
        PfnRangeSet pages, PfnRangeSet metadata, IReadOnlyList<PmemNamespace> namespaces,
            IReadOnlyList<Finding> findings, IReadOnlyList<PhysicalRange>? unwritten = null)
    {
        Unwritten = unwritten ?? [];
        Pages = pages;
        Metadata = metadata.Intersect(pages);
        UserData = pages.Except(metadata);
        Namespaces = namespaces;
        Findings = findings;
    }

    /// <summary>All pages of pmem, whether or not the dump covers them.</summary>
    public PfnRangeSet Pages { get; }

    /// <summary>Pages that hold live memmap, and info block pages.</summary>
    public PfnRangeSet Metadata { get; }

    /// <summary>Everything else on pmem, also raw, sector and unallocated space.</summary>
    public PfnRangeSet UserData { get; }

    /// <summary>Physical ranges in bytes inside metadata pages that the kernel never wrote: old content of the media, zero in every dump.</summary>
    public IReadOnlyList<PhysicalRange> Unwritten { get; }

    /// <summary>The namespaces, by address.</summary>
    public IReadOnlyList<PmemNamespace> Namespaces { get; }

    /// <summary>Disagreements between sources, damage, and what could not be found out.</summary>
    public IReadOnlyList<Finding> Findings { get; }
}
