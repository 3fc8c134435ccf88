using System.Globalization;
using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>Whether the reserved memory is enough for the capture kernel; all in bytes.</summary>
/// <param name="Reserved">What is reserved.</param>
/// <param name="Needed">What the capture kernel will probably need of it.</param>
/// <param name="BounceBuffers">What of that it sets aside as bounce buffers (swiotlb).</param>
/// <param name="IsEstimate">True if the size of the unpacked initramfs is an estimate.</param>
public readonly record struct MemoryNeed(ulong Reserved, ulong Needed, ulong BounceBuffers, bool IsEstimate)
{
    /// <summary>What a capture kernel takes besides itself, its initramfs and its bounce buffers: by the smallest regions that worked on Linux 6.1 and 6.12.</summary>
    internal const ulong KernelOverhead = 20UL << 20;

    // Unless told otherwise (IO_TLB_DEFAULT_SIZE); a slab is 2 KiB.
    private const ulong DefaultBounceBuffers = 64UL << 20;
    private const ulong SlabSize = 2048;
    private const ulong FourGiB = 1UL << 32;

    /// <summary>The sentence for the operator if it is not enough; null if it is.</summary>
    public string? Warning
    {
        get
        {
            if (Needed <= Reserved)
                return null;
            ulong enough = Numbers.AlignUp(Needed, 16 << 20) >> 20;
            string buffers = BounceBuffers == 0 ? ""
                : $" {Numbers.MiB(BounceBuffers)} of it are bounce buffers, since this machine may have memory above 4 GiB; "
                    + "swiotlb=noforce on the capture kernel's command line saves them if all of the region is below.";
            return string.Create(
                CultureInfo.InvariantCulture,
                $"The crash kernel has {Numbers.MiB(Reserved)} and needs {(IsEstimate ? "by a rough estimate" : "about")} {Numbers.MiB(Needed)} with this initramfs: boot with crashkernel={enough}M or more, or make the initramfs smaller.{buffers}");
        }
    }

    /// <summary>Adds up.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="kernel">The capture kernel.</param>
    /// <param name="initrd">Its initramfs.</param>
    /// <param name="commandLine">Its command line.</param>
    internal static MemoryNeed Of(Machine machine, KernelImage kernel, ReadOnlyMemory<byte> initrd, string commandLine)
    {
        InitramfsSize unpacked = InitramfsSize.Measure(initrd);
        ulong reserved = 0, end = 0;
        foreach (PhysicalRange region in machine.Iomem.CrashRegions)
        {
            reserved += region.Length;
            end = Math.Max(end, region.End);
        }

        ulong buffers = BounceBuffersOf(CommandLineWords.Split(commandLine), end, machine.PossibleMemoryEnd);
        return new(reserved, kernel.InitSize + (ulong)initrd.Length + unpacked.Bytes + buffers + KernelOverhead, buffers, unpacked.IsEstimate);
    }

    /// <summary>Bounce buffers that Linux on x86-64 sets aside: as soon as it may ever have memory above 4 GiB.</summary>
    /// <param name="words">The capture kernel's command line.</param>
    /// <param name="regionEnd">End of its own memory.</param>
    /// <param name="possibleEnd">End of what the firmware says may be memory; 0 if it does not say.</param>
    internal static ulong BounceBuffersOf(List<string> words, ulong regionEnd, ulong possibleEnd)
    {
        ulong size = DefaultBounceBuffers;
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
