using System.Globalization;
using Vmcore.Findings;
using Vmcore.Formats.Kdump;
using Vmcore.Formats.Notes;
using Vmcore.Memory;
using Vmcore.Opening;
using Vmcore.Ranges;

namespace Vmcore.Verification;

/// <summary>
/// Checks that a dump is what it claims to be: every structure within the file and consistent, every page readable, and no user data of pmem in it. Reads
/// all of the file once; memory is bounded.
/// </summary>
public static class DumpVerifier
{
    /// <summary>Pages asked for at once.</summary>
    internal const int BlockPages = 4096;

    private const int ListedRanges = 64;

    /// <summary>Checks a dump.</summary>
    /// <param name="dump">The dump.</param>
    /// <param name="progress">Hears how many pages are done, and how many there are up to the end of the file that is being read; null for nobody.</param>
    public static VerifyReport Verify(OpenedDump dump, Action<ulong, ulong>? progress = null)
    {
        var report = new VerifyReport(dump.Name);
        foreach (Finding problem in dump.Problems)
        {
            // Which pages are missing is said below.
            if (problem.Code != FindingCode.PartsMissing)
                report.Add("file", null, "structure", problem.ToString(), "no such fault");
        }

        if (dump.IsIncomplete && dump.Kdump is null)
            report.Add("file", null, "completeness", "marked incomplete, or cut short", "a complete dump");

        IReadOnlyList<PfnRange> lost = LostNote.Read(dump.NoteArea.Span, dump.Notes, out ulong lostPages);
        ulong listedPages = 0;
        foreach (PfnRange range in lost)
            listedPages += range.Count;
        if (lostPages > 0)
            report.Add("page", null, string.Create(CultureInfo.InvariantCulture, $"{lostPages} pages that could not be read when the dump was written"),
                "not in the dump: pfn " + string.Join(", ", lost) + (listedPages < lostPages ? ", …" : ""),
                "all pages that stay");

        // First what must never be: a thousand damaged pages should not hide it.
        CheckPmem(dump, report);
        if (dump.Kdump is { } kdump)
        {
            SplitVerifier.Check(kdump, report);
            ulong before = 0;
            foreach (KdumpPart part in kdump.Parts)
            {
                new KdumpVerifier(dump, part, report).Run(progress is null ? null : (done, total) => progress(before + done, before + total));
                before = report.Pages;
            }
        }
        else
        {
            new ElfVerifier(dump, report).Run(progress);
        }

        return report;
    }

    private static void CheckPmem(OpenedDump dump, VerifyReport report)
    {
        Pmem.PmemLayout pmem = dump.Pmem;
        report.UserDataPages = pmem.UserData.PageCount;
        report.MetadataPages = CountPresent(dump.Coverage, pmem.Metadata);
        int listed = 0;
        foreach (PfnRange run in PresentRuns(dump.Coverage, pmem.UserData))
        {
            PfnRange bad = dump.Kdump is null ? FirstNonZero(dump.Unfiltered, run) : run;

            // Between pages that stay an ELF file has zeros where something was left out.
            if (bad.IsEmpty)
                continue;
            report.UserDataFound += bad.Count;
            if (listed++ < ListedRanges)
                report.Add("pmem", FileOf(dump, bad.Start), OffsetOf(dump, bad.Start), string.Create(CultureInfo.InvariantCulture,
                    $"pmem user data, pfn {bad}"), $"{bad.Count} pages with content", "none: user data of pmem is in no dump");
        }

        byte[] bytes = new byte[dump.Memory.PageSize];
        foreach (PhysicalRange range in pmem.Unwritten)
        {
            Span<byte> part = bytes.AsSpan(0, (int)Math.Min(range.Length, (ulong)bytes.Length)); // None is longer than a page.
            if (dump.Unfiltered.Read(range.Start, part) == MemoryStatus.Ok && part.ContainsAnyExcept((byte)0))
                report.Add("pmem", FileOf(dump, range.Start >> dump.Memory.PageShift), OffsetOf(dump, range.Start >> dump.Memory.PageShift),
                    $"struct pages that the kernel never wrote, at {range}", "old content of the media", "zeros");
        }

        if (CountsNote.TryRead(dump.NoteArea.Span, dump.Notes) is { MetadataKept: var noted }
            && dump is { Kdump: not null, IsIncomplete: false } && noted != report.MetadataPages)
            report.Add("pmem", null, "pmem metadata pages", report.MetadataPages.ToString(CultureInfo.InvariantCulture),
                string.Create(CultureInfo.InvariantCulture, $"{noted}, as the dump's own note says"));
    }

    /// <summary>The file that has a page: of a split dump one of several.</summary>
    private static string FileOf(OpenedDump dump, ulong pfn) => dump.Kdump?.Parts.FirstOrDefault(p => p.Pfns.Contains(pfn))?.Source.Name ?? dump.Name;

    private static long? OffsetOf(OpenedDump dump, ulong pfn)
    {
        if (dump.Kdump is { } kdump)
            return kdump.TryGetDescriptor(pfn, out PageDescriptor descriptor) ? descriptor.Offset : null;
        ulong address = pfn << dump.Memory.PageShift;
        foreach (Formats.Elf.ElfSegment load in dump.Loads)
        {
            if (address >= load.PhysicalAddress && address - load.PhysicalAddress < load.FileSize)
                return (long)(load.Offset + (address - load.PhysicalAddress));
        }

        return null;
    }

    private static ulong CountPresent(PageCoverage coverage, PfnRangeSet set) =>
        PresentRuns(coverage, set).Aggregate(0UL, static (sum, run) => sum + run.Count);

    /// <summary>The runs of pages of a set that have content; ranges without any cost next to nothing where the dump has no extent there.</summary>
    private static IEnumerable<PfnRange> PresentRuns(PageCoverage coverage, PfnRangeSet set)
    {
        ulong[] exists = new ulong[BlockPages / 64], present = new ulong[BlockPages / 64];
        PfnRange run = default;
        foreach (PfnRange range in set.Intersect(coverage.Extents))
        {
            for (ulong first = range.Start & ~((ulong)BlockPages - 1); first < range.End; first += BlockPages)
            {
                first = coverage.AbsentUntil(new(Math.Max(first, range.Start), range.End)) & ~((ulong)BlockPages - 1);
                coverage.GetPages(first, exists, present);
                int from = (int)(Math.Max(range.Start, first) - first), to = (int)Math.Min(range.End - first, BlockPages);
                PageBits.Clear(present, 0, from);
                PageBits.Clear(present, to, BlockPages - to);
                for (int at = 0; (at = PageBits.NextSet(present, at)) < BlockPages;)
                {
                    int end = PageBits.NextClear(present, at);
                    var next = new PfnRange(first + (ulong)at, first + (ulong)end);
                    if (next.Start == run.End)
                    {
                        run = run with { End = next.End };
                    }
                    else
                    {
                        if (!run.IsEmpty)
                            yield return run;
                        run = next;
                    }

                    at = end;
                }
            }
        }

        if (!run.IsEmpty)
            yield return run;
    }

    private static PfnRange FirstNonZero(CrashMemory memory, PfnRange run)
    {
        byte[] page = new byte[memory.PageSize];
        ulong first = 0, count = 0;
        for (ulong pfn = run.Start; pfn < run.End; pfn++)
        {
            if (memory.ReadPage(pfn, page) != MemoryStatus.Ok || ZeroPage.IsZero(page))
                continue;
            first = count == 0 ? pfn : first;
            count++;
        }

        return count == 0 ? default : new(first, first + count);
    }
}
