using System.Text;
using Vmcore.Findings;
using Vmcore.Kernel.Cpus;
using Vmcore.Kernel.Lists;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Counters;

/// <summary>
/// How the kernel used its memory, by its own counters, as /proc/meminfo, /proc/vmstat and /proc/zoneinfo have them: no page is looked at. What each CPU
/// had not added yet is added, so that the sums are exact where all of it can be read (<see cref="IsExact"/>).
/// </summary>
/// <remarks>Sources: include/linux/mmzone.h, mm/vmstat.c, mm/hugetlb.c. Counters are found by their names in the kernel's enums, never by numbers.</remarks>
public sealed class MemoryCounters
{
    // A pgdat and its zones, with the members of 4.19 to 6.x. Before 5.14 a zone's counters of CPUs were in its sets of pages.
    private static readonly string[] s_zoneAreas = ["per_cpu_zonestats", "pageset"];
    private static readonly string[] s_watermarks = ["_watermark", "watermark"];

    private readonly IVirtualMemory _memory;
    private readonly KernelTypes _types;
    private readonly PerCpuAreas? _cpus;
    private readonly CounterSum _ofZones;
    private readonly CounterSum _ofNodes;
    private readonly List<ZoneMemory> _zones = [];
    private readonly ProblemList _problems = new();
    private readonly long _free;

    private MemoryCounters(KernelView view, KernelTypes types)
    {
        (_memory, _types, _cpus) = (view.RequireMemory(), types, view.PerCpu);
        PageSize = view.PhysicalMemory.PageSize;
        _ofZones = new(_memory, types.FindNamed(KernelTypeKind.Enum, "zone_stat_item"));
        _ofNodes = new(_memory, types.FindNamed(KernelTypeKind.Enum, "node_stat_item"));
        _free = types.EnumValue("zone_stat_item", "NR_FREE_PAGES") ?? -1;
    }

    /// <summary>Bytes of a page.</summary>
    public int PageSize { get; }

    /// <summary>The zones that have pages, by node.</summary>
    public IReadOnlyList<ZoneMemory> Zones => _zones;

    /// <summary>All counters of zones, then all of nodes, in the kernel's order.</summary>
    public IReadOnlyList<KernelCounter> Counters { get; private set; } = [];

    /// <summary>Pages that the allocator of pages has: what /proc/meminfo calls MemTotal.</summary>
    public ulong Managed => _zones.Aggregate(0UL, static (sum, z) => sum + z.Managed);

    /// <summary>Huge pages that were set aside, by size; those of which there are none are left out.</summary>
    public IReadOnlyList<HugePages> HugePages { get; private set; } = [];

    /// <summary>Pages of swap; null for a kernel without swap, or if it cannot be read.</summary>
    public ulong? SwapTotal { get; private set; }

    /// <summary>Those of them that are free.</summary>
    public ulong? SwapFree { get; private set; }

    /// <summary>True if what each CPU kept for itself is in the sums; false if some of it could not be read, so that a counter may be wrong by up to 125
    /// for each CPU and zone.</summary>
    public bool IsExact => _ofZones.PartsUnread + _ofNodes.PartsUnread == 0;

    /// <summary>What could not be read, one clause each.</summary>
    public IReadOnlyList<Finding> Problems => _problems.Findings;

    /// <summary>A counter, under the first of some names that this kernel has.</summary>
    /// <param name="names">Names as in <see cref="KernelCounter.Name"/>: one counter had different names in different kernels.</param>
    /// <returns>Its value; null if this kernel has none of them.</returns>
    public long? Find(params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            foreach (KernelCounter counter in Counters)
            {
                if (counter.Name == name)
                    return counter.Value;
            }
        }

        return null;
    }

    /// <summary>Reads the counters.</summary>
    /// <param name="kernel">The crashed kernel.</param>
    /// <exception cref="MissingInformationException">The kernel's memory, symbols or types are not there, or no node can be read.</exception>
    public static MemoryCounters Read(KernelView kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        KernelSymbols symbols = kernel.RequireSymbols();
        KernelTypes types = kernel.RequireTypes();
        KernelType node = types.FindNamed(KernelTypeKind.Struct, "pglist_data")
            ?? throw new MissingInformationException($"{kernel.Name}: the kernel's types have no struct pglist_data");
        var counters = new MemoryCounters(kernel, types);
        foreach (ulong address in counters.Nodes(kernel, symbols))
            counters.ReadNode(KernelObject.At(counters._memory, node, address));
        if (counters._zones.Count == 0)
            throw new MissingInformationException($"{kernel.Name}: {(counters.Problems.Count > 0 ? counters.Problems[0].ToString() : "no node has memory")}");
        counters.Counters = [.. counters._ofZones.Counters(), .. counters._ofNodes.Counters()];
        counters.HugePages = counters.ReadHugePages(symbols);
        counters.ReadSwap(symbols);
        if (!counters.IsExact)
            counters.Complain("what CPUs counted for themselves cannot be read, or not of all: the counters of memory are a little too low or too high");
        return counters;
    }

    // One node by itself, or a table of pointers to nodes.
    private List<ulong> Nodes(KernelView kernel, KernelSymbols symbols)
    {
        // vmcoreinfo names them too: not every kernel has variables among its symbols.
        ulong?[] found = symbols.FindInImage("contig_page_data", "node_data");
        if ((found[0] ?? kernel.VmcoreInfo?.Symbol("contig_page_data")) is { } only)
            return [only];
        ulong table = found[1] ?? kernel.VmcoreInfo?.Symbol("node_data")
            ?? throw new MissingInformationException($"{kernel.Name}: the kernel has neither symbol node_data nor contig_page_data");
        int count = kernel.VmcoreInfo?.Length("node_data") is { } length and > 0 ? length
            : symbols.TryResolve(table, out _, out _, out ulong? bytes) ? (int)Math.Min(bytes.GetValueOrDefault() / sizeof(ulong), int.MaxValue) : 1;
        List<ulong> nodes = [];
        for (int i = 0; i < Math.Min(count, _memory.Limits.MemoryNodes); i++)
        {
            if (!_memory.TryReadUInt64(table + (sizeof(ulong) * (ulong)i), out ulong address))
                Complain($"node_data[{i}] cannot be read");
            else if (address != 0)
                nodes.Add(address);
        }

        return nodes;
    }

    private void ReadNode(KernelObject node)
    {
        try
        {
            int number = (int)node.Member("node_id").AsInt64();
            long[] part = _ofNodes.Add(node.Member("vm_stat"));
            if (node.Member("node_present_pages").AsBool() && node.Type.FindMember("per_cpu_nodestats") is not null)
                _ofNodes.AddOfCpus(node.Member("per_cpu_nodestats"), "vm_node_stat_diff", _cpus, part);
            foreach (KernelObject zone in node.Member("node_zones").Elements())
                ReadZone(zone, number);
        }
        catch (KernelObjectException e)
        {
            Complain($"a node of memory at 0x{node.Address:x}: {e.Message}");
        }
    }

    private void ReadZone(KernelObject zone, int node)
    {
        ulong present = zone.Member("present_pages").AsUInt64();
        if (present == 0)
            return;
        long[] part = _ofZones.Add(zone.Member("vm_stat"));
        if (Array.Find(s_zoneAreas, m => zone.Type.FindMember(m) is not null) is { } area)
            _ofZones.AddOfCpus(zone.Member(area), "vm_stat_diff", _cpus, part);
        ulong free = _free >= 0 && _free < part.Length ? (ulong)Math.Max(0, part[_free]) : 0;
        _zones.Add(new(node, NameOf(zone), present, zone.Type.FindMember("managed_pages") is null ? present : Number(zone.Member("managed_pages")), free)
        {
            Watermarks = WatermarksOf(zone),
            FreeBlocks = zone.Type.FindMember("free_area") is null ? [] : [.. zone.Member("free_area").Elements().Select(a => Number(a.Member("nr_free")))],
        });
    }

    private string NameOf(KernelObject zone) => zone.Type.FindMember("name") is not null
        && KernelText.TryRead(_memory, zone.Member("name").AsUInt64(), new(), _memory.Limits.NameBytes) is { } name
            ? string.Concat(Encoding.Latin1.GetString(name).Select(static c => c is > ' ' and < (char)0x7f ? c : '?')) : "";

    private ulong[] WatermarksOf(KernelObject zone)
    {
        if (Array.Find(s_watermarks, m => zone.Type.FindMember(m) is not null) is not { } member)
            return [];
        long?[] numbers = [.. ((string[])["WMARK_MIN", "WMARK_LOW", "WMARK_HIGH"]).Select(n => _types.EnumValue("zone_watermarks", n))];
        if (numbers.Contains(null))
            return [];

        // Raised for a while after pages of one kind had to be taken from another's (since 5.0): the kernel compares with the sum (include/linux/mmzone.h).
        const string Boost = "watermark_boost";
        ulong boost = zone.Type.FindMember(Boost) is null ? 0 : zone.Member(Boost).AsUInt64();
        return [.. numbers.Select(n => zone.Member(member).Element(n!.Value).AsUInt64() + boost)];
    }

    // An atomic_long_t, which was a plain number once.
    private static ulong Number(KernelObject item) => (item.Type.FindMember("counter") is null ? item : item.Member("counter")).AsUInt64();

    private List<HugePages> ReadHugePages(KernelSymbols symbols)
    {
        const int Sizes = 16;
        List<HugePages> list = [];
        ulong?[] found = symbols.FindInImage("hstates", "hugetlb_max_hstate");
        if (found is not [{ } table, { } number] || _types.FindNamed(KernelTypeKind.Struct, "hstate") is not { Size: { } size } type)
            return list;
        try
        {
            if (!_memory.TryReadUInt32(number, out uint count))
                throw new KernelObjectException("hugetlb_max_hstate cannot be read");
            for (uint i = 0; i < Math.Min(count, Sizes); i++)
            {
                KernelObject one = KernelObject.At(_memory, type, table + (i * (ulong)size));
                ulong total = Number(one.Member("nr_huge_pages"));
                if (total > 0)
                    list.Add(new((ulong)PageSize << (int)(one.Member("order").AsUInt64() & 31), total, Number(one.Member("free_huge_pages")),
                        Number(one.Member("resv_huge_pages"))));
            }
        }
        catch (KernelObjectException e)
        {
            Complain($"huge pages: {e.Message}");
        }

        return list;
    }

    private void ReadSwap(KernelSymbols symbols)
    {
        if (symbols.FindInImage("total_swap_pages", "nr_swap_pages") is [{ } total, { } free]
            && _memory.TryReadUInt64(total, out ulong pages) && _memory.TryReadUInt64(free, out ulong left) && left <= pages)
            (SwapTotal, SwapFree) = (pages, left);
    }

    private void Complain(string problem) => _problems.Add(FindingCode.MemoryCountersIncomplete, problem);
}
