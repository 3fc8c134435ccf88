using System.Numerics;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Memmap;

/// <summary>Hears what a <see cref="MemmapWalk"/> finds. Pages are numbered from the window's first.</summary>
internal interface IMemmapVisitor
{
    /// <summary>Some neighbouring pages of a block, or a single page, with one verdict. It
    /// concerns those of them that are candidates, and clears them.</summary>
    /// <param name="start">The first page.</param>
    /// <param name="count">Pages, all in the window.</param>
    /// <param name="page">The verdict, never <see cref="PageClass.Kept"/>.</param>
    void TakeBlock(int start, int count, PageClass page);

    /// <summary>64 pages, without those of blocks. It concerns those that are still candidates.</summary>
    /// <param name="word">Which word of the window.</param>
    /// <param name="pages">The verdicts, good where there is a structure; a page in no mask stays.</param>
    /// <param name="valid">Pages that have a structure.</param>
    /// <param name="faults">Pages that should have one.</param>
    void TakeWord(int word, PageWord pages, ulong valid, ulong faults);
}

/// <summary>
/// Goes through the struct pages of a window of RAM: 64 pages at once where they are plain, and of blocks only their first structures, so that free
/// memory and huge pages cost little. Not thread-safe.
/// </summary>
internal sealed class MemmapWalk
{
    /// <summary>log2 of <see cref="WindowPages"/>.</summary>
    internal const int WindowShift = 15;

    /// <summary>Pages in a window; windows begin at multiples of it.</summary>
    internal const int WindowPages = 1 << WindowShift;

    /// <summary>
    /// Structures read at once: 32 KiB of memmap, and one huge page. Of a larger block all but the first chunk is never read, and where such blocks
    /// follow on each other, as free memory and huge pages do, only their first structures are.
    /// </summary>
    private const int ChunkPages = 512;

    private const int ChunkWords = ChunkPages / 64;

    private readonly PageCoverage _coverage;
    private readonly MemmapReader _memmap;
    private readonly PageClassifier _classifier;
    private readonly PageWordClassifier? _words;
    private readonly PfnRangeSet _decided;
    private readonly int _structSize;
    private readonly byte[] _structs;
    private readonly byte[] _pair;
    private readonly ulong[] _valid = new ulong[ChunkWords + 1];
    private readonly ulong[] _faults = new ulong[ChunkWords + 1];
    private bool _followsBlock;

    /// <summary>Creates a walk.</summary>
    /// <param name="coverage">The memory that the pages are of.</param>
    /// <param name="memmap">Reads the struct pages.</param>
    /// <param name="layout">The kernel's <c>struct page</c>.</param>
    /// <param name="level">The dump level: what goes.</param>
    /// <param name="decided">Pages that no struct page has a say in: no block begins there.</param>
    internal MemmapWalk(PageCoverage coverage, MemmapReader memmap, StructPageLayout layout, DumpLevel level, PfnRangeSet decided)
    {
        _coverage = coverage;
        _memmap = memmap;
        _decided = decided;
        _classifier = new(layout, level);
        _words = PageWordClassifier.TryCreate(layout, level);
        _structSize = layout.Size;
        _structs = new byte[(ChunkPages + 1) * _structSize];
        _pair = new byte[2 * _structSize];
    }

    /// <summary>One bit a page of the window: it is to be decided.</summary>
    internal ulong[] Candidates { get; } = new ulong[WindowPages / 64];

    /// <summary>Goes through the candidates of a window.</summary>
    /// <param name="first">The window's first pfn.</param>
    /// <param name="visitor">Hears what they are, in ascending order.</param>
    /// <returns>Free blocks with an impossible order.</returns>
    internal ulong Run<TVisitor>(ulong first, TVisitor visitor)
        where TVisitor : IMemmapVisitor
    {
        long badBefore = _classifier.BadFreeOrders;
        for (int chunk = 0; chunk < WindowPages; chunk += ChunkPages)
        {
            if (Candidates.AsSpan(chunk / 64, ChunkWords).ContainsAnyExcept(0UL) && !(_followsBlock && IsBlock(first, chunk, visitor, ref badBefore)))
                RunChunk(first, chunk, visitor);
        }

        return (ulong)(_classifier.BadFreeOrders - badBefore);
    }

    /// <summary>The structure of a page of the word that is visited.</summary>
    /// <param name="page">Page in the window; it has a structure.</param>
    internal ReadOnlySpan<byte> StructOf(int page) => _structs.AsSpan((page & (ChunkPages - 1)) * _structSize, _structSize);

    /// <summary>True if the structure is a compound page's tail.</summary>
    internal bool IsTail(ReadOnlySpan<byte> page) => _classifier.IsTail(page);

    /// <summary>Looks at a chunk's first structures only: a block of the size of the chunk needs no more.</summary>
    private bool IsBlock<TVisitor>(ulong first, int chunk, TVisitor visitor, ref long badBefore)
        where TVisitor : IMemmapVisitor
    {
        ulong pfn = first + (ulong)chunk;
        if ((Candidates[chunk / 64] & 1) == 0 || !_memmap.TryReadPair(pfn, _pair))
            return false;
        long bad = _classifier.BadFreeOrders;
        PageVerdict verdict = _classifier.Classify(pfn, _pair);
        badBefore += _classifier.BadFreeOrders - bad; // It is going to be met again.
        if (verdict.Class == PageClass.Kept || verdict.Pages < ChunkPages)
            return false;
        TakeBlock(chunk, verdict, visitor);
        return true;
    }

    private void RunChunk<TVisitor>(ulong first, int chunk, TVisitor visitor)
        where TVisitor : IMemmapVisitor
    {
        _followsBlock = false;
        ulong pfn = first + (ulong)chunk;
        // One structure more than the chunk has: a compound page's order is in the structure after its head's.
        _memmap.Read(pfn, ChunkPages + 1, _structs, _valid, _faults);
        if (chunk == 0)
            ContinueBlock(first, visitor);
        for (int word = 0; word < ChunkWords; word++)
        {
            if (Candidates[(chunk / 64) + word] != 0)
                RunWord(pfn, chunk, word, visitor);
        }
    }

    private void RunWord<TVisitor>(ulong pfn, int chunk, int word, TVisitor visitor)
        where TVisitor : IMemmapVisitor
    {
        ref ulong candidates = ref Candidates[(chunk / 64) + word];
        ulong valid = _valid[word];
        PageWord pages = _words?.Classify(_structs.AsSpan(word * 64 * _structSize)) ?? new(ulong.MaxValue, 0, 0, 0);
        for (ulong unusual = pages.Unusual & candidates & valid; unusual != 0;)
        {
            int at = (word << 6) + BitOperations.TrailingZeroCount(unusual);
            unusual &= unusual - 1;
            bool hasNext = PageBits.Get(_valid, at + 1);
            PageVerdict verdict = _classifier.Classify(pfn + (ulong)at, _structs.AsSpan(at * _structSize, hasNext ? 2 * _structSize : _structSize));
            if (verdict.Class == PageClass.Kept)
                continue;
            // Pages of a block that follow are decided by it, whatever their structures hold.
            TakeBlock(chunk + at, verdict, visitor);
            unusual &= candidates;
            _followsBlock |= at == 0 && verdict.Pages >= ChunkPages;
        }

        visitor.TakeWord((chunk / 64) + word, pages, valid, _faults[word]);
    }

    /// <summary>What lies beyond the window, the next one finds by itself.</summary>
    private static void TakeBlock<TVisitor>(int start, PageVerdict verdict, TVisitor visitor)
        where TVisitor : IMemmapVisitor =>
        visitor.TakeBlock(start, (int)Math.Min(verdict.Pages, (ulong)(WindowPages - start)), verdict.Class);

    /// <summary>Where the pages begin inside a compound page (1 GiB hugetlb pages span eight windows), that page's head is asked, wherever it is.</summary>
    private void ContinueBlock<TVisitor>(ulong first, TVisitor visitor)
        where TVisitor : IMemmapVisitor
    {
        int at = PageBits.NextSet(Candidates, 0);
        if (at >= ChunkPages || !PageBits.Get(_valid, at) || !_classifier.IsTail(StructOf(at)))
            return;
        ulong start = first + (ulong)at, last = start;
        Span<ulong> exists = stackalloc ulong[1], present = stackalloc ulong[1];
        for (int order = 1; order <= PageClassifier.LargestOrder; order++)
        {
            ulong head = start & ~((1UL << order) - 1);
            if (head == last)
                continue;
            last = head;
            _coverage.GetPages(head & ~63UL, exists, present);
            if ((exists[0] >> (int)(head & 63) & 1) == 0 || _decided.Contains(head) || !_memmap.TryReadPair(head, _pair))
                continue;
            PageVerdict verdict = _classifier.Classify(head, _pair);
            if (verdict.Class != PageClass.Kept && head + verdict.Pages > start)
            {
                TakeBlock(at, verdict with { Pages = head + verdict.Pages - start }, visitor);
                return;
            }
        }
    }
}
