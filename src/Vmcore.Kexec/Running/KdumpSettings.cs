namespace Vmcore.Kexec;

/// <summary>Where a kdump service's settings send the dump.</summary>
/// <param name="Target">A device, a path, or <c>UUID=</c> and the like, as the settings name it.</param>
/// <param name="File">The file of settings.</param>
/// <param name="Devices">Names of the block devices below it, the nearest first; none if they could not be found.</param>
public sealed record ServiceTarget(string Target, string File, IReadOnlyList<string> Devices);

/// <summary>Where the dump goes by the settings of the distribution's kdump service.</summary>
public static class KdumpSettings
{
    private const string DefaultFolder = "/var/crash";
    private static readonly string[] SuseWords = ["KDUMP_SAVEDIR", "KDUMP_DUMPLEVEL", "KDUMP_DUMPFORMAT", "KDUMP_IMMEDIATE_REBOOT"];
    private static readonly string[] FileSystems = ["ext2", "ext3", "ext4", "xfs", "btrfs", "minix", "raw"];

    /// <summary>The local targets; none if there are no settings,
    /// or the dump goes to another machine.</summary>
    /// <param name="sysroot">The folder that stands for <c>/</c>; null or empty for the running system.</param>
    public static IReadOnlyList<ServiceTarget> FindTargets(string? sysroot)
    {
        var root = new SystemRoot(sysroot ?? "");
        List<ServiceTarget> found = [];
        void Add(string target, string file) => found.Add(new(target, file, BlockDevices.Resolve(sysroot, target)));
        const string fedora = "/etc/kdump.conf", suse = "/etc/sysconfig/kdump", debian = "/etc/default/kdump-tools";
        if (root.TryReadText(fedora) is { } conf && Fedora(conf) is { } target)
            Add(target, fedora);
        if (root.TryReadText(suse) is { } settings && Suse(settings) is { } folder)
        {
            folder = folder.StartsWith("file://", StringComparison.OrdinalIgnoreCase) ? folder[7..] : folder;
            if (folder.StartsWith('/'))
                Add(folder, suse);
        }

        if (root.TryReadText(debian) is { } text && Value(text, "SSH") is null && Value(text, "NFS") is null && Value(text, "FTP") is null)
            Add(Value(text, "KDUMP_COREDIR") ?? DefaultFolder, debian);
        return found;
    }

    // kdump.conf(5): a word and a value; comments may follow, quotes may stand around. The last of a kind counts.
    private static string? Fedora(string text)
    {
        string? device = null, path = null;
        foreach (string raw in text.Split('\n'))
        {
            string line = raw.Split('#')[0].Trim();
            int end = line.IndexOfAny([' ', '\t']);
            if (end < 0)
                continue;
            string word = line[..end], value = line[end..].Trim().Trim('"');
            if (word is "nfs" or "ssh" or "virtiofs")
                return null;
            // A mount of its own; what it means is dracut's affair.
            if (word == "dracut_args" && value.Contains("--mount", StringComparison.Ordinal))
                return null;
            if (FileSystems.Contains(word))
                device = value;
            else if (word == "path")
                path = value;
        }

        return device ?? path ?? DefaultFolder;
    }

    // sysconfig.kdump(5). Fedora has a file of this name too, without these words. A transfer command knows its own target.
    private static string? Suse(string text)
    {
        bool isSuse = Array.Exists(SuseWords, w => Assignment(text, w) is not null);
        return !isSuse || Value(text, "KDUMP_TRANSFER") is not null ? null : Value(text, "KDUMP_SAVEDIR") ?? DefaultFolder;
    }

    // The last assignment of a shell fragment; null if there is none or it is empty.
    private static string? Value(string text, string name) => Assignment(text, name) is { Length: > 0 } value ? value : null;

    // The same, its quotes taken off; null if there is none.
    private static string? Assignment(string text, string name)
    {
        string? value = null;
        foreach (string raw in text.Split('\n'))
        {
            string line = raw.Trim();
            line = line.StartsWith("export ", StringComparison.Ordinal) ? line[7..].TrimStart() : line;
            if (!line.StartsWith($"{name}=", StringComparison.Ordinal))
                continue;
            string rest = line[(name.Length + 1)..];
            char quote = rest.Length > 0 && rest[0] is '"' or '\'' ? rest[0] : '\0';
            value = quote != '\0' ? rest[1..].Split(quote)[0] : rest.Split(' ', '\t', '#')[0];
        }

        return value;
    }
}
