using Vmcore.Memmap;

namespace Vmcore.Dumping;

/// <summary>The verdicts on one window of neighbouring pages.</summary>
internal sealed class PlanWindow
{
    /// <summary>Pages in a window: one 4 KiB block of a bitmap, and one section of 128 MiB with pages of 4 KiB.</summary>
    public const int Pages = 1 << Shift;

    /// <summary>log2 of <see cref="Pages"/>.</summary>
    public const int Shift = MemmapWalk.WindowShift;

    /// <summary>64-bit words in a bitmap of a window.</summary>
    public const int Words = Pages / 64;

    /// <summary>First pfn.</summary>
    public ulong FirstPfn { get; internal set; }

    /// <summary>One bit a page: it exists on the machine.</summary>
    public ulong[] Exists { get; } = new ulong[Words];

    /// <summary>One bit a page: it goes into the dump. Zero pages are still in here.</summary>
    public ulong[] Kept { get; } = new ulong[Words];

    /// <summary>Pages left out, by class.</summary>
    public PageCounts Excluded { get; } = new();

    /// <summary>Pages that the input lacked already.</summary>
    public ulong MissingInInput { get; internal set; }

    /// <summary>pmem metadata pages that stay.</summary>
    public ulong MetadataKept { get; internal set; }

    /// <summary>Pages whose struct page could not be read; they stay.</summary>
    public ulong UnreadableStructPages { get; internal set; }

    /// <summary>Free blocks with an impossible order; they stay.</summary>
    public ulong BadFreeBlocks { get; internal set; }

    internal void Reset(ulong firstPfn)
    {
        FirstPfn = firstPfn;
        Excluded.Clear();
        MissingInInput = MetadataKept = UnreadableStructPages = BadFreeBlocks = 0;
    }
}
