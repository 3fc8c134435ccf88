namespace Vmcore.Kernel.Counters;

/// <summary>A zone of a node's memory (<c>struct zone</c>) that has pages; numbers in pages.</summary>
/// <param name="Node">Number of the node.</param>
/// <param name="Name">Name: <c>DMA32</c>, <c>Normal</c> …; empty if it cannot be read.</param>
/// <param name="Present">Pages that exist.</param>
/// <param name="Managed">Pages that the allocator of pages has: those that exist without what was reserved at the start.</param>
/// <param name="Free">Pages that are free (NR_FREE_PAGES).</param>
public sealed record ZoneMemory(int Node, string Name, ulong Present, ulong Managed, ulong Free)
{
    /// <summary>The watermarks min, low and high: below low the kernel begins to reclaim, below min only it itself is given pages; what they are
    /// raised by for a while is in them. Empty if they cannot be read.</summary>
    public IReadOnlyList<ulong> Watermarks { get; init; } = [];

    /// <summary>Free blocks of 2^0, 2^1, … pages. Empty if they cannot be read.</summary>
    public IReadOnlyList<ulong> FreeBlocks { get; init; } = [];
}

/// <summary>A counter of memory as the kernel names it.</summary>
/// <param name="Name">Its name in <c>enum zone_stat_item</c> or <c>enum node_stat_item</c>: <c>NR_FREE_PAGES</c>. Most are in pages; those that end in
/// <c>_KB</c> are in KiB, and some count events.</param>
/// <param name="Value">The sum over all nodes or zones; never negative, as in /proc/vmstat.</param>
public sealed record KernelCounter(string Name, long Value);

/// <summary>Huge pages of one size that were set aside (hugetlb).</summary>
/// <param name="PageBytes">Bytes of one.</param>
/// <param name="Total">Number of them.</param>
/// <param name="Free">Those that nobody has.</param>
/// <param name="Reserved">Those that are promised.</param>
public sealed record HugePages(ulong PageBytes, ulong Total, ulong Free, ulong Reserved);
