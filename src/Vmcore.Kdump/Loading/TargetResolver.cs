using Vmcore.Kdump.Configuration;
using Vmcore.Kdump.Devices;
using Vmcore.Kdump.Initramfs;
using Vmcore.Kexec;

namespace Vmcore.Kdump.Loading;

/// <summary>A target, and what it lies on now.</summary>
internal sealed class ResolvedTarget(CaptureTarget capture, string device, string folder)
{
    /// <summary>As the capture kernel takes it.</summary>
    public CaptureTarget Capture => capture;

    /// <summary>The name of the block device, for example <c>vda1</c>; empty for the console.</summary>
    public string Device => device;

    /// <summary>Where the folder is now, to ask how much room there is; empty if it is not mounted.</summary>
    public string Folder => folder;
}

/// <summary>
/// Finds out what a target lies on, and gives it a name that holds in the capture kernel too, where devices may be found in another order: the UUID of
/// its file system.
/// </summary>
internal sealed class TargetResolver(SystemRoot root)
{
    private const int LinkLimit = 40;

    /// <summary>Resolves a target.</summary>
    /// <exception cref="KdumpException">It is not there, or a capture kernel of ours cannot reach it.</exception>
    internal ResolvedTarget Resolve(KdumpTarget target) => target.Kind switch
    {
        TargetKind.Console => new(new(TargetKind.Console, "", "", "", "", target.ToString()), "", ""),
        TargetKind.Raw => Raw(target),
        TargetKind.FileSystem => OnDevice(target),
        _ => InFolder(target),
    };

    private ResolvedTarget Raw(KdumpTarget target)
    {
        string name = DeviceFinder.ByRawArea(root, target.Device) ?? throw Missing(target);
        CheckDevice(target, name);
        RawArea area = RawArea.TryRead(root.Map($"/dev/{name}"), out _)
            ?? throw new KdumpException($"Target {target}: /dev/{name} is not prepared, and a capture kernel writes to no partition that is not: "
                + $"run 'vmcore kdump prepare /dev/{name}', which lets dumps overwrite all that is on it.");
        return new(new(TargetKind.Raw, "", $"UUID={area.Uuid}", "", "", target.ToString()), name, "");
    }

    private ResolvedTarget OnDevice(KdumpTarget target)
    {
        string name = DeviceFinder.ByFileSystem(root, target.Device) ?? throw Missing(target);
        CheckDevice(target, name);
        FileSystemProbe probe = DeviceFinder.Probe(root, name) ?? throw new KdumpException($"Target {target}: /dev/{name} has no file system that is known: "
            + $"make one of {Kinds}, or use it as 'raw'.");
        return new(new(TargetKind.FileSystem, Checked(target, probe.Type), Stable(probe, target.Device), "", target.Folder, target.ToString()), name, "");
    }

    private ResolvedTarget InFolder(KdumpTarget target)
    {
        string path = RealPath(target.Folder);
        MountPoint mount = FindMount(path)
            ?? throw new KdumpException($"Target {target}: {root.Map("/proc/self/mountinfo")} does not tell what it lies on: mount /proc.");
        string type = Checked(target, mount.Type is "ext2" or "ext3" ? "ext4" : mount.Type);
        string name = root.LinkName($"/sys/dev/block/{mount.Number}")
            ?? (mount.Source.StartsWith("/dev/", StringComparison.Ordinal) ? root.LinkName(mount.Source) ?? Path.GetFileName(mount.Source) : "");
        if (name.Length == 0)
            throw new KdumpException($"Target {target}: {mount.Source} is no block device: name a folder on a local disk.");
        CheckDevice(target, name);
        string uuid = DeviceFinder.Probe(root, name) is { } probe && probe.Type == type ? Stable(probe, "") : "";
        if (uuid.Length == 0)
            uuid = FromUdev(mount.Number)
                ?? throw new KdumpException($"Target {target}: the file system on /dev/{name} cannot be told from others: run as root.");
        // What is mounted may be a part of a file system: a subvolume, or a folder of it.
        string inside = $"{mount.Top.TrimEnd('/')}/{path[(mount.Place == "/" ? 0 : mount.Place.Length)..].TrimStart('/')}";
        inside = inside.TrimEnd('/') is { Length: > 0 } trimmed ? trimmed : "/";
        // Subvolume 5 is the top of a btrfs, whatever its default is.
        return new(new(TargetKind.FileSystem, type, uuid, type == "btrfs" ? "subvolid=5" : "", inside, target.ToString()), name, path);
    }

    private static string Kinds => string.Join(", ", FileSystemProbe.Supported);

    private static string Checked(KdumpTarget target, string type) => FileSystemProbe.Supported.Contains(type) ? type
        : throw new KdumpException($"Target {target}: it is on {type}, and dumps are saved on {Kinds}: name a folder or a partition with one of these.");

    // What is made of other devices is not there in a capture kernel without the programs that make it.
    private static void CheckDevice(KdumpTarget target, string name)
    {
        string? what = name.StartsWith("dm-", StringComparison.Ordinal) ? "the device mapper (LVM, LUKS, multipath)"
            : name.StartsWith("md", StringComparison.Ordinal) ? "a software RAID"
            : name.StartsWith("loop", StringComparison.Ordinal) ? "a loop device"
            : name.StartsWith("nbd", StringComparison.Ordinal) || name.StartsWith("rbd", StringComparison.Ordinal) ? "a disk on a network"
            : name.StartsWith("zram", StringComparison.Ordinal) || name.StartsWith("ram", StringComparison.Ordinal) ? "memory"
            : null;
        if (what is not null)
        {
            throw new KdumpException($"Target {target}: {name} is {what}, which this version does not set up in the capture kernel: "
                + "name a partition of a disk, or use the kdump service of the distribution.");
        }
    }

    private static KdumpException Missing(KdumpTarget target) =>
        new($"Target {target}: there is no such device: 'lsblk -f' shows names, UUIDs and labels.");

    private static string Stable(FileSystemProbe probe, string named) =>
        probe.Uuid.Length > 0 ? $"UUID={probe.Uuid}" : probe.Label.Length > 0 ? $"LABEL={probe.Label}" : named;

    // udev keeps what blkid found in /run/udev/data/bMAJOR:MINOR.
    private string? FromUdev(string number)
    {
        foreach (string line in (root.TryReadText($"/run/udev/data/b{number}") ?? "").Split('\n'))
        {
            if (line.StartsWith("E:ID_FS_UUID=", StringComparison.Ordinal))
                return "UUID=" + line["E:ID_FS_UUID=".Length..];
        }

        return null;
    }

    /// <summary>The path without symbolic links; what is not there yet stays as it is named.</summary>
    private string RealPath(string path)
    {
        // The last is the next.
        List<string> parts = [.. path.Split('/', StringSplitOptions.RemoveEmptyEntries).Reverse()];
        string real = "";
        for (int links = 0; parts.Count > 0;)
        {
            string part = parts[^1];
            parts.RemoveAt(parts.Count - 1);
            if (part == ".")
                continue;
            if (part == "..")
            {
                real = real[..Math.Max(0, real.LastIndexOf('/'))];
                continue;
            }

            if (root.LinkTarget($"{real}/{part}") is not { } link)
            {
                real = $"{real}/{part}";
                continue;
            }

            if (++links > LinkLimit)
                throw new KdumpException($"Target {path}: too many symbolic links on the way: name the folder itself.");
            if (link.StartsWith('/'))
                real = "";
            parts.AddRange(link.Split('/', StringSplitOptions.RemoveEmptyEntries).Reverse());
        }

        return real.Length == 0 ? "/" : real;
    }

    private MountPoint? FindMount(string path)
    {
        MountPoint? best = null;
        foreach (string line in (root.TryReadText("/proc/self/mountinfo", 1 << 22) ?? "").Split('\n'))
        {
            // proc(5): ID, parent, MAJOR:MINOR, top, place, options, optional fields, -, type, source.
            string[] f = line.Split(' ');
            int dash = Array.IndexOf(f, "-", Math.Min(6, f.Length));
            if (dash < 0 || dash + 2 >= f.Length)
                continue;
            string place = Unescaped(f[4]);
            bool covers = place == "/" || path == place || path.StartsWith($"{place}/", StringComparison.Ordinal);
            // Of several mounts at one place the last is on top.
            if (covers && place.Length >= (best?.Place.Length ?? 0))
                best = new(f[2], Unescaped(f[3]), place, f[dash + 1], Unescaped(f[dash + 2]));
        }

        return best;
    }

    // Blanks, tabulators, newlines and backslashes are octal there.
    private static string Unescaped(string text)
    {
        for (int at = text.IndexOf('\\'); at >= 0 && at + 3 < text.Length; at = text.IndexOf('\\', at + 1))
        {
            string digits = text.Substring(at + 1, 3);
            if (digits.AsSpan().IndexOfAnyExceptInRange('0', '7') < 0)
                text = $"{text[..at]}{(char)Convert.ToInt32(digits, 8)}{text[(at + 4)..]}";
        }

        return text;
    }

    private sealed class MountPoint(string number, string top, string place, string type, string source)
    {
        /// <summary>Its number.</summary>
        public string Number => number;

        /// <summary>Its top.</summary>
        public string Top => top;

        /// <summary>Its place.</summary>
        public string Place => place;

        /// <summary>Its type.</summary>
        public string Type => type;

        /// <summary>Its source.</summary>
        public string Source => source;
    }
}
