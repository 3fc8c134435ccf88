namespace Vmcore.Kexec;

/// <summary>Finds the block devices below a file system, a device node or a root= parameter.</summary>
public static class BlockDevices
{
    private const int DepthLimit = 16;

    /// <summary>Names of the devices, the nearest first: for <c>/var/crash</c> on LVM <c>dm-0</c>, then <c>pmem0p1</c>, then <c>pmem0</c>.</summary>
    /// <param name="sysroot">The folder that stands for <c>/</c>; null or empty for the running system.</param>
    /// <param name="target">A device node or its name, an absolute path, or <c>UUID=</c>, <c>LABEL=</c>, <c>PARTUUID=</c>, <c>PARTLABEL=</c>. Anything else,
    /// such as an NFS export, has no device.</param>
    public static IReadOnlyList<string> Resolve(string? sysroot, string target)
    {
        var root = new SystemRoot(sysroot ?? "");
        List<string> found = [];
        if (Name(root, target) is { } name)
            Add(root, name, found, DepthLimit);
        return found;
    }

    /// <summary>Value of the last <c>root=</c> of a kernel command line; null if there is none.</summary>
    public static string? RootOf(string commandLine) =>
        CommandLineWords.Split(commandLine).LastOrDefault(static w => CommandLineWords.Is(w, "root")) is { } word ? CommandLineWords.Value(word) : null;

    private static string? Name(SystemRoot root, string target)
    {
        foreach (string tag in (string[])["UUID", "LABEL", "PARTUUID", "PARTLABEL"])
        {
            if (target.StartsWith($"{tag}=", StringComparison.OrdinalIgnoreCase))
                target = $"/dev/disk/by-{tag.ToLowerInvariant()}/{target[(tag.Length + 1)..]}";
        }

        if (target.StartsWith("/dev/", StringComparison.Ordinal))
            return root.LinkName(target) ?? Path.GetFileName(target);
        if (!target.StartsWith('/'))
        {
            // A bare name of a device, as lsblk and ndctl print it.
            bool isName = target.Length > 0 && !target.Contains('/', StringComparison.Ordinal) && target is not ("." or "..");
            return isName && (root.Exists($"/sys/class/block/{target}") || root.Exists($"/sys/bus/dax/devices/{target}") || root.Exists($"/dev/{target}"))
                ? target : null;
        }


        string? best = null;
        int length = -1;
        foreach (string line in (root.TryReadText("/proc/self/mountinfo", 1 << 22) ?? "").Split('\n'))
        {
            string[] fields = line.Split(' ');
            if (fields.Length < 7)
                continue;
            string mount = fields[4].Replace("\\040", " ", StringComparison.Ordinal);
            bool covers = mount == "/" || target == mount || target.StartsWith($"{mount}/", StringComparison.Ordinal);
            if (!covers || mount.Length < length)
                continue;
            length = mount.Length;
            int dash = Array.IndexOf(fields, "-");
            string? source = dash > 0 && dash + 2 < fields.Length ? fields[dash + 2] : null;
            // File systems over several devices have a number of their own, which is no block device.
            best = root.LinkName($"/sys/dev/block/{fields[2]}")
                ?? (source?.StartsWith("/dev/", StringComparison.Ordinal) == true ? root.LinkName(source) ?? Path.GetFileName(source) : null);
        }

        return best;
    }

    private static void Add(SystemRoot root, string name, List<string> found, int depth)
    {
        if (depth == 0 || name.Length == 0 || found.Contains(name))
            return;
        found.Add(name);
        foreach (string slave in root.List($"/sys/class/block/{name}/slaves"))
            Add(root, slave, found, depth - 1);
        if (root.Exists($"/sys/class/block/{name}/partition") && root.LinkFolder($"/sys/class/block/{name}") is { } parent)
            Add(root, parent, found, depth - 1);
    }
}
