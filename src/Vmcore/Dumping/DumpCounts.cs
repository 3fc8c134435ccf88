using Vmcore.IO;
using Vmcore.Memmap;

namespace Vmcore.Dumping;

/// <summary>What a dump has counted so far, in pages. Only the thread that runs the dump writes it.</summary>
internal sealed class DumpCounts(ReadLimits limits)
{
    /// <summary>Pages that exist on the machine as far as the input knows.</summary>
    internal ulong Original { get; set; }

    /// <summary>Pages that are left out, by class; <see cref="PageClass.Zero"/> only where zero pages are.</summary>
    internal PageCounts Excluded { get; } = new();

    /// <summary>Pages that the input lacked already.</summary>
    internal ulong MissingInInput { get; set; }

    /// <summary>Pages of pmem metadata that stay.</summary>
    internal ulong MetadataKept { get; set; }

    /// <summary>Pages that an ELF dump really leaves out; null for another format.</summary>
    internal ulong? ExcludedInElf { get; set; }

    /// <summary>Pages that were to stay, could not be read, and are not in the dump.</summary>
    internal LostPages Lost { get; } = new(limits);

    /// <summary>Pages whose struct page could not be read; they stay.</summary>
    internal ulong UnreadableStructPages { get; set; }

    /// <summary>Free blocks with an impossible order; they stay.</summary>
    internal ulong BadFreeBlocks { get; set; }

    /// <summary>Pages that share the block of an equal one.</summary>
    internal ulong Shared { get; set; }

    /// <summary>Adds the verdicts on some windows.</summary>
    internal void Add(PlanWindow window, ulong existing)
    {
        Original += existing;
        Excluded.Add(window.Excluded);
        MissingInInput += window.MissingInInput;
        MetadataKept += window.MetadataKept;
        UnreadableStructPages += window.UnreadableStructPages;
        BadFreeBlocks += window.BadFreeBlocks;
    }
}
