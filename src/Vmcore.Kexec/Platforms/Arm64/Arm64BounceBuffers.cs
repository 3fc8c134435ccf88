using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>Bounce buffers (swiotlb) of a capture kernel on arm64 (arch/arm64/mm/init.c).</summary>
internal static class Arm64BounceBuffers
{
    // Unless told otherwise (IO_TLB_DEFAULT_SIZE); a slab is 2 KiB.
    private const ulong DefaultSize = 64UL << 20;
    private const ulong SlabSize = 2048;
    private const ulong FourGiB = 1UL << 32;

    /// <summary>Bytes that it sets aside: if it has memory below 4 GiB, where devices reach, and above.</summary>
    /// <param name="words">The capture kernel's command line.</param>
    /// <param name="regions">Its memory, ascending.</param>
    public static ulong Of(IEnumerable<string> words, IReadOnlyList<PhysicalRange> regions)
    {
        ulong size = DefaultSize;
        bool isForced = false, isOff = false;
        foreach (string word in words.TakeWhile(static w => w != "--").Where(static w => CommandLineWords.Is(w, "swiotlb")))
        {
            string[] values = CommandLineWords.Value(word).Split(',');
            if (Numbers.TryParse(values[0]) is { } slabs)
                size = Math.Min(slabs, FourGiB / SlabSize) * SlabSize;
            isForced |= values.Contains("force", StringComparer.Ordinal);
            isOff |= values.Contains("noforce", StringComparer.Ordinal);
        }

        bool isMixed = regions.Count > 0 && regions[0].Start < FourGiB && regions[^1].End > FourGiB;
        return isOff || (!isMixed && !isForced) ? 0 : size;
    }
}
