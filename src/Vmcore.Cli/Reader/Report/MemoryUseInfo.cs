using Vmcore.Cli.Json;
using Vmcore.Kernel.Counters;

namespace Vmcore.Cli.Reader.Report;

/// <summary>Memory in use, by the kernel's own counters; sizes in bytes. A size is null where this kernel does not count it.</summary>
internal sealed record MemoryUseInfo : IJsonItem
{
    /// <summary>Memory that the kernel's allocator has (MemTotal).</summary>
    public ulong Managed { get; init; }

    public ulong? Free { get; init; }

    /// <summary>Page cache, that of tmpfs and of swap included (NR_FILE_PAGES).</summary>
    public ulong? File { get; init; }

    public ulong? Anonymous { get; init; }

    /// <summary>Of tmpfs and of shared memory; it is part of <see cref="File"/>.</summary>
    public ulong? Shared { get; init; }

    public ulong? Dirty { get; init; }

    public ulong? Writeback { get; init; }

    public ulong? SlabReclaimable { get; init; }

    public ulong? SlabUnreclaimable { get; init; }

    public ulong? PageTables { get; init; }

    public ulong? KernelStacks { get; init; }

    public ulong? Unevictable { get; init; }

    public ulong? SwapTotal { get; init; }

    public ulong? SwapFree { get; init; }

    /// <summary>False if what CPUs had counted for themselves is missing of the counters.</summary>
    public bool Exact { get; init; }

    public IReadOnlyList<HugePages> HugePages { get; init; } = [];

    public IReadOnlyList<ZoneMemory> Zones { get; init; } = [];

    /// <summary>All counters, by the kernel's names.</summary>
    public IReadOnlyList<KernelCounter> Counters { get; init; } = [];

    /// <summary>The processes with most resident memory, the largest first; null if the tasks cannot be read.</summary>
    public IReadOnlyList<TaskInfo>? Processes { get; init; }

    internal int PageSize { get; init; }

    /// <summary>Names the counters.</summary>
    internal static MemoryUseInfo From(MemoryCounters counters)
    {
        ulong size = (ulong)counters.PageSize;
        ulong? Bytes(params ReadOnlySpan<string> names) => counters.Find(names) is { } pages ? (ulong)pages * size : null;
        return new()
        {
            PageSize = counters.PageSize,
            Managed = counters.Managed * size,
            Free = Bytes("NR_FREE_PAGES"),
            File = Bytes("NR_FILE_PAGES"),
            Anonymous = Bytes("NR_ANON_MAPPED", "NR_ANON_PAGES"),
            Shared = Bytes("NR_SHMEM"),
            Dirty = Bytes("NR_FILE_DIRTY"),
            Writeback = Bytes("NR_WRITEBACK"),
            SlabReclaimable = Bytes("NR_SLAB_RECLAIMABLE_B", "NR_SLAB_RECLAIMABLE"),
            SlabUnreclaimable = Bytes("NR_SLAB_UNRECLAIMABLE_B", "NR_SLAB_UNRECLAIMABLE"),
            PageTables = Bytes("NR_PAGETABLE"),
            KernelStacks = counters.Find("NR_KERNEL_STACK_KB") is { } stacks ? (ulong)stacks << 10 : null,
            Unevictable = Bytes("NR_UNEVICTABLE"),
            SwapTotal = counters.SwapTotal * size,
            SwapFree = counters.SwapFree * size,
            Exact = counters.IsExact,
            HugePages = counters.HugePages,
            Zones = counters.Zones,
            Counters = counters.Counters,
        };
    }

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Managed);
        json.Put(Free);
        json.Put(File);
        json.Put(Anonymous);
        json.Put(Shared);
        json.Put(Dirty);
        json.Put(Writeback);
        json.Put(SlabReclaimable);
        json.Put(SlabUnreclaimable);
        json.Put(PageTables);
        json.Put(KernelStacks);
        json.Put(Unevictable);
        json.Put(SwapTotal);
        json.Put(SwapFree);
        json.Put(Exact);
        json.Put(HugePages, static (item, huge) =>
        {
            item.Put(huge.PageBytes);
            item.Put(huge.Total);
            item.Put(huge.Free);
            item.Put(huge.Reserved);
        });
        json.Put(Zones, static (item, zone) =>
        {
            item.Put(zone.Node);
            item.Put(zone.Name);
            item.Put(zone.Present, "present_pages");
            item.Put(zone.Managed, "managed_pages");
            item.Put(zone.Free, "free_pages");
            item.Put(zone.Watermarks);
            item.Put(zone.FreeBlocks);
        });
        json.Put("counters", writer =>
        {
            writer.WriteStartObject();
            foreach (KernelCounter counter in Counters)
                writer.WriteNumber(counter.Name, counter.Value);
            writer.WriteEndObject();
        });
        json.Put(Processes);
    }
}
