using System.Globalization;
using Vmcore.Cli.Json;
using Vmcore.Findings;

namespace Vmcore.Cli.Info;

/// <summary>Everything that <c>vmcore info</c> shows; with <c>--json</c> as it stands here.
/// Addresses are text (<c>"0x…"</c>), pfns and sizes numbers, ranges half-open.</summary>
internal sealed record DumpInfo : IJsonItem
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

    /// <summary>Pages that could not be read when the dump was written: it does not have them. Null if it does not say.</summary>
    public ulong? LostPages { get; init; }

    /// <summary>Where they are; of very many the first.</summary>
    public IReadOnlyList<LostInfo> Lost { get; init; } = [];

    public IReadOnlyList<Finding> Problems { get; init; } = [];

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Schema);
        json.Put(File);
        json.Put(Format);
        json.Put(Flattened);
        json.Put(Incomplete);
        json.Put(DumpLevel);
        json.Put(Compression);
        json.Put(Release);
        json.Put(Version);
        json.Put(Machine);
        json.Put(NodeName);
        json.Put(BuildId);
        json.Put(CrashTime);
        json.Put(Cpus);
        json.Put(Crash);
        json.Put(PageSize);
        json.Put(PageTableLevels);
        json.Put(MemoryModel);
        json.Put(MaxPfn);
        json.Put(Loads);
        json.Put(Pmem);
        json.Put(Pages);
        json.Put(LostPages);
        json.Put(Lost);
        json.Put(Problems);
    }
}

/// <summary>Pages that could not be read when the dump was written.</summary>
internal sealed record LostInfo(ulong StartPfn, ulong EndPfn) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(StartPfn);
        json.Put(EndPfn);
    }
}

/// <summary>What state the machine was in when it crashed; what is not known is null.</summary>
internal sealed record CrashInfo : IJsonItem
{
    /// <summary>Seconds since boot.</summary>
    public double? UptimeSeconds { get; init; }

    /// <summary>What the kernel's clock had: seconds since 1970.</summary>
    public long? ClockTime { get; init; }

    /// <summary>The last line of the log that says that the kernel panicked, or why.</summary>
    public string? Panic { get; init; }

    public IReadOnlyList<TaintInfo>? Taints { get; init; }

    /// <summary>Of 1, 5 and 15 minutes.</summary>
    public IReadOnlyList<double>? LoadAverage { get; init; }

    public int? CpusOnline { get; init; }

    /// <summary>Errors of the hardware that the kernel went on from, one for each kind; null if it does not count them, or they cannot be read.</summary>
    public IReadOnlyList<HardwareErrorInfo>? HardwareErrors { get; init; }

    /// <summary>The CPU that panicked; null if none did.</summary>
    public int? Cpu { get; init; }

    /// <summary>The task that it ran.</summary>
    public CrashTaskInfo? Task { get; init; }

    public IReadOnlyList<Finding> Problems { get; init; } = [];

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(UptimeSeconds);
        json.Put(ClockTime);
        json.Put(Panic);
        json.Put(Taints);
        json.Put(LoadAverage);
        json.Put(CpusOnline);
        json.Put(HardwareErrors);
        json.Put(Cpu);
        json.Put(Task);
        json.Put(Problems);
    }
}

/// <summary>A taint: the kernel's letter, and what it says.</summary>
internal sealed record TaintInfo(char Letter, string Meaning) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Letter);
        json.Put(Meaning);
    }
}

/// <summary>Errors of one kind of hardware, and when the last one was, in seconds since 1970.</summary>
internal sealed record HardwareErrorInfo(string Kind, uint Count, long? LastTime) : IJsonItem
{
    /// <summary>Those of which there were any, for people; null if they are not known.</summary>
    internal static string? Text(IReadOnlyList<HardwareErrorInfo>? errors)
    {
        if (errors is null)
            return null;
        string text = string.Join(", ", errors.Where(static e => e.Count > 0).Select(static e =>
            string.Create(CultureInfo.InvariantCulture, $"{e.Kind} {e.Count}{(UtcTime.Text(e.LastTime) is { } time ? $" (last {time})" : "")}")));
        return text.Length == 0 ? "none" : text;
    }

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Kind);
        json.Put(Count);
        json.Put(LastTime);
    }
}

/// <summary>A task: the address is that of its task_struct.</summary>
internal sealed record CrashTaskInfo(int Pid, string Name, ulong Address) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Pid);
        json.Put(Name);
        json.PutAddress(Address);
    }
}

/// <summary>A PT_LOAD.</summary>
internal sealed record LoadInfo(
    ulong PhysicalStart,
    ulong PhysicalEnd,
    ulong VirtualAddress,
    ulong FileOffset,
    ulong FileSize,
    uint Flags,
    bool IsPmem) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.PutAddress(PhysicalStart);
        json.PutAddress(PhysicalEnd);
        json.PutAddress(VirtualAddress);
        json.Put(FileOffset);
        json.Put(FileSize);
        json.Put(Flags);
        json.Put(IsPmem);
    }
}

/// <summary>The pmem.</summary>
internal sealed record PmemInfo(ulong Pages, ulong MetadataPages, ulong UserDataPages,
    IReadOnlyList<NamespaceInfo> Namespaces, IReadOnlyList<RangeInfo> Metadata) : IJsonItem
{
    /// <summary>False if there is too much metadata for hashes that nobody asked for.</summary>
    public bool IsHashed { get; init; } = true;

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Pages);
        json.Put(MetadataPages);
        json.Put(UserDataPages);
        json.Put(Namespaces);
        json.Put(Metadata);
    }
}

/// <summary>A namespace.</summary>
internal sealed record NamespaceInfo : IJsonItem
{
    public string? Name { get; init; }

    public ulong Base { get; init; }

    public ulong Size { get; init; }

    /// <summary><c>fsdax</c>, <c>devdax</c>, <c>sector</c> or <c>unknown</c> (raw, or its info block is not in the dump).</summary>
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

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Name);
        json.PutAddress(Base);
        json.Put(Size);
        json.Put(Mode);
        json.Put(Map);
        json.Put(Uuid);
        json.Put(DataOffset);
        json.Put(Alignment);
        json.Put(MetadataPages);
        json.Put(MetadataPagesPresent);
        json.Put(Memmap);
        json.Put(MetadataSha256);
    }
}

/// <summary>A range of metadata pages.</summary>
internal sealed record RangeInfo(ulong StartPfn, ulong EndPfn, string? Sha256) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(StartPfn);
        json.Put(EndPfn);
        json.Put(Sha256);
    }
}

/// <summary>Pages by class. <c>Counted</c> says whether they were counted in this file or noted by the run that filtered it.</summary>
internal sealed record PageInfo : IJsonItem
{
    public required string Counted { get; init; }

    public ulong Existing { get; init; }

    public ulong InFile { get; init; }

    public ulong? Zero { get; init; }

    public ulong Cache { get; init; }

    public ulong CachePrivate { get; init; }

    public ulong User { get; init; }

    public ulong Free { get; init; }

    /// <summary>Pages that failed, whatever else they are.</summary>
    public ulong HwPoison { get; init; }

    /// <summary>False if pages may have failed of which the dump does not tell.</summary>
    public bool PoisonedIsKnown { get; init; }

    public ulong Offline { get; init; }

    public ulong PmemMetadata { get; init; }

    public ulong PmemUserData { get; init; }

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Counted);
        json.Put(Existing);
        json.Put(InFile);
        json.Put(Zero);
        json.Put(Cache);
        json.Put(CachePrivate);
        json.Put(User);
        json.Put(Free);
        json.Put(HwPoison);
        json.Put(PoisonedIsKnown);
        json.Put(Offline);
        json.Put(PmemMetadata);
        json.Put(PmemUserData);
    }
}
