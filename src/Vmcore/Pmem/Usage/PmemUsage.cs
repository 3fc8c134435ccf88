using Vmcore.Architectures;
using Vmcore.Findings;
using Vmcore.Kernel;
using Vmcore.Kernel.Processes;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Types;
using Vmcore.Kernel.Vfs;
using Vmcore.Memmap;
using Vmcore.Ranges;

namespace Vmcore.Pmem.Usage;

/// <summary>A file, or a devdax device, with pages on pmem that processes had mapped.</summary>
public sealed class PmemFile
{
    internal PmemFile(ulong mapping) => Mapping = mapping;

    /// <summary>Virtual address of the address_space.</summary>
    public ulong Mapping { get; }

    /// <summary>The inode; null if it cannot be read.</summary>
    public KernelInode? Inode { get; internal init; }

    /// <summary>Where it is.</summary>
    public KernelPath Path { get; internal init; }

    /// <summary>Name of the device: <c>pmem0</c>, <c>dax0.1</c>; null if it is not known.</summary>
    public string? Device { get; internal init; }

    /// <summary>The namespaces that its pages are in, by number in <see cref="PmemUsage.Namespaces"/>.</summary>
    public IReadOnlySet<int> Namespaces => NamespaceSet;

    /// <summary>Pages that belong to it alone.</summary>
    public ulong Pages { get; internal set; }

    /// <summary>Pages of it that do not name it, since it shares them with other files; found through its page tree.</summary>
    public ulong SharedPages { get; internal set; }

    /// <summary>Pages that someone holds besides page tables.</summary>
    public ulong Pinned { get; internal set; }

    /// <summary>Where the pages of <see cref="Pages"/> are.</summary>
    public IReadOnlyList<DaxRun> Runs => OwnRuns;

    /// <summary>Where the pages of <see cref="SharedPages"/> are.</summary>
    public IReadOnlyList<DaxRun> SharedRuns => SharedList;

    /// <summary>Runs that are not in <see cref="Runs"/>, of which there are too many.</summary>
    public ulong RunsLeftOut { get; internal set; }

    /// <summary>Runs that are not in <see cref="SharedRuns"/>.</summary>
    public ulong SharedRunsLeftOut { get; internal set; }

    internal HashSet<int> NamespaceSet { get; } = [];

    internal List<DaxRun> OwnRuns { get; } = [];

    internal List<DaxRun> SharedList { get; } = [];

    internal IEnumerable<DaxRun> AllRuns => OwnRuns.Concat(SharedList);
}

/// <summary>A range of a process's memory that maps pmem.</summary>
/// <param name="Process">The process.</param>
/// <param name="Area">Virtual addresses, permissions, place in the file.</param>
/// <param name="Path">The file, or the device, as it was opened.</param>
/// <param name="Mapping">Virtual address of the address_space: a <see cref="PmemFile"/> if any of its pages was touched.</param>
/// <param name="IsDeviceDax">True for a devdax device.</param>
public sealed record PmemMapping(KernelTask Process, FileMapping Area, KernelPath Path, ulong Mapping, bool IsDeviceDax);

/// <summary>
/// What pmem was used for when the machine crashed: for each namespace its pages by state, and which file or device each belongs to, and which process had it
/// mapped. All of it comes from the kernel's metadata; the data on the pmem is never read.
/// </summary>
public sealed class PmemUsage
{
    private readonly KernelView _kernel;
    private readonly PmemLayout _pmem;
    private readonly int _pageShift;
    private readonly Dictionary<ulong, PmemFile> _files = [];
    private readonly List<PmemMapping> _mappings = [];
    private readonly List<Finding> _problems = [];

    private PmemUsage(KernelView kernel, PmemLayout pmem)
    {
        _kernel = kernel;
        _pmem = pmem;
        _pageShift = kernel.PhysicalMemory.PageShift;
    }

    /// <summary>The namespaces that have struct pages, by address.</summary>
    public IReadOnlyList<NamespaceUsage> Namespaces { get; private set; } = [];

    /// <summary>The files and devices, those with most pages first.</summary>
    public IReadOnlyList<PmemFile> Files { get; private set; } = [];

    /// <summary>Where processes map pmem, by process.</summary>
    public IReadOnlyList<PmemMapping> Mappings => _mappings;

    /// <summary>What could not be found out.</summary>
    public IReadOnlyList<Finding> Problems => _problems;

    /// <summary>The kernel's file systems; null without types.</summary>
    public KernelVfs? Vfs { get; private set; }

    /// <summary>Reads single pages; null if there is no memmap.</summary>
    internal UsageScan? Scan { get; private set; }

    /// <summary>Collects it.</summary>
    /// <param name="kernel">The crashed kernel.</param>
    /// <param name="pmem">The pmem.</param>
    /// <param name="memmap">The memmap; null if it cannot be found.</param>
    /// <param name="layout">The layout of its structures; null if it is not known.</param>
    /// <param name="scanPages">False to leave the struct pages alone: then only <see cref="Mappings"/> are there.</param>
    /// <param name="progress">Is told now and then how many struct pages were read, and of how many; null for nobody.</param>
    public static PmemUsage Collect(
        KernelView kernel, PmemLayout pmem, MemmapReader? memmap, StructPageLayout? layout, bool scanPages = true, Action<ulong, ulong>? progress = null) =>
        CollectFor(null, kernel, pmem, memmap, layout, scanPages, progress);

    /// <summary>The same, for a visitor that is told where pages in which state are; null for nobody.</summary>
    internal static PmemUsage CollectFor(IUsageVisitor? visitor, KernelView kernel, PmemLayout pmem, MemmapReader? memmap, StructPageLayout? layout,
        bool scanPages, Action<ulong, ulong>? progress)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        ArgumentNullException.ThrowIfNull(pmem);
        var result = new PmemUsage(kernel, pmem);
        if (kernel is not { Memory: { } memory, VmcoreInfo: { } info } || memmap is null || layout is null)
        {
            result._problems.Add(new(FindingCode.UsageUnknown, kernel.KernelProblem?.ToString() ?? $"{kernel.Name}: the struct pages cannot be found"));
            return result;
        }

        DaxPageLayout pages = DaxPageLayout.From(info, layout, kernel.Types, memory);
        result.Scan = new(memmap, pages, memory, kernel.Types, result._pageShift);
        if (scanPages)
            result.ScanPages(progress, visitor);
        if (kernel.Types is { } types)
            result.Resolve(types);
        else
            result._problems.Add(new(FindingCode.UsageWithoutNames, $"{kernel.TypesProblem}"));
        foreach (NamespaceUsage item in result.Namespaces)
        {
            // That a memmap was written anew, the finding about the namespace says.
            if (item is { Damage: { } damage, Namespace.State: not MemmapState.Overwritten })
                result._problems.Add(new(FindingCode.UsageDamaged, item.Namespace.Name ?? "the namespace", item.Namespace.Range, damage));
        }

        result.Order();
        return result;
    }

    /// <summary>The file with an address_space; null if none of its pages was found.</summary>
    public PmemFile? FileOf(ulong mapping) => _files.GetValueOrDefault(mapping);

    /// <summary>The device that a page of a file lies on, or the devdax device itself; null if it is not known.</summary>
    internal string? DeviceOf(KernelInode? inode, ulong pfn)
    {
        if (inode is { IsDeviceDax: true } || inode is null)
        {
            ulong address = pfn << _pageShift;
            return _kernel.Resources?.All().LastOrDefault(r => r.Range.Contains(address)
                && r.Name.StartsWith("dax", StringComparison.Ordinal) && r.Name.Contains('.', StringComparison.Ordinal))?.Name;
        }

        return inode.SuperBlock is { Id.Length: > 0 } block ? block.Id : null;
    }

    private void ScanPages(Action<ulong, ulong>? progress, IUsageVisitor? visitor)
    {
        PmemNamespace[] items = [.. _pmem.Namespaces.Where(n => n.StructPages > 0)];
        ulong done = 0, total = items.Aggregate(0UL, (sum, item) => sum + item.DataPages(_pageShift).Count);
        Namespaces = [.. items.Select(item => Scan!.Run(item, pages => progress?.Invoke(done += pages, total), visitor))];
    }

    private void Resolve(KernelTypes types)
    {
        try
        {
            KernelAddressSpace memory = _kernel.RequireMemory();
            Vfs = KernelVfs.Open(_kernel.Symbols, types, memory);
            for (int i = 0; i < Namespaces.Count; i++)
                AddFiles(i);
            FindSharers();
            FindProcesses(_kernel.RequireTasks(), new(types, memory));
            FindInTables();
            _problems.AddRange(Vfs.Problems);
        }
        catch (MissingInformationException e)
        {
            _problems.Add(new(FindingCode.UsageIncomplete, e.Message));
        }
    }

    private void AddFiles(int number)
    {
        foreach (MappingUsage usage in Namespaces[number].Mappings.Values)
        {
            PmemFile file = FileFor(usage.Mapping, usage.Runs.Count > 0 ? usage.Runs[0].Pfn : Namespaces[number].Data.Start);
            file.NamespaceSet.Add(number);
            file.Pages += usage.Pages;
            file.Pinned += usage.Pinned;
            file.OwnRuns.AddRange(usage.Runs);
            file.RunsLeftOut += usage.RunsLeftOut;
        }
    }

    private PmemFile FileFor(ulong mapping, ulong pfn)
    {
        if (_files.TryGetValue(mapping, out PmemFile? file))
            return file;
        KernelInode? inode = Vfs!.InodeOfMapping(mapping);
        _files[mapping] = file = new(mapping)
        {
            Inode = inode,
            Path = inode is null || inode.IsDeviceDax ? KernelPath.Unknown : Vfs.PathOf(inode),
            Device = DeviceOf(inode, pfn),
        };
        return file;
    }

    /// <summary>
    /// A shared page does not say whose it is, or (up to 6.2) names the file that was mapped last alone. The files' own page trees name all, and they are in
    /// RAM: they tell also where the struct pages are not in the dump, or were written anew by a capture kernel.
    /// </summary>
    private void FindSharers()
    {
        for (int i = 0; i < Namespaces.Count; i++)
        {
            PfnRange data = Namespaces[i].Data;
            PfnRangeSet marked = PfnRangeSet.From(Namespaces[i].Shared.Select(s => s.Pages));
            bool isKnown = Namespaces[i].Counts.Unreadable == 0;
            int problems = Vfs!.Problems.Count;
            foreach (KernelSuperBlock block in DaxFileSystems(i))
            {
                foreach (KernelInode inode in Vfs!.InodesWithPages(block).Where(n => n.IsDax))
                {
                    PmemFile? file = FileOf(inode.Mapping);
                    if (file is { RunsLeftOut: > 0 })
                        continue;
                    PfnRangeSet own = file is null ? PfnRangeSet.Empty : PfnRangeSet.From(file.OwnRuns.Select(r => new PfnRange(r.Pfn, r.Pfn + r.Pages)));
                    foreach (DaxEntry entry in Vfs.DaxEntries(inode.Mapping, _pageShift))
                    {
                        PfnRangeSet others = PfnRangeSet.From([new PfnRange(entry.Pfn, entry.Pfn + entry.Pages).Intersect(data)]).Except(own);
                        AddEntry(i, inode.Mapping, entry, isKnown ? others : others.Intersect(marked), isShared: true);
                        if (!isKnown)
                            AddEntry(i, inode.Mapping, entry, others.Except(marked), isShared: false);
                    }
                }
            }

            if (Scan is { HasFolios: true } && Vfs.Problems.Count == problems)
                SharedPages.TrySettle(Namespaces[i], [.. _files.Values.Where(f => f.NamespaceSet.Contains(i))], _kernel.Limits);
        }
    }

    /// <summary>Where struct pages are not known, what processes had in their page tables: of devdax devices, which keep no page tree, all that is
    /// left.</summary>
    private void FindInTables()
    {
        PfnRangeSet[] unknown = [.. Namespaces.Select(n => n.Counts.Unreadable > 0 ? PfnRangeSet.From([n.Data]) : PfnRangeSet.Empty)];
        if (unknown.All(static u => u.IsEmpty))
            return;
        var tables = new ProcessTables(_kernel, _pageShift);
        foreach (PmemMapping area in _mappings)
        {
            for (int i = 0; i < unknown.Length; i++)
            {
                PmemFile? file = FileOf(area.Mapping);
                if (unknown[i].IsEmpty || file is { RunsLeftOut: > 0 } or { SharedRunsLeftOut: > 0 })
                    continue;
                foreach (DaxEntry entry in tables.Of(area, unknown[i]))
                {
                    PfnRangeSet own = PfnRangeSet.From((FileOf(area.Mapping)?.AllRuns ?? []).Select(static r => new PfnRange(r.Pfn, r.Pfn + r.Pages))),
                        others = PfnRangeSet.From([new PfnRange(entry.Pfn, entry.Pfn + entry.Pages)]).Except(own);
                    AddEntry(i, area.Mapping, entry, others, isShared: false);
                }
            }
        }

        if (tables.Missing > 0)
            _problems.Add(new(FindingCode.UsageTablesMissing, tables.Missing));
        if (tables.IsCutShort)
            _problems.Add(new(FindingCode.UsageTablesTooLarge));
    }

    /// <summary>Who had a page in its page tables: where its struct page is not known.</summary>
    /// <param name="pfn">The page.</param>
    /// <returns>The mappings, with the page of the file.</returns>
    internal IEnumerable<(PmemMapping Area, ulong Index)> InTables(ulong pfn)
    {
        var tables = new ProcessTables(_kernel, _pageShift);
        PfnRangeSet page = PfnRangeSet.From([new PfnRange(pfn, pfn + 1)]);
        return _mappings.SelectMany(area => tables.Of(area, page).Select(entry => (area, entry.Index)));
    }

    private void AddEntry(int number, ulong mapping, DaxEntry entry, PfnRangeSet pages, bool isShared)
    {
        foreach (PfnRange part in pages)
        {
            PmemFile file = FileFor(mapping, part.Start);
            file.NamespaceSet.Add(number);
            List<DaxRun> runs = isShared ? file.SharedList : file.OwnRuns;
            var run = new DaxRun(entry.Index + (part.Start - entry.Pfn), part.Start, part.Count);
            if (isShared)
                file.SharedPages += part.Count;
            else
                file.Pages += part.Count;
            if (runs is [.., var last] && last.Index + last.Pages == run.Index && last.Pfn + last.Pages == run.Pfn)
                runs[^1] = last with { Pages = last.Pages + run.Pages };
            else if (runs.Count < _kernel.Limits.FileRuns)
                runs.Add(run);
            else if (isShared)
                file.SharedRunsLeftOut++;
            else
                file.RunsLeftOut++;
        }
    }

    /// <summary>File systems that may have files in a namespace: those of the files that were found, and all mounts of pmem.</summary>
    private IEnumerable<KernelSuperBlock> DaxFileSystems(int number)
    {
        var blocks = new Dictionary<ulong, KernelSuperBlock>();
        foreach (PmemFile file in _files.Values)
        {
            if (file.NamespaceSet.Contains(number) && file.Inode is { IsDax: true, SuperBlock: { } block })
                blocks.TryAdd(block.Address, block);
        }

        foreach (KernelSuperBlock block in Vfs!.SuperBlocks())
        {
            if (block.Id.StartsWith("pmem", StringComparison.Ordinal))
                blocks.TryAdd(block.Address, block);
        }

        return blocks.Values;
    }

    private void FindProcesses(TaskList tasks, ProcessMappings mappings)
    {
        if (tasks.Problem is { } problem)
            _problems.Add(problem);
        var known = new Dictionary<ulong, (KernelPath Path, ulong Mapping, bool IsDevice)?>();
        foreach (KernelTask process in tasks.Tasks.Where(t => t.Pid == t.Tgid && !t.IsKernelThread))
        {
            foreach (FileMapping area in mappings.FilesOf(process))
            {
                if (!known.TryGetValue(area.File, out var file))
                    known[area.File] = file = Classify(area.File);
                if (file is { } found && _mappings.Count < _kernel.Limits.PmemMappings)
                    _mappings.Add(new(process, area, found.Path, found.Mapping, found.IsDevice));
            }
        }

        if (_mappings.Count == _kernel.Limits.PmemMappings)
            _problems.Add(new(FindingCode.UsageTooMuch, _kernel.Limits.PmemMappings));
        _problems.AddRange(mappings.Problems);
    }

    private (KernelPath Path, ulong Mapping, bool IsDevice)? Classify(ulong file)
    {
        KernelInode? own = Vfs!.InodeOfFile(file, out KernelInode? mapped);
        if (mapped is { IsDeviceDax: true })
            return (Vfs.PathOfFile(file), mapped.Mapping, true);
        return own is { IsDax: true } ? (Vfs.PathOfFile(file), own.Mapping, false) : null;
    }

    private void Order() =>
        Files = [.. _files.Values.OrderByDescending(f => f.Pages + f.SharedPages).ThenBy(f => f.Path.Text, StringComparer.Ordinal).ThenBy(f => f.Mapping)];
}
