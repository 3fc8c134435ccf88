namespace Vmcore.Kexec;

/// <summary>Bounce buffers (swiotlb) of a capture kernel on x86-64.</summary>
internal static class X86BounceBuffers
{
    // Unless told otherwise (IO_TLB_DEFAULT_SIZE); a slab is 2 KiB.
    private const ulong DefaultSize = 64UL << 20;
    private const ulong SlabSize = 2048;
    private const ulong FourGiB = 1UL << 32;

    /// <summary>Bytes that it sets aside: as soon as it may ever have memory above 4 GiB.</summary>
    /// <param name="words">The capture kernel's command line.</param>
    /// <param name="regionEnd">End of its own memory.</param>
    /// <param name="possibleEnd">End of what the firmware says may be memory; 0 if it does not say.</param>
    public static ulong Of(IEnumerable<string> words, ulong regionEnd, ulong possibleEnd)
    {
        ulong size = DefaultSize;
        bool isForced = false, isOff = false, ignoresFirmware = false;
        foreach (string word in words.TakeWhile(static w => w != "--"))
        {
            string[] values = CommandLineWords.Value(word).Split(',');
            if (CommandLineWords.Is(word, "swiotlb"))
            {
                if (Numbers.TryParse(values[0]) is { } slabs)
                    size = Math.Min(slabs, FourGiB / SlabSize) * SlabSize;
                isForced |= values.Contains("force");
                isOff |= values.Contains("noforce");
            }
            else if (CommandLineWords.Is(word, "iommu"))
            {
                isForced |= values.Contains("soft");
                isOff |= values.Contains("off");
            }
            else if (CommandLineWords.Is(word, "numa") || CommandLineWords.Is(word, "acpi"))
            {
                // Then the table that names memory above is not read.
                ignoresFirmware |= values.Contains("off") || values.Contains("noacpi");
            }
        }

        bool isHigh = regionEnd > FourGiB || (!ignoresFirmware && possibleEnd > FourGiB);
        return isOff || (!isHigh && !isForced) ? 0 : size;
    }
}
