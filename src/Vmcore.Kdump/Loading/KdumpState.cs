using Vmcore.Kexec;
using Vmcore.Ranges;

namespace Vmcore.Kdump.Loading;

/// <summary>Whether a crash kernel is loaded, and whether it is what would be loaded now.</summary>
/// <param name="IsLoaded">True if one is; null if the kernel does not say.</param>
/// <param name="IsOurs">True if it was loaded by <c>vmcore kdump load</c>.</param>
/// <param name="IsCurrent">True if its initramfs is what would be made now; null if that cannot be told.</param>
/// <param name="Reserved">Memory that is reserved for it, in bytes.</param>
/// <param name="Release">The running kernel.</param>
/// <param name="Targets">The targets by the configuration.</param>
/// <param name="Problem">Why nothing can be loaded now; null if nothing stands in the way.</param>
internal sealed record KdumpState(
    bool? IsLoaded, bool IsOurs, bool? IsCurrent, ulong Reserved, string Release, IReadOnlyList<string> Targets, string? Problem)
{
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
