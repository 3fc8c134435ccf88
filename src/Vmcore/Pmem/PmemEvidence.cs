using Vmcore.Formats.Elf;
using Vmcore.Kernel.Identity;
using Vmcore.Kernel.Resources;
using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Pmem;

/// <summary>What is known of the crashed machine when its pmem is looked for. Whatever is null or empty is simply not there.</summary>
internal sealed record PmemEvidence
{
    /// <summary>The memory that the dump has.</summary>
    public required CrashMemory Memory { get; init; }

    /// <summary>The PT_LOADs of a core file.</summary>
    public IReadOnlyList<ElfSegment> Loads { get; init; } = [];

    /// <summary>The kernel; null without vmcoreinfo.</summary>
    public CrashedKernel? Kernel { get; init; }

    /// <summary>The memmap; null if it cannot be found.</summary>
    public MemmapReader? Memmap { get; init; }

    /// <summary>The kernel's /proc/iomem; null if it is not in the dump.</summary>
    public ResourceTree? Resources { get; init; }

    /// <summary>Ranges that the user names as pmem, in bytes.</summary>
    public IReadOnlyList<PhysicalRange> Forced { get; init; } = [];

    /// <summary>pmem that an earlier run wrote into the dump.</summary>
    public PfnRangeSet NotedPages { get; init; } = PfnRangeSet.Empty;

    /// <summary>Metadata that an earlier run wrote into the dump.</summary>
    public PfnRangeSet NotedMetadata { get; init; } = PfnRangeSet.Empty;
}
