using Vmcore.Kexec;

namespace Vmcore.Kdump.Devices;

/// <summary>Finds block devices by what is on them.</summary>
internal static class DeviceFinder
{
    // Memory, files and what others are made of: nothing that a dump is saved on.
    private static readonly string[] s_ignored = ["loop", "ram", "zram", "sr", "fd", "pmem", "nbd"];

    /// <summary>The name of the device with a file system: <c>vda1</c> for <c>UUID=…</c>.</summary>
    /// <param name="root">The system.</param>
    /// <param name="device"><c>UUID=…</c>, <c>LABEL=…</c>, or <c>/dev/NAME</c>.</param>
    /// <returns>Null if there is none.</returns>
    internal static string? ByFileSystem(SystemRoot root, string device) =>
        Find(root, device, static (root, name, tag) => Probe(root, name)?.Is(tag) == true);

    /// <summary>The name of the partition that is ours.</summary>
    /// <param name="root">The system.</param>
    /// <param name="device"><c>UUID=…</c> of the area, or <c>/dev/NAME</c>.</param>
    /// <returns>Null if there is none; one that is named by its node need not be ours.</returns>
    internal static string? ByRawArea(SystemRoot root, string device) =>
        Find(root, device, static (root, name, tag) => RawArea.TryRead(root.Map($"/dev/{name}"), out _) is { } area
            && tag.AsSpan("UUID=".Length).Equals(area.Uuid, StringComparison.OrdinalIgnoreCase));

    /// <summary>What is on a device; null if that is unknown or cannot be read.</summary>
    internal static FileSystemProbe? Probe(SystemRoot root, string name) =>
        root.TryReadBytes($"/dev/{name}", FileSystemProbe.HeadSize) is { } head ? FileSystemProbe.Read(head) : null;

    private static string? Find(SystemRoot root, string device, Func<SystemRoot, string, string, bool> isIt)
    {
        if (device.StartsWith("/dev/", StringComparison.Ordinal))
        {
            string name = root.LinkName(device) ?? Path.GetFileName(device);
            return root.Exists($"/sys/class/block/{name}") ? name : null;
        }

        foreach (string name in root.List("/sys/class/block"))
        {
            if (!s_ignored.Any(i => name.StartsWith(i, StringComparison.Ordinal)) && isIt(root, name, device))
                return name;
        }

        return null;
    }
}
