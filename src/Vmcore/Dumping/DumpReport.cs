using Vmcore.Memmap;
using Vmcore.Ranges;

namespace Vmcore.Dumping;

/// <summary>Why a dump ended.</summary>
public enum DumpEnd
{
    /// <summary>All of it is written.</summary>
    Complete,

    /// <summary>The target is full; what fitted is readable and marked incomplete.</summary>
    NoSpace,

    /// <summary>The target's file may not become larger (RLIMIT_FSIZE, or a limit of its file system); what fitted is readable and marked incomplete.</summary>
    FileTooLarge,

    /// <summary>The user's quota on the target is used up; what fitted is readable and marked incomplete.</summary>
    QuotaExceeded,

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
    private readonly DumpCounts _counts;

    internal DumpReport(DumpCounts counts, DumpEnd end)
    {
        _counts = counts;
        End = end;
    }

    /// <summary>How it ended.</summary>
    public DumpEnd End { get; }

    /// <summary>One past the highest pfn.</summary>
    public ulong MaxPfn { get; internal init; }

    /// <summary>Pages that exist on the machine as far as the input knows.</summary>
    public ulong Original => _counts.Original;

    /// <summary>Pages by class; <see cref="PageClass.Zero"/> only where zero pages are left out.</summary>
    public PageCounts Excluded => _counts.Excluded;

    /// <summary>Pages that the input lacked already.</summary>
    public ulong MissingInInput => _counts.MissingInInput;

    /// <summary>Pages of pmem metadata that stay.</summary>
    public ulong MetadataKept => _counts.MetadataKept;

    /// <summary>Pages that stay, zero pages not counted.</summary>
    public ulong Remaining => Original - MissingInInput - Excluded.Excluded;

    /// <summary>Pages below <see cref="MaxPfn"/> that do not exist.</summary>
    public ulong MemoryHole => MaxPfn - Original;

    /// <summary>Pages that an ELF dump really leaves out: short runs between kept pages are written as zero instead.</summary>
    public ulong? ExcludedInElf => _counts.ExcludedInElf;

    /// <summary>Pages that were to stay but could not be read: the dump knows of them and does not have them, and is marked incomplete.</summary>
    public ulong Unreadable => _counts.Lost.Count;

    /// <summary>The pages of <see cref="Unreadable"/>, half-open, in the order in which they were met; of very many the first.</summary>
    public IReadOnlyList<PfnRange> UnreadableRanges => _counts.Lost.Ranges;

    /// <summary>Pages whose struct page could not be read; they stay.</summary>
    public ulong UnreadableStructPages => _counts.UnreadableStructPages;

    /// <summary>Free blocks with an impossible order; they stay.</summary>
    public ulong BadFreeBlocks => _counts.BadFreeBlocks;

    /// <summary>Pages that share the block of an equal one.</summary>
    public ulong Shared => _counts.Shared;

    /// <summary>What was given up to keep to the time limit; null if nothing was, or there is none.</summary>
    public GivenUp? GivenUp { get; internal init; }

    /// <summary>Bytes handed to the target.</summary>
    public long BytesWritten { get; internal init; }
}
