using Vmcore.Cli.Json;
using Vmcore.Findings;

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

    public IReadOnlyList<Finding> Findings { get; init; } = [];

    /// <inheritdoc/>
    protected override void WriteMembers(JsonText json)
    {
        json.Put(Release);
        json.Put(PageSize);
        json.Put(Regions);
        json.Put(Namespaces);
        json.Put(Files);
        json.Put(Processes);
        json.Put(Findings);
    }
}

/// <summary>A range of physical addresses that is pmem.</summary>
internal sealed record PmemRegionInfo(
    string? Name,
    ulong Start,
    ulong End,
    ulong? UnassignedBytes) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Name);
        json.PutAddress(Start);
        json.PutAddress(End);
        json.Put(UnassignedBytes);
    }
}

/// <summary>A range of bytes on pmem.</summary>
internal sealed record BytesInfo(
    ulong Start,
    ulong End) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.PutAddress(Start);
        json.PutAddress(End);
    }
}

/// <summary>A namespace.</summary>
internal sealed record PmemNamespaceInfo : IJsonItem
{
    public string? Name { get; init; }

    public ulong Start { get; init; }

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

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Name);
        json.PutAddress(Start);
        json.PutAddress(End);
        json.Put(Mode);
        json.Put(Map);
        json.Put(Uuid);
        json.Put(Devices);
        json.Put(Data);
        json.Put(Alignment);
        json.Put(Memmap);
        json.Put(PageMap);
        json.Put(Pages);
        json.Put(Shared);
        json.Put(PoisonedPfns);
        json.Put(Damage);
    }
}

/// <summary>A namespace's memmap on the media.</summary>
internal sealed record PmemMemmapInfo : IJsonItem
{
    /// <summary><c>none</c>, <c>complete</c>, <c>incomplete</c>, <c>missing</c> or <c>overwritten</c>.</summary>
    public required string State { get; init; }

    public ulong Pages { get; init; }

    public ulong PagesPresent { get; init; }

    public IReadOnlyList<BytesInfo> Ranges { get; init; } = [];

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(State);
        json.Put(Pages);
        json.Put(PagesPresent);
        json.Put(Ranges);
    }
}

/// <summary>The kernel's dev_pagemap.</summary>
internal sealed record PageMapInfo(
    ulong Address,
    string Type,
    ulong Start,
    ulong End,
    int CompoundOrder,
    ulong ReservedPages,
    ulong UsedPages) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.PutAddress(Address);
        json.Put(Type);
        json.PutAddress(Start);
        json.PutAddress(End);
        json.Put(CompoundOrder);
        json.Put(ReservedPages);
        json.Put(UsedPages);
    }
}

/// <summary>Data pages by state: idle to without_struct add up to total, pinned and poisoned are among them.</summary>
internal sealed record PageStatesInfo(
    ulong Total, ulong Idle, ulong Mapped, ulong Shared, ulong InUse, ulong Foreign,
    ulong Unreadable, ulong WithoutStruct, ulong Pinned, ulong Poisoned) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Total);
        json.Put(Idle);
        json.Put(Mapped);
        json.Put(Shared);
        json.Put(InUse);
        json.Put(Foreign);
        json.Put(Unreadable);
        json.Put(WithoutStruct);
        json.Put(Pinned);
        json.Put(Poisoned);
    }
}

/// <summary>Pages that several files share; null if it is not known how many.</summary>
internal sealed record SharedInfo(ulong StartPfn, ulong EndPfn, ulong? Count) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(StartPfn);
        json.Put(EndPfn);
        json.Put(Count);
    }
}

/// <summary>Pages of a file, counted from its start, and where they are.</summary>
internal sealed record FileRangeInfo(ulong FilePage, ulong Pfn, ulong Pages) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(FilePage);
        json.Put(Pfn);
        json.Put(Pages);
    }
}

/// <summary>A file, or a devdax device.</summary>
internal sealed record PmemFileInfo : IJsonItem
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

    public ulong Mapping { get; init; }

    public IReadOnlyList<string?> Namespaces { get; init; } = [];

    public ulong Pages { get; init; }

    public ulong SharedPages { get; init; }

    public ulong PinnedPages { get; init; }

    public IReadOnlyList<FileRangeInfo> Ranges { get; init; } = [];

    public IReadOnlyList<FileRangeInfo> SharedRanges { get; init; } = [];

    /// <summary>Ranges that are not listed, of which there are too many.</summary>
    public ulong RangesLeftOut { get; init; }

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Kind);
        json.Put(Path);
        json.Put(Deleted);
        json.Put(Mounted);
        json.Put(Inode);
        json.Put(Device);
        json.Put(DeviceNumber);
        json.Put(FileSystem);
        json.Put(Size);
        json.PutAddress(Mapping);
        json.Put(Namespaces);
        json.Put(Pages);
        json.Put(SharedPages);
        json.Put(PinnedPages);
        json.Put(Ranges);
        json.Put(SharedRanges);
        json.Put(RangesLeftOut);
    }
}

/// <summary>A process that maps pmem.</summary>
internal sealed record PmemProcessInfo(int Pid, string Name, IReadOnlyList<PmemAreaInfo> Areas) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Pid);
        json.Put(Name);
        json.Put(Areas);
    }
}

/// <summary>Where it maps it.</summary>
internal sealed record PmemAreaInfo(
    ulong Start,
    ulong End,
    string Permissions,
    string? Path,
    bool Deleted,
    ulong FilePage,
    ulong Mapping) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.PutAddress(Start);
        json.PutAddress(End);
        json.Put(Permissions);
        json.Put(Path);
        json.Put(Deleted);
        json.Put(FilePage);
        json.PutAddress(Mapping);
    }
}

/// <summary>The answer of <c>vmcore pmem --page PFN --json</c>.</summary>
internal sealed record PmemPageAnswer : ReaderAnswer
{
    public ulong Pfn { get; init; }

    public ulong Address { get; init; }

    /// <summary><c>user_data</c>, <c>memmap</c>, <c>info_block</c>, <c>not_pmem</c>.</summary>
    public required string Kind { get; init; }

    public string? Namespace { get; init; }

    /// <summary><c>idle</c>, <c>mapped</c>, <c>shared</c>, <c>in_use</c>, <c>foreign</c>; null without a struct page.</summary>
    public string? State { get; init; }

    /// <summary>Null if that is not known.</summary>
    public bool? Pinned { get; init; }

    /// <summary>True if its memory failed; null if that is not known.</summary>
    public bool? Poisoned { get; init; }

    public int? References { get; init; }

    public ulong? ShareCount { get; init; }

    public IReadOnlyList<PageOwnerInfo> Owners { get; init; } = [];

    /// <summary>The same in words, one sentence each.</summary>
    public IReadOnlyList<string> Words { get; init; } = [];

    /// <inheritdoc/>
    protected override void WriteMembers(JsonText json)
    {
        json.Put(Pfn);
        json.PutAddress(Address);
        json.Put(Kind);
        json.Put(Namespace);
        json.Put(State);
        json.Put(Pinned);
        json.Put(Poisoned);
        json.Put(References);
        json.Put(ShareCount);
        json.Put(Owners);
        json.Put(Words);
    }
}

/// <summary>A file that a page belongs to, the place in it in pages, and who maps that.</summary>
internal sealed record PageOwnerInfo(string? Path, string? Device, ulong? Inode, ulong FilePage, IReadOnlyList<PageMapperInfo> Mappers) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Path);
        json.Put(Device);
        json.Put(Inode);
        json.Put(FilePage);
        json.Put(Mappers);
    }
}

/// <summary>A process that has the page in its memory.</summary>
internal sealed record PageMapperInfo(int Pid, string Name, ulong Address) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Pid);
        json.Put(Name);
        json.PutAddress(Address);
    }
}
