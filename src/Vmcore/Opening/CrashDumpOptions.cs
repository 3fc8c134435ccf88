using Vmcore.IO;
using Vmcore.Ranges;

namespace Vmcore.Opening;

/// <summary>How a dump is opened.</summary>
public sealed record CrashDumpOptions
{
    /// <summary>Text that stands in for the vmcoreinfo of a core that has none. It has to be of the same kernel: a dump of another is refused.</summary>
    public byte[]? VmcoreInfo { get; init; }

    /// <summary>What messages call <see cref="VmcoreInfo"/>: the file that it is from.</summary>
    public string VmcoreInfoName { get; init; } = "the vmcoreinfo given";

    /// <summary>
    /// Not empty for raw images of RAM: the physical address of the first byte of each file. Nothing in such a file says what of it is RAM, so the kernel has
    /// to: only what its resource tree (/proc/iomem) has as RAM or pmem is read.
    /// </summary>
    public IReadOnlyList<ulong> RawAddresses { get; init; } = [];

    /// <summary>A file of raw BTF (a copy of <c>/sys/kernel/btf/vmlinux</c>) that types are taken from; null to take them from the dump.</summary>
    public string? BtfFile { get; init; }

    /// <summary>
    /// The vmlinux of the kernel that crashed, or the file of its debug information: symbols come from it, types from its BTF or else its DWARF, and
    /// vmcoreinfo if the dump has none. Null to take all from the dump.
    /// </summary>
    public string? Vmlinux { get; init; }

    /// <summary>Ranges that are pmem whatever the dump says, in bytes.</summary>
    public IReadOnlyList<PhysicalRange> PmemRanges { get; init; } = [];

    /// <summary>The bounds on what the input may ask for.</summary>
    public ReadLimits Limits { get; init; } = ReadLimits.Default;

    /// <summary>Which files are mapped instead of read.</summary>
    public MappingChoice Mapping { get; init; }
}
