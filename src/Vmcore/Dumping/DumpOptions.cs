using Vmcore.Compression;
using Vmcore.Memmap;

namespace Vmcore.Dumping;

/// <summary>The format of the dump that is written.</summary>
public enum DumpOutput
{
    /// <summary>kdump-compressed, version 6.</summary>
    Kdump,

    /// <summary>ELF core file.</summary>
    Elf,
}

/// <summary>What to dump and how. Nothing here knows of consoles or command lines.</summary>
public sealed record DumpOptions
{
    /// <summary>Which pages are left out.</summary>
    public DumpLevel Level { get; init; }

    /// <summary>How pages are compressed; kdump-compressed only.</summary>
    public PageCodec Codec { get; init; }

    /// <summary>The format.</summary>
    public DumpOutput Output { get; init; }

    /// <summary>True to put pmem user data into the dump. Nothing else ever does.</summary>
    public bool IncludePmemUserData { get; init; }

    /// <summary>The parts of a split dump begin at multiples of so many pages, 1 or more.</summary>
    public ulong SplitBlockPages { get; init; } = 256;

    /// <summary>True to leave out the part of the memmap that describes only pages that are left out themselves.</summary>
    public bool ExcludeUnusedMemmap { get; init; }

    /// <summary>Threads that read and compress; 0 = as many as the machine has cores and memory for, at most 8.</summary>
    public int Threads { get; init; }

    /// <summary>True if pages with equal content share one block of data; kdump-compressed only. Costs a few per cent of the time with fast codecs.</summary>
    public bool ShareEqualPages { get; init; }

    /// <summary>Time that the dump may take; null for no limit. See <see cref="TimeBudget"/> for what is given up to keep to it.</summary>
    public TimeSpan? TimeLimit { get; init; }

    /// <summary>Most bytes to write; null for no limit. The dump is cut and marked incomplete at it.</summary>
    public long? SizeLimit { get; init; }

    /// <summary>True if pages are compressed, false if they are stored as they are.</summary>
    internal bool IsCompressing => Output != DumpOutput.Elf && Codec != PageCodec.None;
}
