using Vmcore.Kdump.Devices;
using Vmcore.Kexec;

namespace Vmcore.Kdump.Installing;

/// <summary>A partition that is to take dumps without a file system.</summary>
internal sealed class RawPlace(string name, long size, string content, RawArea? area)
{
    /// <summary>The name of the device, for example <c>vdb1</c>.</summary>
    public string Name => name;

    /// <summary>Its size in bytes.</summary>
    public long Size => size;

    /// <summary>What is on it, as far as that is known; empty for nothing.</summary>
    public string Content => content;

    /// <summary>What makes it ours; null if it is not.</summary>
    public RawArea? Area => area;

    /// <summary>Looks at a partition.</summary>
    /// <param name="device">Its node.</param>
    /// <exception cref="KdumpException">It is no block device, is in use, too small, or cannot be read.</exception>
    internal static RawPlace Look(string device)
    {
        var root = new SystemRoot("");
        if (!device.StartsWith("/dev/", StringComparison.Ordinal))
            throw new KdumpException($"kdump prepare: found '{device}', expected a partition's node, /dev/NAME.");
        string name = DeviceFinder.ByFileSystem(root, device) ?? throw new KdumpException($"kdump prepare: {device} is no block device.");
        // What is mounted, is swap, or has something on top is in use. A disk is, if one of its partitions is; but then it has partitions.
        string node = $"/dev/{name}";
        bool isUsed = IsNamedIn(root, "/proc/self/mountinfo", node, device) || IsNamedIn(root, "/proc/swaps", node, device)
            || root.List($"/sys/class/block/{name}/holders").Count > 0;
        if (isUsed)
            throw new KdumpException($"kdump prepare: {device} is in use: it is mounted, is swap, or another device is on top of it.");
        if (root.List($"/sys/class/block/{name}").Any(p => root.Exists($"/sys/class/block/{name}/{p}/partition")))
            throw new KdumpException($"kdump prepare: {device} has partitions: name one of them.");
        RawArea? area = RawArea.TryRead(node, out long size);
        return size < RawArea.SmallestDevice
            ? throw new KdumpException($"kdump prepare: {device} cannot be read, or is smaller than {RawArea.SmallestDevice >> 20} MiB.")
            : new(name, size, DeviceFinder.Probe(root, name)?.Type ?? "", area);
    }

    /// <summary>Makes it ours: nobody shall take it for what it was.</summary>
    /// <returns>Its UUID.</returns>
    /// <exception cref="KdumpException">It cannot be written.</exception>
    internal string Prepare()
    {
        string node = $"/dev/{Name}", uuid = Guid.NewGuid().ToString();
        try
        {
            using (FileStream stream = new(node, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0))
                stream.Write(new byte[FileSystemProbe.HeadSize]);
            new RawArea(uuid, "empty").Write(node, []);
            return uuid;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KdumpException($"Cannot write to {node}: {e.Message}", e);
        }
    }

    private static bool IsNamedIn(SystemRoot root, string list, string node, string device) =>
        (root.TryReadText(list, 1 << 22) ?? "").Split('\n').Any(l => l.Split(' ').Any(w => w == node || w == device));
}
