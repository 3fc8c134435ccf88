using Vmcore.Cli.Info;
using Vmcore.Kernel.Resources;
using Vmcore.Kernel.Vfs;
using Vmcore.Pmem;
using Vmcore.Pmem.Usage;
using Vmcore.Ranges;

namespace Vmcore.Cli.Reader.Pmem;

/// <summary>Puts together what <c>vmcore pmem</c> shows.</summary>
internal static class PmemCollector
{
    private const string NamePrefix = "namespace";

    internal static PmemAnswer Collect(CrashDump dump, PmemUsage usage)
    {
        PmemLayout pmem = dump.Pmem;
        return new()
        {
            Release = dump.VmcoreInfo?.OsRelease,
            PageSize = dump.Memory.PageSize,
            Regions = [.. Regions(dump)],
            Namespaces = [.. pmem.Namespaces.Select(n => NamespaceOf(dump, n, usage))],
            Files = [.. usage.Files.Select(f => FileOf(f, usage))],
            Processes = [.. usage.Mappings.GroupBy(m => m.Process.Address).Select(g => ProcessOf([.. g]))],
            Findings = [.. dump.Problems, .. pmem.Findings, .. usage.Problems],
        };
    }

    private static IEnumerable<PmemRegionInfo> Regions(CrashDump dump)
    {
        List<(string? Name, PhysicalRange Range)> regions = [.. dump.Resources?.PersistentMemory().Select(r => ((string?)r.Name, r.Range)) ?? []];
        int shift = dump.Memory.PageShift;

        // What other sources call pmem, the kernel's tree may not name at all.
        PfnRangeSet rest = dump.Pmem.Pages.Except(PfnRangeSet.From(regions.Select(r => r.Range.ToPfns(shift))));
        regions.AddRange(rest.Select(r => ((string?)null, r.ToPhysical(shift))));
        foreach ((string? name, PhysicalRange range) in regions.OrderBy(r => r.Range.Start))
        {
            PfnRangeSet assigned = PfnRangeSet.From(dump.Pmem.Namespaces.Select(n => n.Range.ToPfns(shift)));
            PfnRange pages = range.ToPfns(shift);
            bool isKnown = dump.Resources is not null || !assigned.IsEmpty; // Else nothing says that there were no namespaces.
            yield return new(name, range.Start, range.End, isKnown ? PfnRangeSet.From([pages]).Except(assigned).PageCount << shift : null);
        }
    }

    private static PmemNamespaceInfo NamespaceOf(CrashDump dump, PmemNamespace item, PmemUsage all)
    {
        NamespaceUsage? usage = all.Namespaces.FirstOrDefault(u => ReferenceEquals(u.Namespace, item));
        int shift = dump.Memory.PageShift, number = usage is null ? -1 : all.Namespaces.ToList().IndexOf(usage);
        PhysicalRange? data = item.InfoBlock is null ? null : item.DataPages(shift).ToPhysical(shift);
        return new()
        {
            Name = item.Name,
            Start = item.Range.Start,
            End = item.Range.End,
            Mode = item.Mode.ToString().ToLowerInvariant(),
            Map = InfoCollector.MapName(item.Map),
            Uuid = item.InfoBlock?.Uuid,
            Devices = [.. Devices(dump, item, all, number)],
            Data = data is { } range ? new(range.Start, range.End) : null,
            Alignment = item.InfoBlock?.Alignment,
            Memmap = new()
            {
                State = item.State.ToString().ToLowerInvariant(),
                Pages = item.Metadata.PageCount,
                PagesPresent = item.MetadataPresent,
                Ranges = [.. item.Metadata.Select(r => r.ToPhysical(shift)).Select(r => new BytesInfo(r.Start, r.End))],
            },
            PageMap = usage?.PageMap is { } map
                ? new(map.Address, map.Type switch { 3 => "fsdax", 4 => "devdax", _ => "other" },
                    map.Range.Start, map.Range.End, map.VmemmapShift, map.ReservedPages, map.UsedPages) : null,
            Pages = usage is null ? null : StatesOf(usage.Counts),
            Shared = [.. usage?.Shared.Select(s => new SharedInfo(s.Pages.Start, s.Pages.End, s.Count > 0 ? s.Count : null)) ?? []],
            PoisonedPfns = usage?.Poisoned ?? [],
            Damage = usage?.Damage,
        };
    }

    private static SortedSet<string> Devices(CrashDump dump, PmemNamespace item, PmemUsage all, int number)
    {
        var names = new SortedSet<string>(StringComparer.Ordinal);
        foreach (KernelResource resource in dump.Resources?.All() ?? [])
        {
            if (item.Range.Contains(resource.Start) && resource.Name.StartsWith("dax", StringComparison.Ordinal)
                && resource.Name.Contains('.', StringComparison.Ordinal))
                names.Add(resource.Name);
        }

        // A bound driver of an fsdax namespace names its disk after it, whether a file is mapped or not. Where the struct pages do not
        // lead to the driver's own words, that there are any says that it was bound.
        bool isBound = number >= 0 && (all.Namespaces[number].PageMap is { } driver ? driver.Type == 3 : item.Mode == PmemMode.FsDax);
        if (isBound && item.Name is { } name && name.StartsWith(NamePrefix, StringComparison.Ordinal))
            names.Add("pmem" + (name.EndsWith(".0", StringComparison.Ordinal) ? name[NamePrefix.Length..^2] : name[NamePrefix.Length..]));
        foreach (PmemFile file in all.Files)
        {
            if (file.Device is { } device && file.Namespaces.Contains(number))
                names.Add(device);
        }

        return names;
    }

    private static PageStatesInfo StatesOf(DaxPageCounts c) =>
        new(c.Total, c.Idle, c.Mapped, c.Shared, c.InUse, c.Foreign, c.Unreadable, c.WithoutStruct, c.Pinned, c.Poisoned);

    private static PmemFileInfo FileOf(PmemFile file, PmemUsage all)
    {
        KernelInode? inode = file.Inode;
        bool isDevice = inode is { IsDeviceDax: true };
        return new()
        {
            Kind = isDevice ? "device" : inode is null ? "unknown" : "file",
            Path = isDevice && file.Device is not null ? "/dev/" + file.Device : file.Path.Text,
            Deleted = file.Path.IsDeleted,
            Mounted = file.Path.IsMounted,
            Inode = isDevice ? null : inode?.Number,
            Device = file.Device,
            DeviceNumber = isDevice ? inode!.Device.ToString() : inode?.SuperBlock?.Device.ToString(),
            FileSystem = isDevice ? null : inode?.SuperBlock?.Type,
            Size = isDevice ? null : inode?.Size,
            Mapping = file.Mapping,
            Namespaces = [.. file.Namespaces.Order().Select(n => all.Namespaces[n].Namespace.Name)],
            Pages = file.Pages,
            SharedPages = file.SharedPages,
            PinnedPages = file.Pinned,
            Ranges = [.. file.Runs.Select(RangeOf)],
            SharedRanges = [.. file.SharedRuns.Select(RangeOf)],
            RangesLeftOut = file.RunsLeftOut + file.SharedRunsLeftOut,
        };
    }

    private static FileRangeInfo RangeOf(DaxRun run) => new(run.Index, run.Pfn, run.Pages);

    private static PmemProcessInfo ProcessOf(List<PmemMapping> all) =>
        new(all[0].Process.Pid, all[0].Process.Name,
            [.. all.Select(m => new PmemAreaInfo(m.Area.Start, m.Area.End, m.Area.Permissions, m.Path.Text, m.Path.IsDeleted, m.Area.PageOffset, m.Mapping))]);
}
