using System.Globalization;
using Vmcore.Dumping;
using Vmcore.Findings;
using Vmcore.Formats.Elf;
using Vmcore.Formats.Kdump;
using Vmcore.Formats.Notes;
using Vmcore.Kernel.Summary;
using Vmcore.Memmap;
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
        DumpInfo head = Head(dump);
        DumpInfo info = head with
        {
            Loads = [.. dump.Loads.Select(l => LoadOf(dump, l))],
            Pmem = PmemOf(dump, hashAll || dump.Pmem.Metadata.PageCount <= MostHashed),
            Pages = PagesOf(dump),
            Problems = [.. head.Problems, .. dump.Pmem.Findings],
        };

        // That pages are missing comes out when they are asked for.
        return dump is { IsIncomplete: false, Loss: { } loss } ? info with { Incomplete = true, Problems = [loss, .. info.Problems] } : info;
    }

    /// <summary>Collects what the file and the kernel say of themselves: neither PT_LOADs, nor pmem, nor classes of pages.</summary>
    /// <param name="dump">The dump.</param>
    internal static DumpInfo Head(CrashDump dump)
    {
        CountsNote? note = CountsNote.TryRead(dump.NoteArea.Span, dump.Notes);
        IReadOnlyList<PfnRange> lost = LostNote.Read(dump.NoteArea.Span, dump.Notes, out ulong lostPages);
        KdumpFile? kdump = dump.Kdump;
        return new()
        {
            File = dump.Name,
            Format = dump.Format.ToString().ToLowerInvariant(),
            Flattened = dump.IsFlattened,
            Incomplete = dump.IsIncomplete,
            DumpLevel = note is not null ? (int)(note.Level & (uint)DumpLevel.All) : kdump?.SubHeader.DumpLevel,
            Compression = kdump is null ? null : kdump.Header.Codec?.ToString().ToLowerInvariant() ?? "unknown",
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
            LostPages = note is null && lostPages == 0 ? null : Math.Max(lostPages, note?.Unreadable ?? 0),
            Lost = [.. lost.Select(static r => new LostInfo(r.Start, r.End))],
            Problems =
            [
                .. dump.Problems,
                .. dump.IsXen ? [new(FindingCode.XenDump, dump.Name)] : Array.Empty<Finding>(),
                .. lostPages > 0 ? [new(FindingCode.PagesUnreadable, LostText(lost, lostPages))] : Array.Empty<Finding>(),
                .. dump.ClassificationProblem is { } problem ? [problem] : Array.Empty<Finding>(),
            ],
        };
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
        HardwareErrors = crash.HardwareErrors?.Select(static e => new HardwareErrorInfo(e.Kind, e.Count, e.Last == 0 ? null : e.Last)).ToArray(),
        Cpu = crash.Crashing?.Number,
        Task = crash.Crashing?.Task is { } task ? new(task.Pid, task.Name, task.Address) : null,
        Problems = crash.Problems,
    };

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

    private static PageInfo? PagesOf(CrashDump dump)
    {
        if (PageCensus.Take(dump) is not { } census)
            return null;
        PageCounts counts = census.Counts;
        return new()
        {
            PoisonedIsKnown = census.PoisonedIsKnown,
            Counted = census.IsNoted ? "when it was filtered" : "in this file",
            Existing = census.Existing,
            InFile = census.InFile,
            Zero = census.IsNoted ? counts[PageClass.Zero] : null,
            Cache = counts[PageClass.Cache],
            CachePrivate = counts[PageClass.CachePrivate],
            User = counts[PageClass.User],
            Free = counts[PageClass.Free],
            HwPoison = counts[PageClass.HwPoison],
            Offline = counts[PageClass.Offline],
            PmemMetadata = census.PmemMetadata,
            PmemUserData = counts[PageClass.PmemUserData],
        };
    }
}
