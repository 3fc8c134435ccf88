namespace Vmcore.Testing;

/// <summary>Who made the program headers.</summary>
public enum CoreProducer
{
    /// <summary>kexec_file_load: kernel text, RAM from 1 MiB on.</summary>
    FileLoad,

    /// <summary>kexec_load: also the RAM below 1 MiB.</summary>
    KexecLoad,

    /// <summary>QEMU's dump-guest-memory: section header and notes first, virtual = physical, flags 0, a ROM.</summary>
    Qemu,
}

/// <summary>Which PT_LOADs of pmem a core has.</summary>
public enum PmemSegments
{
    None,

    /// <summary>Each region in one PT_LOAD with the pmem flag (without it from QEMU).</summary>
    WholeRegions,

    /// <summary>Each region in one PT_LOAD, but without the pmem flag.</summary>
    WholeRegionsUnmarked,

    /// <summary>Only the range from the start of each live namespace with its memmap on the media to its data.</summary>
    MetadataOnly,
}

/// <summary>The shape of a vmcore.</summary>
public sealed record ElfShape
{
    public CoreProducer Producer { get; init; }

    public PmemSegments Pmem { get; init; } = PmemSegments.WholeRegions;

    /// <summary>The pmem flag (PF_DEV): of the RFCs; kernels with our series of today have 0x00800000.</summary>
    public uint PmemFlag { get; init; } = 0x10;

    /// <summary>NT_PRSTATUS notes.</summary>
    public int Cpus { get; init; } = 2;

    /// <summary>Numbers of CPUs that left no note.</summary>
    public IReadOnlyList<int> OfflineCpus { get; init; } = [];

    public bool Vmcoreinfo { get; init; } = true;

    /// <summary>Whole pages at the end of each RAM PT_LOAD that have no data (filesz below memsz).</summary>
    public int TrimmedPages { get; init; }

    /// <summary>Further PT_LOADs of one page each, over RAM again and again; with more than 65533 the count goes to section header 0.</summary>
    public int ExtraSegments { get; init; }
}
