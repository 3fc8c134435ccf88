using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>What a program header of the ELF core header describes.</summary>
public enum HeaderKind
{
    /// <summary>The register notes of a CPU.</summary>
    CpuNotes,

    /// <summary>The vmcoreinfo note.</summary>
    VmcoreInfo,

    /// <summary>The kernel's text and data at their virtual address.</summary>
    KernelText,

    /// <summary>System RAM in the direct map.</summary>
    Ram,

    /// <summary>Info block and memmap of a pmem namespace.</summary>
    PmemMetadata,

    /// <summary>A whole pmem region.</summary>
    PmemRegion,
}

/// <summary>A program header of the ELF core header.</summary>
/// <param name="Kind">What it describes.</param>
/// <param name="Memory">Physical addresses in bytes.</param>
/// <param name="Virtual">Virtual address of the first byte; 0 for notes.</param>
/// <param name="Title">For people: the namespace's or region's name; empty if the kind says all.</param>
public sealed record ProgramHeader(HeaderKind Kind, PhysicalRange Memory, ulong Virtual, string Title = "")
{
    /// <summary>p_flags bit that marks device memory.</summary>
    public const uint PfDev = 0x10;

    private readonly ulong? _offset;

    /// <summary>p_offset: the physical address at which the capture kernel finds it. The same, but for what is copied away.</summary>
    public ulong Offset
    {
        get => _offset ?? Memory.Start;
        init => _offset = value;
    }

    /// <summary>p_type: PT_LOAD or PT_NOTE.</summary>
    public uint Type => Kind is HeaderKind.CpuNotes or HeaderKind.VmcoreInfo ? 4u : 1u;

    /// <summary>p_flags: none for notes, RWX for memory, PF_DEV in addition for pmem.</summary>
    public uint Flags => Kind switch
    {
        HeaderKind.CpuNotes or HeaderKind.VmcoreInfo => 0,
        HeaderKind.PmemMetadata or HeaderKind.PmemRegion => 7 | PfDev,
        _ => 7,
    };

    /// <summary>True if it describes pmem.</summary>
    public bool IsPmem => Kind is HeaderKind.PmemMetadata or HeaderKind.PmemRegion;
}
