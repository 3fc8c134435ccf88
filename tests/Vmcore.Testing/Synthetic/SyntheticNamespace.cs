namespace Vmcore.Testing;

/// <summary>What a namespace is used as.</summary>
public enum SyntheticPmemMode
{
    FsDax,
    DevDax,
    Raw,
    Sector,
}

/// <summary>Where the struct pages of a namespace are asked to lie.</summary>
public enum SyntheticPmemMap
{
    Dev,
    Mem,
}

/// <summary>How alive a namespace is.</summary>
public enum SyntheticPmemState
{
    Live,

    /// <summary>No struct pages any more; the info block stayed behind.</summary>
    Destroyed,

    /// <summary>Live, but something overwrote its info block.</summary>
    LiveInfoBlockLost,

    /// <summary>Live at the crash, but a capture kernel wrote its struct pages anew.</summary>
    MemmapOverwritten,
}

/// <summary>A namespace to put on a pmem region. All sizes in bytes.</summary>
public sealed record PmemNamespaceOptions
{
    public SyntheticPmemMode Mode { get; init; }

    public SyntheticPmemMap Map { get; init; }

    public SyntheticPmemState State { get; init; }

    /// <summary>4 KiB, 2 MiB or 1 GiB.</summary>
    public uint Align { get; init; } = 2 << 20;

    /// <summary>As kernels up to 5.3 left it in the info block.</summary>
    public uint StartPad { get; init; }

    public uint EndTrunc { get; init; }

    /// <summary>Version of the info block, 0 to 4.</summary>
    public ushort MinorVersion { get; init; } = 4;

    /// <summary>Struct pages of data that are written, the rest is zero: a namespace of terabytes has too many to lay out. Null: all are.</summary>
    public ulong? WrittenStructs { get; init; }

    /// <summary>Leaves struct pages in the reserve that claim to be a free block of order 10.</summary>
    public bool StaleReserve { get; init; }

    /// <summary>Puts valid info blocks, of namespaces that do not exist, into the user data, one every 16 MiB.</summary>
    public bool FakeInfoBlocksInData { get; init; }
}

/// <summary>A namespace that lies on a region of pmem. Addresses and lengths are in bytes.</summary>
public sealed class SyntheticNamespace
{
    internal SyntheticNamespace(ulong start, ulong length, PmemNamespaceOptions options, int structPageSize)
    {
        Start = start;
        Length = length;
        Options = options;
        if (!HasInfoBlock)
            return;
        ulong first = start + options.StartPad;
        ulong size = length - options.StartPad;
        ulong align = Math.Max(options.Align, 2ul << 20);
        ulong records = options.Map == SyntheticPmemMap.Dev ? (ulong)Math.Max(64, structPageSize) * ((size - 8192) / 4096) : 0;
        DataOffset = ((first + 8192 + records + align - 1) / align * align) - first;
        if (DataOffset + options.EndTrunc >= size)
            throw new ArgumentException("The namespace is too small for its metadata.", nameof(length));
        DataPages = (size - DataOffset - options.EndTrunc) / 4096;
    }

    public ulong Start { get; }

    public ulong Length { get; }

    public ulong End => Start + Length;

    public PmemNamespaceOptions Options { get; }

    /// <summary>True for fsdax and devdax.</summary>
    public bool HasInfoBlock => Options.Mode is SyntheticPmemMode.FsDax or SyntheticPmemMode.DevDax;

    /// <summary>True if its pages have struct pages.</summary>
    public bool HasMemmap => HasInfoBlock && Options.State != SyntheticPmemState.Destroyed;

    /// <summary>dataoff of the info block.</summary>
    public ulong DataOffset { get; }

    /// <summary>npfns of the info block.</summary>
    public ulong DataPages { get; }

    /// <summary>First byte with a struct page.</summary>
    public ulong MappedStart => Start + Options.StartPad;

    /// <summary>One past the last byte with a struct page.</summary>
    public ulong MappedEnd => MappedStart + DataOffset + (DataPages * 4096);

    /// <summary>First pfn of the data as the kernel maps it.</summary>
    public ulong DataPfn => (MappedStart + DataOffset) >> 12;

    /// <summary>Physical pages on the media that hold struct pages, ascending. Known after the build.</summary>
    public IReadOnlyList<ulong> MemmapPfns => AltmapPfns;

    /// <summary>Virtual address of the dev_pagemap. Known after the build.</summary>
    public ulong PgmapAddress { get; internal set; }

    internal List<ulong> AltmapPfns { get; } = [];

    internal List<(ulong DataPage, ulong Count, ulong Mapping, ulong Index)> Files { get; } = [];

    /// <summary>Writes the reverse map of a mapped file.</summary>
    /// <param name="dataPage">First page, counted from <see cref="DataPfn"/>.</param>
    /// <param name="count">Number of pages.</param>
    /// <param name="mapping">Address of the address_space, or 1 for a page shared by several files (kernels up to 6.14).</param>
    /// <param name="index">Page of the file of the first page, or for shared pages how many share it.</param>
    public SyntheticNamespace MapFile(ulong dataPage, ulong count, ulong mapping, ulong index)
    {
        Files.Add((dataPage, count, mapping, index));
        return this;
    }
}

/// <summary>A range of persistent memory.</summary>
public sealed class PmemRegion
{
    private readonly int _structPageSize;

    internal PmemRegion(ulong start, ulong length, int structPageSize)
    {
        Start = start;
        Length = length;
        _structPageSize = structPageSize;
    }

    public ulong Start { get; }

    public ulong Length { get; }

    public ulong End => Start + Length;

    public IReadOnlyList<SyntheticNamespace> Namespaces => Spaces;

    internal List<SyntheticNamespace> Spaces { get; } = [];

    /// <summary>Makes a namespace; what no namespace takes is unallocated.</summary>
    /// <param name="offset">Bytes from the start of the region.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="options">What it is; null is a live fsdax one with its memmap on the media.</param>
    public SyntheticNamespace AddNamespace(ulong offset, ulong length, PmemNamespaceOptions? options = null)
    {
        if (offset + length > Length || ((offset | length) & 4095) != 0)
            throw new ArgumentException("The namespace does not fit the region.", nameof(length));
        if (Spaces.Exists(s => s.Start < Start + offset + length && s.End > Start + offset))
            throw new ArgumentException("Namespaces overlap.", nameof(offset));
        var space = new SyntheticNamespace(Start + offset, length, options ?? new(), _structPageSize);
        Spaces.Add(space);
        return space;
    }
}
