using Vmcore.Kexec;
using Vmcore.Ranges;

namespace Vmcore.Kdump.Loading;

/// <summary>Whether a crash kernel is loaded, and whether it is what would be loaded now.</summary>
internal sealed class KdumpState(bool? isLoaded, bool isOurs, bool? isCurrent, ulong reserved, string release, IReadOnlyList<string> targets, string? problem)
{
    /// <summary>True if one is; null if the kernel does not say.</summary>
    public bool? IsLoaded => isLoaded;

    /// <summary>True if it was loaded by <c>vmcore kdump load</c>.</summary>
    public bool IsOurs => isOurs;

    /// <summary>True if its initramfs is what would be made now; null if that cannot be told.</summary>
    public bool? IsCurrent => isCurrent;

    /// <summary>Memory that is reserved for it, in bytes.</summary>
    public ulong Reserved => reserved;

    /// <summary>The running kernel.</summary>
    public string Release => release;

    /// <summary>The targets by the configuration.</summary>
    public IReadOnlyList<string> Targets => targets;

    /// <summary>Why nothing can be loaded now; null if nothing stands in the way.</summary>
    public string? Problem => problem;

    /// <summary>Looks.</summary>
    /// <param name="sysroot">The folder that stands for <c>/</c>; empty for the running system.</param>
    /// <param name="executable">The executable that becomes init.</param>
    internal static KdumpState Read(string sysroot, string executable)
    {
        var root = new SystemRoot(sysroot);
        bool? isLoaded = RunningSystemReader.IsLoaded(sysroot, panic: true);
        string[] record = (root.TryReadText(KdumpLoader.Record, 8192) ?? "").Split('\n');
        bool isOurs = isLoaded == true && record[0].Length == 64;
        ulong reserved = 0;
        string? problem = RivalServices.Find(root);
        IReadOnlyList<string> targets = [];
        bool? isCurrent = null;
        try
        {
            foreach (PhysicalRange region in RunningSystemReader.ReadIomem(sysroot).CrashRegions)
                reserved += region.Length;
            targets = [.. KdumpPlanner.ReadConfiguration(root, out _).Targets.Select(static t => t.ToString())];
            KdumpPlan plan = KdumpPlanner.Plan(sysroot, executable);
            isCurrent = isOurs ? plan.Key == record[0] : null;
            problem ??= reserved == 0 ? LoadPlanner.NoRegion().Message : null;
        }
        catch (VmcoreException e)
        {
            problem ??= e.Message;
        }

        return new(isLoaded, isOurs, isCurrent, reserved, root.TryReadText("/proc/sys/kernel/osrelease", 256) ?? "", targets, problem);
    }
}
