using Vmcore.Ranges;

namespace Vmcore.Memmap;

/// <summary>How much is known of a page of RAM.</summary>
public enum PageKnowledge
{
    /// <summary>Nothing: there is no memmap.</summary>
    NoMemmap,

    /// <summary>Nothing: its structure does not exist, or is not in the dump.</summary>
    NoStruct,

    /// <summary>It is a tail of a compound page that stays at every level.</summary>
    Tail,

    /// <summary>Its class.</summary>
    Class,
}

/// <summary>What one page of RAM is.</summary>
/// <param name="Knowledge">How much is known.</param>
/// <param name="Class">Its class, if that is known.</param>
/// <param name="Block">The free block or compound page that decides it; the page itself if none does.</param>
public readonly record struct PageLookup(PageKnowledge Knowledge, PageClass Class, PfnRange Block)
{
    /// <summary>True if its memory failed (PG_hwpoison), whatever else it is: an anonymous page that failed is of class <see cref="PageClass.User"/>.</summary>
    public bool IsPoisoned { get; init; }

    /// <summary>Looks a page up as the dumper would, at the level that names every class: blocks first, the largest before all.</summary>
    /// <param name="memmap">The memmap; null if there is none.</param>
    /// <param name="layout">The layout of its structures; null if it is not known.</param>
    /// <param name="pmem">The pmem, of which no block reaches into RAM.</param>
    /// <param name="pfn">The page.</param>
    /// <param name="level">The dump level: the classes that it does not name are kept.</param>
    public static PageLookup Find(MemmapReader? memmap, StructPageLayout? layout, PfnRangeSet pmem, ulong pfn, DumpLevel level = DumpLevel.All)
    {
        ArgumentNullException.ThrowIfNull(pmem);
        if (memmap is null || layout is null)
            return new(PageKnowledge.NoMemmap, PageClass.Kept, new(pfn, pfn + 1));
        byte[] pair = new byte[2 * layout.Size];
        return Find(memmap, new(layout, level), pmem, pfn, pair) with { IsPoisoned = memmap.TryReadPair(pfn, pair) && layout.IsPoisoned(pair) };
    }

    private static PageLookup Find(MemmapReader memmap, PageClassifier classifier, PfnRangeSet pmem, ulong pfn, byte[] pair)
    {
        ulong last = ulong.MaxValue;
        for (int order = PageClassifier.LargestOrder; order > 0; order--)
        {
            ulong head = pfn & ~((1UL << order) - 1);
            if (head == last || head == pfn || pmem.Contains(head))
                continue;
            last = head;
            if (!memmap.TryReadPair(head, pair))
                continue;
            PageVerdict block = classifier.Classify(head, pair);
            if (block.Class != PageClass.Kept && head + block.Pages > pfn)
                return new(PageKnowledge.Class, block.Class, new(head, head + block.Pages));
        }

        if (!memmap.TryReadPair(pfn, pair))
            return new(PageKnowledge.NoStruct, PageClass.Kept, new(pfn, pfn + 1));
        if (classifier.IsTail(pair))
            return new(PageKnowledge.Tail, PageClass.Kept, new(pfn, pfn + 1));
        PageVerdict verdict = classifier.Classify(pfn, pair);
        return new(PageKnowledge.Class, verdict.Class, new(pfn, pfn + verdict.Pages));
    }
}
