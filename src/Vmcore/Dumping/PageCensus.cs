using Vmcore.Formats.Notes;
using Vmcore.Memmap;
using Vmcore.Opening;
using Vmcore.Ranges;

namespace Vmcore.Dumping;

/// <summary>How many pages of each class a machine had when it crashed: counted, or of a dump that Vmcore filtered as it noted them then.</summary>
public sealed class PageCensus
{
    private PageCensus()
    {
    }

    /// <summary>True if the classes are those that were noted when the dump was filtered; false if they were counted now.</summary>
    public bool IsNoted { get; private init; }

    /// <summary>Pages by class, but those that failed (PG_hwpoison) all as <see cref="PageClass.HwPoison"/>, whatever else they are. Zero pages are known
    /// only if <see cref="IsNoted"/>.</summary>
    public PageCounts Counts { get; private init; } = new();

    /// <summary>False if more memory may have failed than <see cref="Counts"/> has, since the dump does not tell of every page.</summary>
    public bool PoisonedIsKnown { get; private init; }

    /// <summary>Pages of pmem metadata, in the dump or left out.</summary>
    public ulong PmemMetadata { get; private init; }

    /// <summary>Pages that existed on the machine, as far as the file tells.</summary>
    public ulong Existing { get; private init; }

    /// <summary>Those of <see cref="Existing"/> that the file has.</summary>
    public ulong InFile { get; private init; }

    /// <summary>Takes the census: reads the memmap, at the level that names every class. No page is read for being zero.</summary>
    /// <param name="dump">The dump.</param>
    /// <returns>Null if pages cannot be classified (<see cref="OpenedDump.ClassificationProblem"/>) and nothing was noted.</returns>
    public static PageCensus? Take(OpenedDump dump)
    {
        ArgumentNullException.ThrowIfNull(dump);
        var note = CountsNote.TryRead(dump.NoteArea.Span, dump.Notes);
        if (note is null && dump.ClassificationProblem is not null)
            return null;
        ulong existing = 0, present = 0, metadata = note is null ? 0 : note.MetadataKept;
        PageCounts counts = note is null ? new() : PageCounts.From(note.LeftOut);
        if (note is not null)
            metadata += counts[PageClass.PmemMetadata];

        // A filtered file is only asked which pages it has.
        DumpLevel level = note is null ? DumpLevel.All & ~(DumpLevel.Zero | DumpLevel.PmemMetadata) : DumpLevel.None;
        var request = new DumpRequest(dump, new() { Level = level });
        var classifiers = new Classifiers(request);
        var work = new (WindowClassifier Classifier, PlanWindow Window)[ParallelScan.BatchSize];
        for (int i = 0; i < work.Length; i++)
            work[i] = (classifiers.Create(), new());
        ulong[] numbers = new ulong[work.Length];
        int filled = 0;
        foreach (WindowRun run in request.Runs())
        {
            if (!run.IsMixed)
            {
                existing += run.Pages;
                if (run.Kind == WindowKind.UserData)
                {
                    present += run.Pages;
                    counts[PageClass.PmemUserData] += note is null ? run.Pages : 0;
                }

                continue;
            }

            numbers[filled++] = run.Number;
            if (filled == numbers.Length)
                Classify();
        }

        Classify();
        bool isKnown = MovePoisoned(dump, counts, note is null ? level : (DumpLevel)note.Level);
        return new()
        {
            IsNoted = note is not null,
            Counts = counts,
            PoisonedIsKnown = isKnown,
            PmemMetadata = metadata,
            Existing = existing,
            InFile = present,
        };

        void Classify()
        {
            ParallelScan.Run(filled, i => work[i].Classifier.Classify(numbers[i], work[i].Window));
            foreach ((_, PlanWindow window) in work.AsSpan(0, filled))
            {
                existing += (ulong)PageBits.Count(window.Exists);
                present += (ulong)PageBits.Count(window.Exists) - window.MissingInInput;
                if (note is null)
                {
                    counts.Add(window.Excluded);
                    metadata += window.MetadataKept;
                }
            }

            filled = 0;
        }
    }

    // The filter counts pages that failed by what else they are, where the level names that, as makedumpfile does.
    private static bool MovePoisoned(OpenedDump dump, PageCounts counts, DumpLevel level)
    {
        if (dump.Poisoned is not { } poisoned)
            return false;
        foreach (PfnRange range in poisoned.Pages)
        {
            for (ulong pfn = range.Start; pfn < range.End; pfn++)
            {
                PageClass other = dump.Pmem.Pages.Contains(pfn) ? dump.Coverage.Exists(pfn) ? PageClass.PmemUserData : PageClass.Kept
                    : PageLookup.Find(dump.Memmap, dump.PageLayout, dump.Pmem.Pages, pfn, level).Class;
                if (other == PageClass.HwPoison)
                    continue;
                counts[PageClass.HwPoison]++;
                if (other != PageClass.Kept && counts[other] > 0)
                    counts[other]--;
            }
        }

        counts[PageClass.HwPoison] += poisoned.Count - poisoned.Pages.PageCount;
        return poisoned.Unreadable == 0;
    }
}
