namespace Vmcore.Testing;

/// <summary>How the kernel of a synthetic machine finds the <c>struct page</c> of a pfn.</summary>
public enum SyntheticMemoryModel
{
    /// <summary>SPARSEMEM_EXTREME with a virtually mapped memmap: what distributions use.</summary>
    SparseVmemmap,

    /// <summary>SPARSEMEM_EXTREME, the memmap of each section in the direct map.</summary>
    SparseExtremeNoVmemmap,

    /// <summary>SPARSEMEM with a plain array of sections, the memmap of each section in the direct map.</summary>
    SparseStatic,

    /// <summary>One array for all pages.</summary>
    Flat,
}

/// <summary>What a synthetic machine and its kernel are like. All addresses and lengths are in bytes.</summary>
public sealed record MachineOptions
{
    public KernelEra Era { get; init; } = KernelEra.V6_1;

    /// <summary>Replaces the release string of the era.</summary>
    public string? Release { get; init; }

    /// <summary>Levels of page tables, 4 or 5.</summary>
    public int Levels { get; init; } = 4;

    /// <summary>KERNELOFFSET: how far the kernel text was moved in virtual memory, a multiple of 2 MiB.</summary>
    public ulong KaslrOffset { get; init; }

    /// <summary>Physical address of <c>_text</c>, a multiple of 2 MiB; 4 MiB from here must be RAM.</summary>
    public ulong KernelPhysicalStart { get; init; } = 0x1000000;

    /// <summary>Start of the direct map, a multiple of 1 GiB; null is the default of <see cref="Levels"/>.</summary>
    public ulong? PageOffsetBase { get; init; }

    /// <summary>Start of the virtual memmap, a multiple of 1 GiB; null is the default of <see cref="Levels"/>.</summary>
    public ulong? VmemmapBase { get; init; }

    /// <summary>The C-bit of memory encryption: set in every page-table entry.</summary>
    public ulong SmeMask { get; init; }

    public SyntheticMemoryModel MemoryModel { get; init; }

    /// <summary>SIZE(page) in bytes, a multiple of 8 from 56.</summary>
    public int StructPageSize { get; init; } = 64;

    /// <summary>SIZE(mem_section) in bytes: 16, or 32 with PAGE_EXTENSION.</summary>
    public int MemSectionSize { get; init; } = 16;

    /// <summary>log2 of LENGTH(node_data); 0 is a kernel without NUMA.</summary>
    public int NodesShift { get; init; } = 10;

    /// <summary>MAX_PHYSMEM_BITS; null is 46, 52 with five levels, 36 with <see cref="SyntheticMemoryModel.SparseStatic"/>.</summary>
    public int? MaxPhysmemBits { get; init; }

    /// <summary>Maps the direct map with 1 GiB leaves, rounded outward.</summary>
    public bool GigabyteDirectMap { get; init; }

    /// <summary>Sets the PAT bit (12) of every second large leaf.</summary>
    public bool PatOnLargeLeaves { get; init; } = true;

    /// <summary>Maps the memmap with 4 KiB leaves only.</summary>
    public bool VmemmapBasePages { get; init; }

    /// <summary>From 7.1 on: a tail holds mask|1 in place of pointer|1 (needs a power of two in <see cref="StructPageSize"/>).</summary>
    public bool CompoundInfoMask { get; init; }

    /// <summary>Exports the kernel's list of pmem memmaps (RFC v2) in vmcoreinfo.</summary>
    public bool RfcList { get; init; }

    /// <summary>The crash kernel's memory: RAM that is in no PT_LOAD.</summary>
    public (ulong Start, ulong Length) CrashKernel { get; init; }

    /// <summary>Mixed into all pseudo-random content.</summary>
    public ulong Seed { get; init; } = 1;
}
