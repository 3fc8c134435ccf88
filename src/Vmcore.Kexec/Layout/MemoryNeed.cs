using System.Globalization;
using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>Whether the reserved memory is enough for the capture kernel; all in bytes.</summary>
/// <param name="Reserved">What is reserved, memory of <c>crashkernel=SIZE,cma</c> included.</param>
/// <param name="Needed">What the capture kernel will probably need of it.</param>
/// <param name="BounceBuffers">What of that it sets aside as bounce buffers (swiotlb).</param>
/// <param name="IsEstimate">True if the size of the unpacked initramfs is an estimate.</param>
public readonly record struct MemoryNeed(ulong Reserved, ulong Needed, ulong BounceBuffers, bool IsEstimate)
{
    /// <summary>
    /// What a capture kernel takes besides itself, its initramfs and its bounce buffers: by the smallest regions that worked on Linux 6.1 and 6.12.
    /// </summary>
    internal const ulong KernelOverhead = 20UL << 20;

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
                $"The crash kernel has {Numbers.MiB(Reserved)} and needs {(IsEstimate ? "by a rough estimate" : "about")} {Numbers.MiB(Needed)} "
                + $"with this initramfs: boot with crashkernel={enough}M or more, or make the initramfs smaller.{buffers}");
        }
    }

    /// <summary>Adds up.</summary>
    /// <param name="system">The system.</param>
    /// <param name="kernel">The capture kernel.</param>
    /// <param name="initrd">Its initramfs.</param>
    /// <param name="commandLine">Its command line.</param>
    /// <param name="hidden">Bytes that it will have besides what the running kernel tells of.</param>
    internal static MemoryNeed Of(RunningSystem system, KernelImage kernel, ReadOnlyMemory<byte> initrd, string commandLine, ulong hidden)
    {
        InitramfsSize unpacked = InitramfsSize.Measure(initrd);
        IReadOnlyList<PhysicalRange> regions = [.. system.CaptureRam.OrderBy(static r => r.Start)];
        ulong reserved = hidden;
        foreach (PhysicalRange region in regions)
            reserved += region.Length;
        ulong buffers = Platform.Of(system).BounceBuffers(CommandLineWords.Split(commandLine), regions, system.PossibleMemoryEnd);
        return new(reserved, kernel.InitSize + (ulong)initrd.Length + unpacked.Bytes + buffers + KernelOverhead, buffers, unpacked.IsEstimate);
    }
}
