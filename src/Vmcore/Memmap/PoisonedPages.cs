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
    private const int ChunkPages = 4096;

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
        ulong count = 0, unreadable = 0;
        var chunks = new Chunk[ParallelScan.BatchSize];
        for (int i = 0; i < chunks.Length; i++)
            chunks[i] = new(memmap, layout);
        int filled = 0;
        foreach (PfnRange range in where)
        {
            for (ulong at = range.Start; at < range.End;)
            {
                if (!memmap.Model.TryGetStructPage(at, out _, out ulong runEnd))
                {
                    at = Math.Min(runEnd, range.End);
                    continue;
                }

                ulong end = Math.Min(range.End, at + ChunkPages);
                chunks[filled++].Range = new(at, end);
                at = end;
                if (filled == chunks.Length)
                    Scan();
            }
        }

        Scan();
        return new(PfnRangeSet.From(found), count, unreadable);

        void Scan()
        {
            ParallelScan.Run(filled, i => chunks[i].Run());
            foreach (Chunk chunk in chunks.AsSpan(0, filled))
            {
                count += (ulong)chunk.Poisoned.Count;
                unreadable += chunk.Unreadable;
                foreach (ulong pfn in chunk.Poisoned)
                {
                    if (found is [.., var last] && last.End == pfn)
                        found[^1] = new(last.Start, pfn + 1);
                    else if (found.Count < kernel.Limits.PoisonedRanges)
                        found.Add(new(pfn, pfn + 1));
                }
            }

            filled = 0;
        }
    }

    // Both symbols are data; a kernel without them, or a dump without their page, is looked through.
    private static bool HasNone(KernelView kernel) =>
        kernel is { Symbols: { } symbols, Memory: { } memory }
        && symbols.TryFindInImage(Counter) is { } counter && memory.TryReadUInt64(counter, out ulong pages) && pages == 0
        && symbols.TryFindInImage(Mutex) is { } mutex && memory.TryReadUInt64(mutex, out ulong owner) && owner == 0;

    /// <summary>One piece of the scan, used again for the next.</summary>
    private sealed class Chunk(MemmapReader memmap, StructPageLayout layout)
    {
        private readonly byte[] _structs = new byte[ChunkPages * layout.Size];
        private readonly ulong[] _valid = new ulong[ChunkPages / 64], _faults = new ulong[ChunkPages / 64];

        internal PfnRange Range { get; set; }

        internal List<ulong> Poisoned { get; } = [];

        internal ulong Unreadable { get; private set; }

        internal void Run()
        {
            int count = (int)Range.Count, size = layout.Size;
            memmap.Read(Range.Start, count, _structs, _valid, _faults);
            Poisoned.Clear();
            Unreadable = (ulong)PageBits.Count(_faults);
            for (int i = PageBits.NextSet(_valid, 0); i < count; i = PageBits.NextSet(_valid, i + 1))
            {
                if (layout.IsPoisoned(_structs.AsSpan(i * size)))
                    Poisoned.Add(Range.Start + (ulong)i);
            }
        }
    }
}
