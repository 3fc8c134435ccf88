namespace Vmcore.Formats.Kdump;

/// <summary>The status word of a kdump-compressed file.</summary>
[Flags]
public enum KdumpStatus
{
    /// <summary>Pages are stored as they are, and nothing is missing.</summary>
    None = 0,

    /// <summary>The run that wrote the file compressed with zlib. Each page's descriptor says what it really is.</summary>
    Zlib = 0x1,

    /// <summary>The run compressed with LZO.</summary>
    Lzo = 0x2,

    /// <summary>The run compressed with snappy.</summary>
    Snappy = 0x4,

    /// <summary>The dump lacks pages that it should have, since its target ran out of space, it was stopped, or they could not be read:
    /// their descriptors are zero.</summary>
    Incomplete = 0x8,

    /// <summary>Unused parts of the vmemmap were excluded.</summary>
    ExcludedVmemmap = 0x10,

    /// <summary>The run compressed with zstd.</summary>
    Zstd = 0x20,
}
