using Vmcore.Memmap;

namespace Vmcore.Dumping;

/// <summary>Why a dump ended.</summary>
public enum DumpEnd
{
    /// <summary>All of it is written.</summary>
    Complete,

    /// <summary>The target is full; what fitted is readable and marked incomplete.</summary>
    NoSpace,

    /// <summary>The size limit was reached; what fitted is readable and marked incomplete.</summary>
    SizeLimit,

    /// <summary>The time limit was reached; what was written is readable and marked incomplete.</summary>
    TimeLimit,

    /// <summary>It was asked to stop; what was written is readable and marked incomplete.</summary>
    Cancelled,
}

/// <summary>What a dump did. Numbers are pages unless they say otherwise.</summary>
public sealed class DumpReport
{
    /// <summary>How it ended.</summary>
    public DumpEnd End { get; internal set; }

    /// <summary>One past the highest pfn.</summary>
    public ulong MaxPfn { get; internal set; }

    /// <summary>Pages that exist on the machine as far as the input knows.</summary>
    public ulong Original { get; internal set; }

    /// <summary>Pages by class; <see cref="PageClass.Zero"/> only where zero pages are left out.</summary>
    public PageCounts Excluded { get; } = new();

    /// <summary>Pages that the input lacked already.</summary>
    public ulong MissingInInput { get; internal set; }

    /// <summary>Pages of pmem metadata that stay.</summary>
    public ulong MetadataKept { get; internal set; }

    /// <summary>Pages that stay, zero pages not counted.</summary>
    public ulong Remaining => Original - MissingInInput - Excluded.Excluded;

    /// <summary>Pages below <see cref="MaxPfn"/> that do not exist.</summary>
    public ulong MemoryHole => MaxPfn - Original;

    /// <summary>Pages that an ELF dump really leaves out: short runs between kept pages are written as zero instead.</summary>
    public ulong? ExcludedInElf { get; internal set; }

    /// <summary>Pages that stay but could not be read; they are zero in the dump.</summary>
    public ulong Unreadable { get; internal set; }

    /// <summary>Pages whose struct page could not be read; they stay.</summary>
    public ulong UnreadableStructPages { get; internal set; }

    /// <summary>Free blocks with an impossible order; they stay.</summary>
    public ulong BadFreeBlocks { get; internal set; }

    /// <summary>Pages that share the block of an equal one.</summary>
    public ulong Shared { get; internal set; }

    /// <summary>What was given up to keep to the time limit; null if nothing was, or there is none.</summary>
    public GivenUp? GivenUp { get; internal set; }

    /// <summary>Bytes handed to the target.</summary>
    public long BytesWritten { get; internal set; }
}
