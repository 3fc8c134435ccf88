using Vmcore.Kernel;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Memmap;

/// <summary>
/// The pages that the kernel marked as failed memory (PG_hwpoison), whatever else they are: an anonymous page stays anonymous, a page of pmem stays its
/// file's. makedumpfile counts such a page as what else it is, where the dump level names that; whoever explains a machine has to say that its memory failed.
/// </summary>
public sealed class PoisonedPages
{
    // mm/memory-failure.c: pages that were given up; memory_failure() holds the mutex from before it marks a page until it has counted it.
    private const string Counter = "num_poisoned_pages";
    private const string Mutex = "mf_mutex";

    private PoisonedPages(PfnRangeSet pages, ulong count, ulong unreadable)
    {
        Pages = pages;
        Count = count;
        Unreadable = unreadable;
    }

    /// <summary>The pages; at most <see cref="IO.ReadLimits.PoisonedRanges"/> ranges of them.</summary>
    public PfnRangeSet Pages { get; }

    /// <summary>Number of pages, those included for which <see cref="Pages"/> has no place.</summary>
    public ulong Count { get; }

    /// <summary>Pages whose structures should be there and cannot be read: of these it is not known.</summary>
    public ulong Unreadable { get; }

    /// <summary>Looks for them. Nothing is read beyond the kernel's own counter where that says that there are none.</summary>
    /// <param name="kernel">The crashed kernel.</param>
    /// <param name="memmap">The memmap; null if it cannot be found.</param>
    /// <param name="layout">The layout of its structures; null if it is not known.</param>
    /// <param name="where">The pages to look at. Those without a structure cost nothing.</param>
    /// <returns>Null if it cannot be known: no memmap, or a kernel whose vmcoreinfo has no PG_hwpoison.</returns>
    internal static PoisonedPages? Find(KernelView kernel, MemmapReader? memmap, StructPageLayout? layout, PfnRangeSet where)
    {
        if (memmap is null || layout is not { HwPoison: not 0 })
            return null;
        if (HasNone(kernel))
            return new(PfnRangeSet.Empty, 0, 0);
        List<PfnRange> found = [];
        ulong count = 0;
        var scan = new MemmapScan(memmap, layout, layout.IsPoisoned);
        scan.Run(where, (pfn, _) =>
        {
            count++;
            if (found is [.., var last] && last.End == pfn)
                found[^1] = new(last.Start, pfn + 1);
            else if (found.Count < kernel.Limits.PoisonedRanges)
                found.Add(new(pfn, pfn + 1));
        });
        return new(PfnRangeSet.From(found), count, scan.Unreadable);
    }

    // Both symbols are data; a kernel without them, or a dump without their page, is looked through.
    private static bool HasNone(KernelView kernel) =>
        kernel is { Symbols: { } symbols, Memory: { } memory }
        && symbols.TryFindInImage(Counter) is { } counter && memory.TryReadUInt64(counter, out ulong pages) && pages == 0
        && symbols.TryFindInImage(Mutex) is { } mutex && memory.TryReadUInt64(mutex, out ulong owner) && owner == 0;
}
