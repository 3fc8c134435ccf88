using Vmcore.Formats.Elf;
using Vmcore.Ranges;

namespace Vmcore.Dumping;

/// <summary>
/// Cuts the input's PT_LOADs to what an ELF dump keeps of them. A run of excluded pages ends a segment if it is long; a short one is written as zero,
/// so that a dump of scattered pages does not drown in headers. What was excluded is never written.
/// </summary>
internal sealed class ElfSegmentPlan
{
    /// <summary>Excluded pages in a row that end a segment, as in the tools of today.</summary>
    internal const ulong LongRun = 256;

    private readonly KeptWindows _windows;
    private readonly int _pageShift;

    /// <summary>Creates a plan.</summary>
    /// <param name="windows">Give the pages that stay.</param>
    /// <param name="pageShift">log2 of the page size.</param>
    internal ElfSegmentPlan(KeptWindows windows, int pageShift)
    {
        _windows = windows;
        _pageShift = pageShift;
    }

    /// <summary>Pages of the runs that end segments.</summary>
    internal ulong LeftOut { get; private set; }

    /// <summary>Cuts one PT_LOAD; offsets are not set yet.</summary>
    internal IEnumerable<ElfSegment> Cut(ElfSegment load)
    {
        ulong start = load.PhysicalAddress, dataEnd = start, end = load.PhysicalEnd;
        foreach (PhysicalRange run in KeptRuns(load))
        {
            ulong gap = (run.Start >> _pageShift) - ((dataEnd + (1UL << _pageShift) - 1) >> _pageShift);
            if (run.Start > dataEnd && gap >= LongRun)
            {
                LeftOut += gap;
                yield return Part(load, start, dataEnd, run.Start);
                start = run.Start;
            }

            dataEnd = run.End;
        }

        LeftOut += (end - dataEnd) >> _pageShift;
        yield return Part(load, start, dataEnd, end);
    }

    /// <summary>The kept parts of a PT_LOAD in bytes, ascending, not touching.</summary>
    internal IEnumerable<PhysicalRange> KeptRuns(ElfSegment load)
    {
        var data = new PhysicalRange(load.PhysicalAddress, load.PhysicalAddress + load.FileSize);
        PfnRange pages = data.ToPfns(_pageShift);
        ulong runStart = 0, runEnd = 0;
        for (ulong number = pages.Start >> PlanWindow.Shift; number << PlanWindow.Shift < pages.End; number++)
        {
            ulong first = number << PlanWindow.Shift;
            ulong[] kept = _windows.Of(number);
            int at = (int)(Math.Max(pages.Start, first) - first), end = (int)Math.Min(pages.End - first, PlanWindow.Pages);
            while ((at = PageBits.NextSet(kept, at)) < end)
            {
                int stop = Math.Min(PageBits.NextClear(kept, at), end);
                if (first + (ulong)at != runEnd || runEnd == 0)
                {
                    if (runEnd != runStart)
                        yield return new PfnRange(runStart, runEnd).ToPhysical(_pageShift).Intersect(data);
                    runStart = first + (ulong)at;
                }

                runEnd = first + (ulong)stop;
                at = stop;
            }
        }

        if (runEnd != runStart)
            yield return new PfnRange(runStart, runEnd).ToPhysical(_pageShift).Intersect(data);
    }

    private static ElfSegment Part(ElfSegment load, ulong start, ulong dataEnd, ulong end) => load with
    {
        PhysicalAddress = start,
        // QEMU and old tools mark an unknown virtual address with 0 or all ones.
        VirtualAddress = load.VirtualAddress is 0 or ulong.MaxValue ? load.VirtualAddress : load.VirtualAddress + (start - load.PhysicalAddress),
        FileSize = dataEnd - start,
        MemorySize = end - start,
        Offset = 0,
    };
}
