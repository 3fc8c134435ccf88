using System.Text.Json.Serialization;

namespace Vmcore.Cli.Info;

/// <summary>Everything that <c>vmcore info</c> shows; with <c>--json</c> as it stands here. Addresses are text (<c>"0x…"</c>), pfns and sizes numbers, ranges half-open.</summary>
internal sealed record DumpInfo
{
    /// <summary>Version of this schema. It grows by new members only.</summary>
    public int Schema { get; init; } = 1;

    public required string File { get; init; }

    /// <summary><c>elf</c> or <c>kdump</c>.</summary>
    public required string Format { get; init; }

    public bool Flattened { get; init; }

    public bool Incomplete { get; init; }

    /// <summary>The dump level; null for a raw vmcore.</summary>
    public int? DumpLevel { get; init; }

    /// <summary>Compression of a kdump-compressed file: <c>none</c>, <c>zlib</c>, <c>lzo</c>, <c>snappy</c>, <c>zstd</c>.</summary>
    public string? Compression { get; init; }

    public string? Release { get; init; }

    public string? Version { get; init; }

    public string? Machine { get; init; }

    public string? NodeName { get; init; }

    public string? BuildId { get; init; }

    /// <summary>Seconds since 1970.</summary>
    public long? CrashTime { get; init; }

    /// <summary>CPUs of which the dump has registers.</summary>
    public int Cpus { get; init; }

    /// <summary>The state of the machine; null if the kernel's memory cannot be found.</summary>
    public CrashInfo? Crash { get; init; }

    public int PageSize { get; init; }

    public int? PageTableLevels { get; init; }

    public string? MemoryModel { get; init; }

    /// <summary>One past the highest pfn.</summary>
    public ulong MaxPfn { get; init; }

    public IReadOnlyList<LoadInfo> Loads { get; init; } = [];

    public PmemInfo? Pmem { get; init; }

    public PageInfo? Pages { get; init; }

    public IReadOnlyList<string> Problems { get; init; } = [];
}

/// <summary>What state the machine was in when it crashed; what is not known is null.</summary>
internal sealed record CrashInfo
{
    /// <summary>Seconds since boot.</summary>
    public double? UptimeSeconds { get; init; }

    /// <summary>The last line of the log that says that the kernel panicked, or why.</summary>
    public string? Panic { get; init; }

    public IReadOnlyList<TaintInfo>? Taints { get; init; }

    /// <summary>Of 1, 5 and 15 minutes.</summary>
    public IReadOnlyList<double>? LoadAverage { get; init; }

    public int? CpusOnline { get; init; }

    /// <summary>The CPU that panicked; null if none did.</summary>
    public int? Cpu { get; init; }

    /// <summary>The task that it ran.</summary>
    public CrashTaskInfo? Task { get; init; }

    public IReadOnlyList<string> Problems { get; init; } = [];
}

/// <summary>A taint: the kernel's letter, and what it says.</summary>
internal sealed record TaintInfo(char Letter, string Meaning);

/// <summary>A task: the address is that of its task_struct.</summary>
internal sealed record CrashTaskInfo(int Pid, string Name, [property: JsonConverter(typeof(AddressConverter))] ulong Address);

/// <summary>A PT_LOAD.</summary>
internal sealed record LoadInfo(
    [property: JsonConverter(typeof(AddressConverter))] ulong PhysicalStart,
    [property: JsonConverter(typeof(AddressConverter))] ulong PhysicalEnd,
    [property: JsonConverter(typeof(AddressConverter))] ulong VirtualAddress,
    ulong FileOffset,
    ulong FileSize,
    uint Flags,
    bool IsPmem);

/// <summary>The pmem.</summary>
internal sealed record PmemInfo(ulong Pages, ulong MetadataPages, ulong UserDataPages, IReadOnlyList<NamespaceInfo> Namespaces, IReadOnlyList<RangeInfo> Metadata);

/// <summary>A namespace.</summary>
internal sealed record NamespaceInfo
{
    public string? Name { get; init; }

    [JsonConverter(typeof(AddressConverter))]
    public ulong Base { get; init; }

    public ulong Size { get; init; }

    /// <summary><c>fsdax</c>, <c>devdax</c>, <c>sector</c> or <c>unknown</c> (raw, or without an info block).</summary>
    public required string Mode { get; init; }

    /// <summary>Where the memmap is: <c>dev</c>, <c>mem</c>, or <c>none</c>.</summary>
    public required string Map { get; init; }

    public Guid? Uuid { get; init; }

    public ulong? DataOffset { get; init; }

    public uint? Alignment { get; init; }

    /// <summary>Pages that hold live memmap, and the info block.</summary>
    public ulong MetadataPages { get; init; }

    public ulong MetadataPagesPresent { get; init; }

    /// <summary><c>none</c>, <c>complete</c>, <c>incomplete</c>, <c>missing</c> or <c>overwritten</c>.</summary>
    public required string Memmap { get; init; }

    /// <summary>SHA-256 of [base, base + data offset), user data in it taken for zero; null if metadata is missing.</summary>
    public string? MetadataSha256 { get; init; }
}

/// <summary>A range of metadata pages.</summary>
internal sealed record RangeInfo(ulong StartPfn, ulong EndPfn, string? Sha256);

/// <summary>Pages by class. <c>Counted</c> says whether they were counted in this file or noted by the run that filtered it.</summary>
internal sealed record PageInfo
{
    public required string Counted { get; init; }

    public ulong Existing { get; init; }

    public ulong InFile { get; init; }

    public ulong? Zero { get; init; }

    public ulong Cache { get; init; }

    public ulong CachePrivate { get; init; }

    public ulong User { get; init; }

    public ulong Free { get; init; }

    public ulong HwPoison { get; init; }

    public ulong Offline { get; init; }

    public ulong PmemMetadata { get; init; }

    public ulong PmemUserData { get; init; }
}

/// <summary>Serialisation without reflection.</summary>
[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(DumpInfo))]
internal sealed partial class DumpInfoJson : JsonSerializerContext;
