using System.Text.Json.Serialization;
using Vmcore.Cli.Info;

namespace Vmcore.Cli.Reader.Pmem;

/// <summary>The answer of <c>vmcore pmem --json</c>.</summary>
internal sealed record PmemAnswer : ReaderAnswer
{
    public string? Release { get; init; }

    public int PageSize { get; init; }

    public IReadOnlyList<PmemRegionInfo> Regions { get; init; } = [];

    public IReadOnlyList<PmemNamespaceInfo> Namespaces { get; init; } = [];

    public IReadOnlyList<PmemFileInfo> Files { get; init; } = [];

    public IReadOnlyList<PmemProcessInfo> Processes { get; init; } = [];

    public IReadOnlyList<string> Findings { get; init; } = [];
}

/// <summary>A range of physical addresses that is pmem.</summary>
internal sealed record PmemRegionInfo(
    string? Name,
    [property: JsonConverter(typeof(AddressConverter))] ulong Start,
    [property: JsonConverter(typeof(AddressConverter))] ulong End,
    ulong UnassignedBytes);

/// <summary>A range of bytes on pmem.</summary>
internal sealed record BytesInfo(
    [property: JsonConverter(typeof(AddressConverter))] ulong Start,
    [property: JsonConverter(typeof(AddressConverter))] ulong End);

/// <summary>A namespace.</summary>
internal sealed record PmemNamespaceInfo
{
    public string? Name { get; init; }

    [JsonConverter(typeof(AddressConverter))]
    public ulong Start { get; init; }

    [JsonConverter(typeof(AddressConverter))]
    public ulong End { get; init; }

    /// <summary><c>fsdax</c>, <c>devdax</c>, <c>sector</c> or <c>unknown</c>.</summary>
    public required string Mode { get; init; }

    /// <summary>Where its memmap is: <c>dev</c>, <c>mem</c> or <c>none</c>.</summary>
    public required string Map { get; init; }

    public Guid? Uuid { get; init; }

    /// <summary>The devices that are made of it, as far as they are known: <c>pmem0</c>, <c>dax0.1</c>.</summary>
    public IReadOnlyList<string> Devices { get; init; } = [];

    public BytesInfo? Data { get; init; }

    public uint? Alignment { get; init; }

    public required PmemMemmapInfo Memmap { get; init; }

    public PageMapInfo? PageMap { get; init; }

    /// <summary>Null if the kernel had no struct pages for it.</summary>
    public PageStatesInfo? Pages { get; init; }

    public IReadOnlyList<SharedInfo> Shared { get; init; } = [];

    public IReadOnlyList<ulong> PoisonedPfns { get; init; } = [];

    /// <summary>Why what is said of its pages cannot be trusted; null if it can.</summary>
    public string? Damage { get; init; }
}

/// <summary>A namespace's memmap on the media.</summary>
internal sealed record PmemMemmapInfo
{
    /// <summary><c>none</c>, <c>complete</c>, <c>incomplete</c>, <c>missing</c> or <c>overwritten</c>.</summary>
    public required string State { get; init; }

    public ulong Pages { get; init; }

    public ulong PagesPresent { get; init; }

    public IReadOnlyList<BytesInfo> Ranges { get; init; } = [];
}

/// <summary>The kernel's dev_pagemap.</summary>
internal sealed record PageMapInfo(
    [property: JsonConverter(typeof(AddressConverter))] ulong Address,
    string Type,
    [property: JsonConverter(typeof(AddressConverter))] ulong Start,
    [property: JsonConverter(typeof(AddressConverter))] ulong End,
    int CompoundOrder,
    ulong ReservedPages,
    ulong UsedPages);

/// <summary>Data pages by state: idle to without_struct add up to total, pinned and poisoned are among them.</summary>
internal sealed record PageStatesInfo(
    ulong Total, ulong Idle, ulong Mapped, ulong Shared, ulong InUse, ulong Foreign, ulong Unreadable, ulong WithoutStruct, ulong Pinned, ulong Poisoned);

/// <summary>Pages that several files share.</summary>
internal sealed record SharedInfo(ulong StartPfn, ulong EndPfn, ulong Count);

/// <summary>Pages of a file, counted from its start, and where they are.</summary>
internal sealed record FileRangeInfo(ulong FilePage, ulong Pfn, ulong Pages);

/// <summary>A file, or a devdax device.</summary>
internal sealed record PmemFileInfo
{
    /// <summary><c>file</c>, <c>device</c>, or <c>unknown</c> if its inode is not in the dump.</summary>
    public required string Kind { get; init; }

    public string? Path { get; init; }

    public bool Deleted { get; init; }

    /// <summary>False if its file system is not mounted in the first namespace: then the path starts at the file system's own root.</summary>
    public bool Mounted { get; init; }

    public ulong? Inode { get; init; }

    public string? Device { get; init; }

    /// <summary>For a device its number.</summary>
    public string? DeviceNumber { get; init; }

    public string? FileSystem { get; init; }

    public long? Size { get; init; }

    [JsonConverter(typeof(AddressConverter))]
    public ulong Mapping { get; init; }

    public IReadOnlyList<string?> Namespaces { get; init; } = [];

    public ulong Pages { get; init; }

    public ulong SharedPages { get; init; }

    public ulong PinnedPages { get; init; }

    public IReadOnlyList<FileRangeInfo> Ranges { get; init; } = [];

    public IReadOnlyList<FileRangeInfo> SharedRanges { get; init; } = [];

    /// <summary>Ranges that are not listed, of which there are too many.</summary>
    public ulong RangesLeftOut { get; init; }
}

/// <summary>A process that maps pmem.</summary>
internal sealed record PmemProcessInfo(int Pid, string Name, IReadOnlyList<PmemAreaInfo> Areas);

/// <summary>Where it maps it.</summary>
internal sealed record PmemAreaInfo(
    [property: JsonConverter(typeof(AddressConverter))] ulong Start,
    [property: JsonConverter(typeof(AddressConverter))] ulong End,
    string Permissions,
    string? Path,
    bool Deleted,
    ulong FilePage,
    [property: JsonConverter(typeof(AddressConverter))] ulong Mapping);

/// <summary>The answer of <c>vmcore pmem --page PFN --json</c>.</summary>
internal sealed record PmemPageAnswer : ReaderAnswer
{
    public ulong Pfn { get; init; }

    [JsonConverter(typeof(AddressConverter))]
    public ulong Address { get; init; }

    /// <summary><c>user_data</c>, <c>memmap</c>, <c>info_block</c>, <c>not_pmem</c>.</summary>
    public required string Kind { get; init; }

    public string? Namespace { get; init; }

    /// <summary><c>idle</c>, <c>mapped</c>, <c>shared</c>, <c>in_use</c>, <c>foreign</c>; null without a struct page.</summary>
    public string? State { get; init; }

    public bool Pinned { get; init; }

    public bool Poisoned { get; init; }

    public int? References { get; init; }

    public ulong? ShareCount { get; init; }

    public IReadOnlyList<PageOwnerInfo> Owners { get; init; } = [];

    /// <summary>The same in words, one sentence each.</summary>
    public IReadOnlyList<string> Words { get; init; } = [];
}

/// <summary>A file that a page belongs to, the place in it in pages, and who maps that.</summary>
internal sealed record PageOwnerInfo(string? Path, string? Device, ulong? Inode, ulong FilePage, IReadOnlyList<PageMapperInfo> Mappers);

/// <summary>A process that has the page in its memory.</summary>
internal sealed record PageMapperInfo(int Pid, string Name, [property: JsonConverter(typeof(AddressConverter))] ulong Address);

/// <summary>Serialisation without reflection.</summary>
[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(PmemAnswer))]
[JsonSerializable(typeof(PmemPageAnswer))]
internal sealed partial class PmemJson : JsonSerializerContext;
