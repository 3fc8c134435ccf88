using System.Numerics;
using Vmcore.Memmap;
using Vmcore.Memory;

namespace Vmcore.Dumping;

/// <summary>Classifies windows of pages. One for each thread.</summary>
internal sealed class WindowClassifier
{
    /// <summary>
    /// Structures read at once: 32 KiB of memmap, and one huge page. Of a larger block all but the first chunk is never read, and where such blocks
    /// follow on each other, as free memory and huge pages do, only their first structures are.
    /// </summary>
    private const int ChunkPages = 512;

    private readonly DumpPlan _plan;
    private readonly PfnRangeSet _unusedMemmap;
    private readonly CrashMemory _memory;
    private readonly MemmapReader? _memmap;
    private readonly PageClassifier? _classifier;
    private readonly PageWordClassifier? _words;
    private readonly int _structSize;
    private readonly byte[] _structs = [];
    private readonly byte[] _pair = [];
    private readonly ulong[] _candidates = new ulong[PlanWindow.Words];
    private readonly ulong[] _scratch = new ulong[PlanWindow.Words];
    private readonly ulong[] _valid = new ulong[(ChunkPages / 64) + 1];
    private readonly ulong[] _faults = new ulong[(ChunkPages / 64) + 1];
    private bool _followsBlock;

    /// <summary>Creates a classifier.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="unusedMemmap">Pages of memmap that go since what they describe goes.</param>
    internal WindowClassifier(DumpPlan plan, PfnRangeSet unusedMemmap)
    {
        _plan = plan;
        _unusedMemmap = unusedMemmap;
        _memory = plan.Dump.Memory;
        if (plan.Dump.Memmap is not { } memmap || plan.Dump.PageLayout is not { } layout)
            return;
        var classifier = new PageClassifier(layout, plan.Options.Level);
        if (!classifier.IsNeeded)
            return;
        _memmap = memmap;
        _classifier = classifier;
        _words = PageWordClassifier.TryCreate(layout, plan.Options.Level);
        _structSize = layout.Size;
        _structs = new byte[(ChunkPages + 1) * _structSize];
        _pair = new byte[2 * _structSize];
    }

    /// <summary>Classifies one window.</summary>
    /// <param name="number">The window's number.</param>
    /// <param name="window">Receives the verdicts.</param>
    public void Classify(ulong number, PlanWindow window)
    {
        ulong first = number << PlanWindow.Shift;
        window.Reset(first);
        _memory.GetPages(first, window.Exists, window.Kept);
        window.MissingInInput = (ulong)(PageBits.Count(window.Exists) - PageBits.Count(window.Kept));
        bool hasPmem = DecidePmem(first, window);
        if (_classifier is null)
            return;
        // Every page of the machine is asked, not only those of the input: a block of which the first page was filtered out before (ELF
        // files have no pages of zero at level 1) still says by its struct page what the rest of the block is.
        window.Exists.CopyTo(_candidates, 0);
        if (hasPmem)
        {
            // Whatever is left of pmem is decided: no struct page has a say in it, neither its own nor a block that reaches into it.
            PageBits.Fill(_scratch, first, _plan.Pmem.Pages);
            for (int i = 0; i < _candidates.Length; i++)
                _candidates[i] &= ~_scratch[i];
        }

        long badBefore = _classifier.BadFreeOrders;
        for (int chunk = 0; chunk < PlanWindow.Pages; chunk += ChunkPages)
        {
            Span<ulong> words = _candidates.AsSpan(chunk / 64, ChunkPages / 64);
            if (words.ContainsAnyExcept(0UL) && !(_followsBlock && IsBlock(first, chunk, window, ref badBefore)))
                ClassifyChunk(first, chunk, window);
        }

        if (!_unusedMemmap.IsEmpty)
            window.Excluded[PageClass.UnusedMemmap] = Drop(first, _unusedMemmap, window.Kept);
        window.BadFreeBlocks = (ulong)(_classifier.BadFreeOrders - badBefore);
    }

    private bool DecidePmem(ulong first, PlanWindow window)
    {
        PfnRangeSet all = _plan.Pmem.Pages;
        int at = all.IndexAtOrAfter(first);
        if (at >= all.Count || all[at].Start >= first + PlanWindow.Pages)
            return false;
        if (!_plan.Options.IncludePmemUserData)
            window.Excluded[PageClass.PmemUserData] = Drop(first, _plan.Pmem.UserData, window.Kept);
        if ((_plan.Options.Level & DumpLevel.PmemMetadata) != 0)
            window.Excluded[PageClass.PmemMetadata] = Drop(first, _plan.Pmem.Metadata, window.Kept);
        else
            window.MetadataKept = CountIn(first, _plan.Pmem.Metadata, window.Kept);
        return true;
    }

    private ulong Drop(ulong first, PfnRangeSet set, ulong[] kept)
    {
        ulong dropped = 0;
        var all = new PfnRange(first, first + PlanWindow.Pages);
        for (int i = set.IndexAtOrAfter(first); i < set.Count && set[i].Start < all.End; i++)
        {
            PfnRange part = set[i].Intersect(all);
            dropped += (ulong)PageBits.Clear(kept, (int)(part.Start - first), (int)part.Count);
        }

        return dropped;
    }

    private ulong CountIn(ulong first, PfnRangeSet set, ulong[] kept)
    {
        PageBits.Fill(_scratch, first, set);
        for (int i = 0; i < _scratch.Length; i++)
            _scratch[i] &= kept[i];
        return (ulong)PageBits.Count(_scratch);
    }

    /// <summary>Looks at a chunk's first structures only: a block of the size of the chunk needs no more.</summary>
    private bool IsBlock(ulong first, int chunk, PlanWindow window, ref long badBefore)
    {
        ulong pfn = first + (ulong)chunk;
        if ((_candidates[chunk / 64] & 1) == 0 || !_memmap!.TryReadPair(pfn, _pair))
            return false;
        long bad = _classifier!.BadFreeOrders;
        PageVerdict verdict = _classifier.Classify(pfn, _pair);
        badBefore += _classifier.BadFreeOrders - bad; // It is going to be met again.
        if (verdict.Class == PageClass.Kept || verdict.Pages < ChunkPages)
            return false;
        Exclude(chunk, verdict, window);
        return true;
    }

    private void ClassifyChunk(ulong first, int chunk, PlanWindow window)
    {
        _followsBlock = false;
        ulong pfn = first + (ulong)chunk;
        // One structure more than the chunk has: a compound page's order is in the structure after its head's.
        _memmap!.Read(pfn, ChunkPages + 1, _structs, _valid, _faults);
        if (chunk == 0 && (_valid[0] & 1) != 0 && _classifier!.IsTail(_structs))
            ContinueBlock(first, window);
        for (int word = 0; word < ChunkPages / 64; word++)
        {
            if (_candidates[(chunk / 64) + word] != 0)
                ClassifyWord(pfn, chunk, word, window);
        }
    }

    private void ClassifyWord(ulong pfn, int chunk, int word, PlanWindow window)
    {
        ref ulong candidates = ref _candidates[(chunk / 64) + word], kept = ref window.Kept[(chunk / 64) + word];
        ulong valid = _valid[word];
        PageWord pages = _words?.Classify(_structs.AsSpan(word * 64 * _structSize)) ?? new(ulong.MaxValue, 0, 0, 0);
        for (ulong unusual = pages.Unusual & candidates & valid; unusual != 0;)
        {
            int at = (word << 6) + BitOperations.TrailingZeroCount(unusual);
            unusual &= unusual - 1;
            bool hasNext = PageBits.Get(_valid, at + 1);
            PageVerdict verdict = _classifier!.Classify(pfn + (ulong)at, _structs.AsSpan(at * _structSize, hasNext ? 2 * _structSize : _structSize));
            if (verdict.Class == PageClass.Kept)
                continue;
            // Pages of a block that follow are decided by it, whatever their structures hold.
            Exclude(chunk + at, verdict, window);
            unusual &= candidates;
            _followsBlock |= at == 0 && verdict.Pages >= ChunkPages;
        }

        window.UnreadableStructPages += (ulong)BitOperations.PopCount(candidates & ~valid & _faults[word] & kept);
        ulong left = candidates & valid & kept;
        window.Excluded[PageClass.Cache] += (ulong)BitOperations.PopCount(pages.Cache & left);
        window.Excluded[PageClass.CachePrivate] += (ulong)BitOperations.PopCount(pages.CachePrivate & left);
        window.Excluded[PageClass.User] += (ulong)BitOperations.PopCount(pages.User & left);
        kept &= ~((pages.Cache | pages.CachePrivate | pages.User) & left);
    }

    private void Exclude(int start, PageVerdict verdict, PlanWindow window)
    {
        // Counted are only pages that were still in; what lies beyond the window, the next one finds by itself.
        int count = (int)Math.Min(verdict.Pages, (ulong)(PlanWindow.Pages - start));
        window.Excluded[verdict.Class] += (ulong)PageBits.ClearInBoth(_candidates, window.Kept, start, count);
    }

    /// <summary>A window that starts inside a compound page (1 GiB hugetlb pages span eight) asks that page's head, wherever it is.</summary>
    private void ContinueBlock(ulong first, PlanWindow window)
    {
        ulong last = first;
        Span<ulong> exists = stackalloc ulong[1], present = stackalloc ulong[1];
        for (int order = PlanWindow.Shift + 1; order <= PageClassifier.MaxOrder; order++)
        {
            ulong head = first & ~((1UL << order) - 1);
            if (head == last)
                continue;
            last = head;
            _memory.GetPages(head & ~63UL, exists, present);
            if ((exists[0] >> (int)(head & 63) & 1) == 0 || _plan.Pmem.Pages.Contains(head) || !_memmap!.TryReadPair(head, _pair))
                continue;
            PageVerdict verdict = _classifier!.Classify(head, _pair);
            if (verdict.Class != PageClass.Kept && head + verdict.Pages > first)
            {
                Exclude(0, verdict with { Pages = head + verdict.Pages - first }, window);
                return;
            }
        }
    }
}
