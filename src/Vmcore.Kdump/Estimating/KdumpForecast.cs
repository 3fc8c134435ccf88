using Vmcore.Kdump.Loading;
using Vmcore.Kexec;
using Vmcore.Ranges;

namespace Vmcore.Kdump.Estimating;

/// <summary>What a crash would take: memory for the capture kernel, and room on the targets.</summary>
internal sealed class KdumpForecast(DumpEstimate dump, ulong memoryNeeded, ulong memoryReserved, long initramfs, IReadOnlyList<RoomOfTarget> rooms)
{
    /// <summary>The dump.</summary>
    public DumpEstimate Dump => dump;

    /// <summary>What crashkernel= should reserve, in bytes.</summary>
    public ulong MemoryNeeded => memoryNeeded;

    /// <summary>What it reserves now, in bytes.</summary>
    public ulong MemoryReserved => memoryReserved;

    /// <summary>Size of the initramfs, packed, in bytes.</summary>
    public long Initramfs => initramfs;

    /// <summary>The targets, and how much room each has.</summary>
    public IReadOnlyList<RoomOfTarget> Rooms => rooms;

    /// <summary>
    /// What our init and dumper take besides what the loader counts for any initramfs: by the smallest regions that worked (docs/kdump.md).
    /// </summary>
    internal const ulong OwnNeed = 16UL << 20;

    /// <summary>What crashkernel= is a multiple of here, in bytes: nobody wants to tune it to the last megabyte.</summary>
    private const ulong Step = 16UL << 20;

    /// <summary>Makes it.</summary>
    /// <param name="plan">What would be loaded.</param>
    /// <param name="input">The memory that is dumped.</param>
    /// <exception cref="VmcoreException">The memory cannot be read, or the kernel is none that can be loaded.</exception>
    internal static KdumpForecast Make(KdumpPlan plan, string input)
    {
        byte[] initramfs = plan.BuildInitramfs();
        RunningSystem system = RunningSystemReader.Read(plan.Sysroot, plan.Kernel);
        (ulong needed, ulong reserved) = Memory(plan, system, initramfs);
        var root = new SystemRoot(plan.Sysroot);
        return new(
            DumpEstimate.Measure(plan.Configuration, input), needed, reserved, initramfs.Length,
            [.. plan.Targets.Select(t => new RoomOfTarget(t.Capture.Title, TargetRoom.Of(root, t)))]);
    }

    /// <summary>Memory that the capture kernel should have, rounded up, and that it has.</summary>
    internal static (ulong Needed, ulong Reserved) Memory(KdumpPlan plan, RunningSystem system, ReadOnlyMemory<byte> initramfs)
    {
        // Without a region yet it is asked for one as small as the answer.
        IReadOnlyList<PhysicalRange> regions = system.Iomem.CrashRegions;
        InitramfsSize unpacked = InitramfsSize.Measure(initramfs);
        ulong buffers = Platform.Of(system).BounceBuffers(
            CommandLineWords.Split(plan.CommandLine), regions.Count > 0 ? regions : [new(0, 256UL << 20)], system.PossibleMemoryEnd);
        ulong needed = plan.Kernel.InitSize + (ulong)initramfs.Length + unpacked.Bytes + buffers + MemoryNeed.KernelOverhead + OwnNeed;
        ulong reserved = 0;
        foreach (PhysicalRange region in regions)
            reserved += region.Length;
        return ((needed + Step - 1) / Step * Step, reserved);
    }
}

/// <summary>A target and its room.</summary>
internal sealed class RoomOfTarget(string target, long? room)
{
    /// <summary>What the configuration calls it.</summary>
    public string Target => target;

    /// <summary>Bytes that a dump may take there; null if that cannot be told.</summary>
    public long? Room => room;
}
