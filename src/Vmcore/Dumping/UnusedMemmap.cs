using Vmcore.Architectures;
using Vmcore.Kernel.Identity;
using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Dumping;

/// <summary>
/// Finds the pages of the memmap that describe nothing that stays: with 4 KiB pages and structures of 64 bytes one page describes 64 others. A page
/// that the memmap uses in several places, as for hugetlb pages, goes only if none of them is needed.
/// </summary>
internal static class UnusedMemmap
{
    /// <summary>Finds them: one pass over all windows.</summary>
    /// <returns>pfns in RAM.</returns>
    /// <exception cref="MissingInformationException">The memmap cannot be read, or its structures do not fill pages evenly.</exception>
    internal static PfnRangeSet Find(DumpRequest request)
    {
        if (request.Dump.Memmap is not { } memmap || request.Dump.Kernel is not { } kernel)
            throw new MissingInformationException(
                request.Dump.ClassificationProblem?.ToString() ?? $"{request.Dump.Name}: -e needs the memmap, which cannot be found");
        int pageSize = request.Dump.Memory.PageSize, described = pageSize / memmap.StructPageSize;
        if (memmap.Model is not SparseMemoryModel || pageSize % memmap.StructPageSize != 0)
            throw new MissingInformationException($"{request.Dump.Name}: -e needs a memmap in sections (SPARSEMEM) with structures that fill pages evenly; "
                + $"here it is {memmap.Model.Name} with {memmap.StructPageSize} bytes");
        List<PfnRange> unused = [], needed = [];
        var classifier = new WindowClassifier(request, PfnRangeSet.Empty);
        var window = new PlanWindow();
        foreach (WindowRun run in request.Runs())
        {
            // What only a header claims has no memmap.
            for (ulong number = run.Number; run.Kind != WindowKind.Claimed && number < run.Number + run.Count; number++)
            {
                if (run.IsMixed)
                    classifier.Classify(number, window);
                else
                    window.Kept.AsSpan().Clear();
                if (!Take(number << PlanWindow.Shift))
                    return PfnRangeSet.Empty; // What is needed must be known in full.
            }
        }

        return PfnRangeSet.From(unused).Except(PfnRangeSet.From(needed)).Except(request.Pmem.Pages);

        bool Take(ulong firstPfn)
        {
            for (int at = 0; at < PlanWindow.Pages; at += described)
            {
                if (FrameOf(memmap.Model, kernel, firstPfn + (ulong)at, request.Dump.Memory.PageShift) is not { } frame)
                    continue;
                List<PfnRange> target = PageBits.NextSet(window.Kept, at) >= at + described ? unused : needed;
                Add(target, frame);
                if (needed.Count > request.Dump.Limits.UnusedMemmapRanges)
                    return false;
                if (unused.Count > request.Dump.Limits.UnusedMemmapRanges)
                    unused.RemoveAt(unused.Count - 1);
            }

            return true;
        }
    }

    private static ulong? FrameOf(MemoryModel model, CrashedKernel kernel, ulong pfn, int pageShift)
    {
        if (!model.TryGetStructPage(pfn, out ulong address, out _) || (address & ((1UL << pageShift) - 1)) != 0)
            return null;
        Translation translation = kernel.Memory.Translate(address);
        return translation.Status == MemoryStatus.Ok ? translation.PhysicalAddress >> pageShift : null;
    }

    private static void Add(List<PfnRange> ranges, ulong frame)
    {
        if (ranges.Count > 0 && ranges[^1].End == frame)
            ranges[^1] = ranges[^1] with { End = frame + 1 };
        else
            ranges.Add(new(frame, frame + 1));
    }
}
