using Vmcore.Ranges;

namespace Vmcore.Pmem.Usage;

/// <summary>Numbers of a namespace's data pages by state. The first seven add up to <see cref="Total"/>; pinned and poisoned are among them.</summary>
public sealed class DaxPageCounts
{
    /// <summary>Data pages.</summary>
    public ulong Total { get; internal set; }

    /// <summary>Not mapped.</summary>
    public ulong Idle { get; internal set; }

    /// <summary>Mapped from one file or device.</summary>
    public ulong Mapped { get; internal set; }

    /// <summary>Shared by several files.</summary>
    public ulong Shared { get; internal set; }

    /// <summary>In use without a file.</summary>
    public ulong InUse { get; internal set; }

    /// <summary>With a structure that is not that of a page of pmem.</summary>
    public ulong Foreign { get; internal set; }

    /// <summary>With a structure that is not in the dump, or not of the crash (<see cref="MemmapState.Overwritten"/>): not known.</summary>
    public ulong Unreadable { get; internal set; }

    /// <summary>For which the kernel had no structure.</summary>
    public ulong WithoutStruct { get; internal set; }

    /// <summary>Held by someone besides page tables.</summary>
    public ulong Pinned { get; internal set; }

    /// <summary>Marked as failed memory.</summary>
    public ulong Poisoned { get; internal set; }

    internal void Add(DaxPage page, ulong count)
    {
        switch (page.State)
        {
            case DaxPageState.Idle: Idle += count; break;
            case DaxPageState.Mapped: Mapped += count; break;
            case DaxPageState.Shared: Shared += count; break;
            case DaxPageState.InUse: InUse += count; break;
            default: Foreign += count; break;
        }

        if (page.IsPinned)
            Pinned += count;
        if (page.IsPoisoned)
            Poisoned += count;
    }
}

/// <summary>Neighbouring pages of a file that are neighbours on the pmem too.</summary>
/// <param name="Index">First page of the file.</param>
/// <param name="Pfn">First page of pmem.</param>
/// <param name="Pages">Number of pages.</param>
public readonly record struct DaxRun(ulong Index, ulong Pfn, ulong Pages);

/// <summary>Neighbouring pages that the same number of files share.</summary>
/// <param name="Pages">The pages.</param>
/// <param name="Count">Number of files: the kernel's share count, or since 6.15 the number of files that name the pages. 0 if it is not known.</param>
public readonly record struct SharedRun(PfnRange Pages, ulong Count);

/// <summary>The pages of one address_space in one namespace, as the struct pages have them.</summary>
public sealed class MappingUsage
{
    private readonly List<DaxRun> _runs = [];

    internal MappingUsage(ulong mapping) => Mapping = mapping;

    /// <summary>Virtual address of the address_space.</summary>
    public ulong Mapping { get; }

    /// <summary>Number of pages.</summary>
    public ulong Pages { get; private set; }

    /// <summary>Pages of them that someone holds besides page tables.</summary>
    public ulong Pinned { get; internal set; }

    /// <summary>Where they are, by address; at most <see cref="IO.ReadLimits.FileRuns"/> runs.</summary>
    public IReadOnlyList<DaxRun> Runs => _runs;

    /// <summary>Runs that were left out of <see cref="Runs"/>; their pages are counted.</summary>
    public ulong RunsLeftOut { get; private set; }

    internal bool Add(DaxRun run, bool mayKeep)
    {
        Pages += run.Pages;
        if (_runs.Count > 0 && _runs[^1] is var last && last.Index + last.Pages == run.Index && last.Pfn + last.Pages == run.Pfn)
        {
            _runs[^1] = last with { Pages = last.Pages + run.Pages };
            return false;
        }

        if (!mayKeep)
        {
            RunsLeftOut++;
            return false;
        }

        _runs.Add(run);
        return true;
    }
}

/// <summary>What a namespace's struct pages say of its data.</summary>
public sealed class NamespaceUsage
{
    internal NamespaceUsage(PmemNamespace item, PfnRange data)
    {
        Namespace = item;
        Data = data;
    }

    /// <summary>The namespace.</summary>
    public PmemNamespace Namespace { get; }

    /// <summary>Its data pages.</summary>
    public PfnRange Data { get; }

    /// <summary>Data pages by state.</summary>
    public DaxPageCounts Counts { get; } = new();

    /// <summary>The files and devices that its pages belong to, by address_space.</summary>
    public IReadOnlyDictionary<ulong, MappingUsage> Mappings => MappingTable;

    /// <summary>Pages of files that are not in <see cref="Mappings"/>, of which there are too many.</summary>
    public ulong PagesOfOthers { get; internal set; }

    /// <summary>Pages that several files share; at most 65536 runs.</summary>
    public IReadOnlyList<SharedRun> Shared => SharedRuns;

    /// <summary>Pages that are marked as failed; at most 4096.</summary>
    public IReadOnlyList<ulong> Poisoned => PoisonedPages;

    /// <summary>The kernel's own description of the namespace's struct pages; null if it cannot be read.</summary>
    public DevicePageMap? PageMap { get; internal set; }

    /// <summary>Virtual address of the dev_pagemap that most structures name; 0 for none.</summary>
    public ulong PageMapAddress { get; internal set; }

    /// <summary>Why the struct pages cannot be trusted; null if they can.</summary>
    public string? Damage { get; internal set; }

    internal Dictionary<ulong, MappingUsage> MappingTable { get; } = [];

    internal List<SharedRun> SharedRuns { get; } = [];

    internal List<ulong> PoisonedPages { get; } = [];
}

/// <summary>The kernel's description of device memory with struct pages (<c>struct dev_pagemap</c>).</summary>
/// <param name="Address">Virtual address.</param>
/// <param name="Type">memory_type: 3 fsdax, 4 devdax.</param>
/// <param name="Range">Physical addresses in bytes.</param>
/// <param name="VmemmapShift">log2 of the pages that one compound page has; 0 for none.</param>
/// <param name="ReservedPages">Pages set aside for struct pages on the media; 0 if they are in RAM.</param>
/// <param name="UsedPages">Pages of them in use.</param>
public sealed record DevicePageMap(ulong Address, uint Type, PhysicalRange Range, int VmemmapShift, ulong ReservedPages, ulong UsedPages);
