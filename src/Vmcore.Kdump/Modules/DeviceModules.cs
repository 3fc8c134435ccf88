using Vmcore.Kexec;

namespace Vmcore.Kdump.Modules;

/// <summary>Which modules drive a device: those of its driver and of the drivers of all that it hangs on, by what sysfs says now.</summary>
internal static class DeviceModules
{
    private const int DepthLimit = 64;

    /// <summary>Adds the modules of a device of <c>/sys/class</c>.</summary>
    /// <param name="root">The system.</param>
    /// <param name="link">The device's link, for example <c>/sys/class/block/vda1</c>.</param>
    /// <param name="modules">Receives them.</param>
    internal static void Add(SystemRoot root, string link, ModuleSet modules) => Add(root, link, modules, 4);

    private static void Add(SystemRoot root, string link, ModuleSet modules, int depth)
    {
        if (Resolve(root, link) is not { } device || depth == 0)
            return;
        // The outermost device first: its driver makes the inner ones appear.
        List<string> chain = [];
        for (string at = device; at.StartsWith("/sys/devices/", StringComparison.Ordinal) && chain.Count < DepthLimit; at = Parent(at))
            chain.Add(at);
        for (int i = chain.Count - 1; i >= 0; i--)
            AddDriver(root, chain[i], modules);
        // A disk with several paths (NVMe) hangs on no controller; its subsystem names them.
        foreach (string parent in chain.Where(static c => c.StartsWith("/sys/devices/virtual/nvme-subsystem/", StringComparison.Ordinal)))
        {
            foreach (string name in root.List(parent).Where(static n => n.StartsWith("nvme", StringComparison.Ordinal)))
            {
                if (root.LinkName($"{parent}/{name}") is not null)
                    Add(root, $"{parent}/{name}", modules, depth - 1);
            }
        }
    }

    private static void AddDriver(SystemRoot root, string device, ModuleSet modules)
    {
        // The driver that is bound is known to work. One that is built in has no module.
        if (root.Exists($"{device}/driver"))
        {
            if (root.LinkName($"{device}/driver/module") is { } name)
                modules.Add(name);
            return;
        }

        // Of trees that were captured without links, and of what is driven by a class of devices only: by its alias.
        if (root.TryReadText($"{device}/modalias", 1024) is { Length: > 0 } alias)
            modules.AddAlias(alias);
    }

    /// <summary>The device that a link of sysfs means, as an absolute path without links; null if it is none.</summary>
    private static string? Resolve(SystemRoot root, string link)
    {
        if (root.LinkTarget(link) is not { } target)
            return null;
        string path = target.StartsWith('/') ? target : $"{Parent(link)}/{target}";
        // Path.GetFullPath takes the ".." away; none of what is left is a link.
        return Path.GetFullPath(path);
    }

    private static string Parent(string path) => path[..Math.Max(0, path.LastIndexOf('/'))];
}
