using System.Globalization;
using Vmcore.Compression;
using Vmcore.Dumping;
using Vmcore.Formats.Elf;
using Vmcore.Formats.Kdump;
using Vmcore.Formats.Notes;
using Vmcore.Kernel.Summary;
using Vmcore.Memmap;
using Vmcore.Opening;
using Vmcore.Pmem;
using Vmcore.Ranges;

namespace Vmcore.Cli.Info;

/// <summary>Collects what <c>vmcore info</c> shows.</summary>
internal static class InfoCollector
{
    /// <summary>Pages of metadata whose hashes are not waited for unless asked for: 1 GiB takes ten seconds, and 6 TiB of pmem have 96 GiB.</summary>
    private const ulong MostHashed = 1 << 18;

    /// <summary>Collects it.</summary>
    /// <param name="dump">The dump.</param>
    /// <param name="hashAll">True to hash metadata however large.</param>
    internal static DumpInfo Collect(CrashDump dump, bool hashAll)
    {
        CountsNote? note = CountsNote.TryRead(dump.NoteArea.Span, dump.Notes);
        IReadOnlyList<PfnRange> lost = LostNote.Read(dump.NoteArea.Span, dump.Notes, out ulong lostPages);
        KdumpFile? kdump = dump.Kdump;
        var info = new DumpInfo
        {
            File = dump.Name,
            Format = dump.Format == DumpFormat.Elf ? "elf" : "kdump",
            Flattened = dump.IsFlattened,
            Incomplete = dump.IsIncomplete,
            DumpLevel = note is not null ? (int)(note.Level & (uint)DumpLevel.All) : kdump?.SubHeader.DumpLevel,
            Compression = kdump is null ? null : CompressionOf(kdump.Header.Status),
            Release = dump.VmcoreInfo?.OsRelease ?? kdump?.Header.Utsname.Release,
            Version = dump.Kernel?.Utsname?.Version ?? kdump?.Header.Utsname.Version,
            Machine = dump.Kernel?.Utsname?.Machine ?? kdump?.Header.Utsname.Machine ?? dump.Architecture.Machine.ToString().ToLowerInvariant(),
            NodeName = dump.Kernel?.Utsname?.NodeName ?? kdump?.Header.Utsname.Nodename,
            BuildId = dump.VmcoreInfo?.BuildId,
            CrashTime = dump.VmcoreInfo?.CrashTime,
            Cpus = dump.Notes.Count(n => n.IsCpuStatus),
            Crash = dump.Kernel is null ? null : CrashOf(CrashSummary.Read(dump.KernelView)),
            PageSize = dump.Memory.PageSize,
            PageTableLevels = dump.Kernel?.Memory.Levels,
            MemoryModel = dump.Memmap?.Model.Name,
            MaxPfn = dump.Memory.MaxPfn,
            Loads = [.. dump.Loads.Select(l => LoadOf(dump, l))],
            Pmem = PmemOf(dump, hashAll || dump.Pmem.Metadata.PageCount <= MostHashed),
            Pages = PagesOf(dump, note),
            LostPages = note is null ? null : Math.Max(lostPages, note.Unreadable),
            Lost = [.. lost.Select(static r => new LostInfo(r.Start, r.End))],
            Problems =
            [
                .. dump.Problems,
                .. dump.IsXen ? [Reader.ReaderContext.XenText(dump)] : Array.Empty<string>(),
                .. lostPages > 0 ? [LostText(lost, lostPages)] : Array.Empty<string>(),
                .. dump.ClassificationProblem is { } problem ? [problem] : Array.Empty<string>(),
                .. dump.Pmem.Findings,
            ],
        };

        // That pages are missing comes out when they are asked for.
        return dump is { IsIncomplete: false, Loss: { } loss } ? info with { Incomplete = true, Problems = [loss, .. info.Problems] } : info;
    }

    private static string LostText(IReadOnlyList<PfnRange> lost, ulong pages)
    {
        const int Most = 16;
        string ranges = string.Join(", ", lost.Take(Most).Select(static r => r.ToString()));
        return string.Create(CultureInfo.InvariantCulture, $"{pages} pages could not be read when the dump was written and are not in it: "
            + $"pfn {ranges}{(lost.Count > Most ? ", …" : "")}");
    }

    private static CrashInfo CrashOf(CrashSummary crash) => new()
    {
        UptimeSeconds = crash.Uptime?.TotalSeconds,
        ClockTime = crash.Clock?.Now,
        Panic = crash.Panic,
        Taints = crash.Taints?.Select(t => new TaintInfo(t.Letter, t.Meaning)).ToArray(),
        LoadAverage = crash.LoadAverage,
        CpusOnline = crash.CpusOnline,
        Cpu = crash.Crashing?.Number,
        Task = crash.Crashing?.Task is { } task ? new(task.Pid, task.Name, task.Address) : null,
        Problems = crash.Problems,
    };

    private static string CompressionOf(KdumpStatus status) =>
        PageCodecs.TryFromFlags((uint)status & (uint)(PageCodec.Zlib | PageCodec.Lzo | PageCodec.Snappy | PageCodec.Zstd), out PageCodec codec)
            ? codec.ToString().ToLowerInvariant() : "unknown";

    private static LoadInfo LoadOf(CrashDump dump, ElfSegment load)
    {
        PfnRange pages = new PhysicalRange(load.PhysicalAddress, load.PhysicalEnd).ToPfns(dump.Memory.PageShift);
        bool isPmem = load.IsDevice || !dump.Pmem.Pages.Intersect(pages).IsEmpty;
        return new(load.PhysicalAddress, load.PhysicalEnd, load.VirtualAddress, load.Offset, load.FileSize, load.Flags, isPmem);
    }

    private static PmemInfo? PmemOf(CrashDump dump, bool withHashes)
    {
        PmemLayout pmem = dump.Pmem;
        if (pmem.Pages.IsEmpty)
            return null;
        return new(
            pmem.Pages.PageCount,
            pmem.Metadata.PageCount,
            pmem.UserData.PageCount,
            [.. pmem.Namespaces.Select(n => NamespaceOf(dump, n, withHashes))],
            [.. pmem.Metadata.Select(r => new RangeInfo(r.Start, r.End, withHashes ? MetadataHash.Compute(dump.Memory, r) : null))])
        { IsHashed = withHashes };
    }

    private static NamespaceInfo NamespaceOf(CrashDump dump, PmemNamespace item, bool withHashes) =>
        new()
        {
            Name = item.Name,
            Base = item.Range.Start,
            Size = item.Range.Length,
            Mode = item.Mode.ToString().ToLowerInvariant(),
            Map = MapName(item.Map),
            Uuid = item.InfoBlock?.Uuid,
            DataOffset = item.InfoBlock?.DataOffset,
            Alignment = item.InfoBlock?.Alignment,
            MetadataPages = item.Metadata.PageCount,
            MetadataPagesPresent = item.MetadataPresent,
            Memmap = item.State.ToString().ToLowerInvariant(),
            MetadataSha256 = withHashes ? MetadataHash.Compute(dump.Memory, item) : null,
        };

    internal static string MapName(PmemMap map) => map switch { PmemMap.Device => "dev", PmemMap.Memory => "mem", _ => "none" };

    private static PageInfo? PagesOf(CrashDump dump, CountsNote? note)
    {
        PageCounts? noted = note is null ? null : PageCounts.From(note.LeftOut);
        if (noted is null && dump.ClassificationProblem is not null)
            return null;
        ulong existing = 0, present = 0;
        PageCounts counts = noted ?? new();
        ulong metadata = noted is null ? 0 : note!.MetadataKept + noted[PageClass.PmemMetadata];

        // Counted at the level that names every class; a filtered file is only asked which pages it has.
        DumpLevel level = noted is null ? DumpLevel.All & ~(DumpLevel.Zero | DumpLevel.PmemMetadata) : DumpLevel.None;
        var plan = new DumpRequest(dump, new() { Level = level });
        var classifiers = new Classifiers(plan);
        var work = new (WindowClassifier Classifier, PlanWindow Window)[ParallelScan.BatchSize];
        for (int i = 0; i < work.Length; i++)
            work[i] = (classifiers.Create(), new());
        ulong[] numbers = new ulong[work.Length];
        int filled = 0;
        foreach (ulong number in plan.Windows())
        {
            numbers[filled++] = number;
            if (filled == numbers.Length)
                Classify();
        }

        Classify();
        bool isKnown = MovePoisoned(dump, counts, noted is null ? level : (DumpLevel)note!.Level);
        return new()
        {
            PoisonedIsKnown = isKnown,
            Counted = noted is null ? "in this file" : "when it was filtered",
            Existing = existing,
            InFile = present,
            Zero = noted?[PageClass.Zero],
            Cache = counts[PageClass.Cache],
            CachePrivate = counts[PageClass.CachePrivate],
            User = counts[PageClass.User],
            Free = counts[PageClass.Free],
            HwPoison = counts[PageClass.HwPoison],
            Offline = counts[PageClass.Offline],
            PmemMetadata = metadata,
            PmemUserData = counts[PageClass.PmemUserData],
        };

        void Classify()
        {
            ParallelScan.Run(filled, i => work[i].Classifier.Classify(numbers[i], work[i].Window));
            foreach ((_, PlanWindow window) in work.AsSpan(0, filled))
            {
                existing += (ulong)PageBits.Count(window.Exists);
                present += (ulong)PageBits.Count(window.Exists) - window.MissingInInput;
                if (noted is null)
                {
                    counts.Add(window.Excluded);
                    metadata += window.MetadataKept;
                }
            }

            filled = 0;
        }
    }
    /// <summary>Counts pages that failed as such, whatever else they are; the filter counts them by what else they are where the level names that.</summary>
    /// <param name="dump">The dump.</param>
    /// <param name="counts">Pages by class, as the filter counts them.</param>
    /// <param name="level">The level that they were counted at.</param>
    /// <returns>False if the dump does not tell which pages failed.</returns>
    private static bool MovePoisoned(CrashDump dump, PageCounts counts, DumpLevel level)
    {
        if (dump.Poisoned is not { } poisoned)
            return false;
        Span<ulong> exists = stackalloc ulong[1], present = stackalloc ulong[1];
        foreach (PfnRange range in poisoned.Pages)
        {
            for (ulong pfn = range.Start; pfn < range.End; pfn++)
            {
                dump.Coverage.GetPages(pfn & ~63UL, exists, present);
                PageClass other = dump.Pmem.Pages.Contains(pfn) ? PageBits.Get(exists, (int)(pfn & 63)) ? PageClass.PmemUserData : PageClass.Kept
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
