using System.Numerics;
using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Dumping;

/// <summary>Classifies windows of pages. One for each thread.</summary>
internal sealed class WindowClassifier : IMemmapVisitor
{
    private readonly DumpRequest _request;
    private readonly PfnRangeSet _unusedMemmap;
    private readonly PageCoverage _coverage;
    private readonly MemmapWalk? _walk;
    private readonly ulong[] _scratch = new ulong[PlanWindow.Words];
    private PlanWindow _window = null!;

    /// <summary>Creates a classifier.</summary>
    /// <param name="request">What is dumped.</param>
    /// <param name="unusedMemmap">Pages of memmap that go since what they describe goes.</param>
    internal WindowClassifier(DumpRequest request, PfnRangeSet unusedMemmap)
    {
        _request = request;
        _unusedMemmap = unusedMemmap;
        _coverage = request.Dump.Coverage;
        if (request.Dump.Memmap is { } memmap && request.Dump.PageLayout is { } layout && new PageClassifier(layout, request.Options.Level).IsNeeded)
            _walk = new(_coverage, memmap, layout, request.Options.Level, request.Pmem.Pages);
    }

    /// <summary>Classifies one window.</summary>
    /// <param name="number">The window's number.</param>
    /// <param name="window">Receives the verdicts.</param>
    public void Classify(ulong number, PlanWindow window)
    {
        ulong first = number << PlanWindow.Shift;
        window.Reset(first);
        _coverage.GetPages(first, window.Exists, window.Kept);
        window.MissingInInput = (ulong)(PageBits.Count(window.Exists) - PageBits.Count(window.Kept));
        bool hasPmem = DecidePmem(first, window);
        // Where nothing is left to decide, the memmap is not asked.
        if (_walk is null || !window.Kept.AsSpan().ContainsAnyExcept(0UL))
            return;
        // Every page of the machine is asked, not only those of the input: a block of which the first page was filtered out before (ELF
        // files have no pages of zero at level 1) still says by its struct page what the rest of the block is.
        ulong[] candidates = _walk.Candidates;
        window.Exists.CopyTo(candidates, 0);
        if (hasPmem)
        {
            // Whatever is left of pmem is decided: no struct page has a say in it, neither its own nor a block that reaches into it.
            PageBits.Fill(_scratch, first, _request.Pmem.Pages);
            for (int i = 0; i < candidates.Length; i++)
                candidates[i] &= ~_scratch[i];
        }

        _window = window;
        window.BadFreeBlocks = _walk.Run(first, this);
        if (!_unusedMemmap.IsEmpty)
            window.Excluded[PageClass.UnusedMemmap] = Drop(first, _unusedMemmap, window.Kept);
    }

    /// <inheritdoc/>
    void IMemmapVisitor.TakeBlock(int start, int count, PageClass page) =>
        _window.Excluded[page] += (ulong)PageBits.ClearInBoth(_walk!.Candidates, _window.Kept, start, count);

    /// <inheritdoc/>
    void IMemmapVisitor.TakeWord(int word, PageWord pages, ulong valid, ulong faults)
    {
        PlanWindow window = _window;
        ref ulong kept = ref window.Kept[word];
        ulong candidates = _walk!.Candidates[word] & kept, left = candidates & valid;
        window.UnreadableStructPages += (ulong)BitOperations.PopCount(candidates & ~valid & faults);
        window.Excluded[PageClass.Cache] += (ulong)BitOperations.PopCount(pages.Cache & left);
        window.Excluded[PageClass.CachePrivate] += (ulong)BitOperations.PopCount(pages.CachePrivate & left);
        window.Excluded[PageClass.User] += (ulong)BitOperations.PopCount(pages.User & left);
        kept &= ~((pages.Cache | pages.CachePrivate | pages.User) & left);
    }

    private bool DecidePmem(ulong first, PlanWindow window)
    {
        PfnRangeSet all = _request.Pmem.Pages;
        int at = all.IndexAtOrAfter(first);
        if (at >= all.Count || all[at].Start >= first + PlanWindow.Pages)
            return false;
        if (!_request.Options.IncludePmemUserData)
            window.Excluded[PageClass.PmemUserData] = Drop(first, _request.Pmem.UserData, window.Kept);
        if ((_request.Options.Level & DumpLevel.PmemMetadata) != 0)
            window.Excluded[PageClass.PmemMetadata] = Drop(first, _request.Pmem.Metadata, window.Kept);
        else
            window.MetadataKept = CountIn(first, _request.Pmem.Metadata, window.Kept);
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
}
