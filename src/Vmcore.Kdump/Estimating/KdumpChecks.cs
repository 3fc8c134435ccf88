using System.Globalization;
using Vmcore.Kdump.Configuration;
using Vmcore.Kdump.Loading;
using Vmcore.Kexec;
using Vmcore.Ranges;

namespace Vmcore.Kdump.Estimating;

/// <summary>One thing that must be so for a crash to be saved.</summary>
internal sealed class KdumpCheck(string name, bool isRight, string text)
{
    /// <summary>What is looked at, in a word or two.</summary>
    public string Name => name;

    /// <summary>True if it is so.</summary>
    public bool IsRight => isRight;

    /// <summary>What was found.</summary>
    public string Text => text;
}

/// <summary>Proves a configuration, as far as that can be done without a crash. Nothing is loaded and nothing written.</summary>
internal static class KdumpChecks
{
    /// <summary>Looks at all of it; what cannot be looked at because something before it is wrong is left out.</summary>
    /// <param name="sysroot">The folder that stands for <c>/</c>; empty for the running system.</param>
    /// <param name="executable">The executable that becomes init.</param>
    /// <param name="input">The memory whose dump must fit; null to leave that out.</param>
    internal static IReadOnlyList<KdumpCheck> Run(string sysroot, string executable, string? input)
    {
        var root = new SystemRoot(sysroot);
        List<KdumpCheck> checks = [];
        bool isRight = Check(checks, "configuration", () =>
        {
            KdumpConfiguration configuration = KdumpPlanner.ReadConfiguration(root, out string text);
            return $"{(text.Length == 0 ? "all defaults" : root.Map(ConfigurationFile.Path))}: {string.Join(", then ", configuration.Targets)}";
        });
        string? rival = RivalServices.Find(root);
        checks.Add(new("other services", rival is null, rival ?? "none loads a crash kernel"));
        Check(checks, "crashkernel=", () => Reserved(sysroot));
        KdumpPlan? found = null;
        if (!isRight || !Check(checks, "targets", () => Targets(found = KdumpPlanner.Plan(sysroot, executable))) || found is not { } plan)
            return checks;
        foreach (string warning in plan.Warnings)
            checks.Add(new("targets", false, warning));
        byte[] initramfs = [];
        if (!Check(checks, "initramfs", () => Initramfs(plan, initramfs = plan.BuildInitramfs())))
            return checks;
        Check(checks, "capture kernel", () => Kernel(plan, initramfs, checks));
        if (input is not null)
            Check(checks, "room", () => Room(root, plan, input));
        return checks;
    }

    private static string Reserved(string sysroot)
    {
        ulong reserved = 0;
        foreach (PhysicalRange region in RunningSystemReader.ReadShownIomem(sysroot).CrashRegions)
            reserved += region.Length;
        return reserved > 0 ? $"{MiB(reserved)} reserved" : throw LoadPlanner.NoRegion();
    }

    private static string Targets(KdumpPlan plan) => string.Join("; ", plan.Targets.Select(static t => t.Capture.Kind switch
    {
        TargetKind.Console => "console",
        TargetKind.Raw => $"{t.Capture.Title} is /dev/{t.Device}, {t.Capture.Device}",
        _ => $"{t.Capture.Title} is {t.Capture.Folder} of {t.Capture.Type} on /dev/{t.Device}, {t.Capture.Device}",
    }));

    private static string Initramfs(KdumpPlan plan, byte[] initramfs) => string.Create(CultureInfo.InvariantCulture,
        $"{MiB((ulong)initramfs.Length)} packed, {plan.Modules.Count} modules of {plan.Release}: "
        + $"{string.Join(' ', plan.Modules.Select(Modules.ModuleIndex.NameOf))}");

    private static string Kernel(KdumpPlan plan, byte[] initramfs, List<KdumpCheck> checks)
    {
        RunningSystem system = RunningSystemReader.Read(plan.Sysroot, plan.Kernel);
        LoadPlan load = LoadPlanner.Plan(system, plan.Kernel, initramfs, new() { CommandLine = plan.CommandLine, DumpTargets = plan.Devices });
        (ulong needed, ulong reserved) = KdumpForecast.Memory(plan, system, initramfs);
        checks.Add(new("memory", needed <= reserved, needed <= reserved ? $"{MiB(reserved)} reserved, {MiB(needed)} needed by estimate"
            : $"{MiB(reserved)} reserved and {MiB(needed)} needed by estimate: boot with crashkernel={needed >> 20}M"));
        // The loader counts less, and its sentence on that would be the second.
        foreach (string warning in load.Warnings.Where(w => w != load.Memory.Warning))
            checks.Add(new("capture kernel", false, warning));
        return $"{plan.Kernel.File}, {plan.Kernel.Form} {plan.Kernel.Release}";
    }

    private static string Room(SystemRoot root, KdumpPlan plan, string input)
    {
        ResolvedTarget target = plan.Targets[0];
        long? room = TargetRoom.Of(root, target);
        var dump = DumpEstimate.Measure(plan.Configuration, input);
        string size = MiB((ulong)dump.Bytes);
        return room is null ? $"a dump of now would take {size}; how much room {target.Capture.Title} has is not known"
            : room >= dump.Bytes ? $"a dump of now would take {size}, and {target.Capture.Title} has {MiB((ulong)room)}"
            : throw new KdumpException($"a dump of now would take {size}, and {target.Capture.Title} has {MiB((ulong)room)}: "
                + "make room, or lower the dump's level.");
    }

    private static bool Check(List<KdumpCheck> checks, string name, Func<string> look)
    {
        try
        {
            checks.Add(new(name, true, look()));
            return true;
        }
        catch (Exception e) when (e is VmcoreException or IOException or UnauthorizedAccessException)
        {
            checks.Add(new(name, false, e.Message));
            return false;
        }
    }

    /// <summary>Bytes for people, rounded up.</summary>
    internal static string MiB(ulong bytes) => string.Create(CultureInfo.InvariantCulture, $"{(bytes + (1 << 20) - 1) >> 20} MiB");
}
