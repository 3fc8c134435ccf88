namespace Vmcore.Kdump.Configuration;

/// <summary>What kind of place a dump goes to.</summary>
internal enum TargetKind
{
    /// <summary>A folder of a file system that is mounted now: <c>/var/crash</c>.</summary>
    Folder,

    /// <summary>A folder of a file system that need not be mounted now: <c>UUID=… /crash</c>.</summary>
    FileSystem,

    /// <summary>A partition without a file system, which <c>vmcore kdump prepare</c> made ours: <c>raw /dev/vdb1</c>.</summary>
    Raw,

    /// <summary>No dump: the log as text on the console.</summary>
    Console,
}

/// <summary>Where a dump goes, as the configuration says it.</summary>
internal sealed class KdumpTarget(TargetKind kind, string device, string folder)
{
    /// <summary>What kind of place it is.</summary>
    public TargetKind Kind => kind;

    /// <summary><c>/dev/NAME</c>, <c>UUID=…</c> or <c>LABEL=…</c>; empty for a folder and the console.</summary>
    public string Device => device;

    /// <summary>Absolute path of the folder: of the running system, or on the device's file system; empty for raw and console.</summary>
    public string Folder => folder;

    /// <summary>What a target may be, for messages.</summary>
    internal const string Expected =
        "/FOLDER, DEVICE [/FOLDER], raw DEVICE or console, where DEVICE is /dev/NAME, UUID=… or LABEL=…";

    private static readonly string[] s_remote = ["nfs", "ssh", "sftp", "scp", "ftp", "http", "https", "s3", "cifs", "virtiofs"];

    /// <inheritdoc/>
    public override string ToString() => Kind switch
    {
        TargetKind.Console => "console",
        TargetKind.Raw => $"raw {Device}",
        TargetKind.FileSystem => $"{Device} {Folder}",
        _ => Folder,
    };

    /// <summary>Reads a target.</summary>
    /// <param name="text">The text.</param>
    /// <param name="advice">Receives what to do instead, where the kind of target is known and not there; else what is expected.</param>
    /// <returns>Null if it is none.</returns>
    internal static KdumpTarget? Parse(string text, out string advice)
    {
        advice = Expected;
        string[] words = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        if (words.Length is 0 or > 2)
            return null;
        if (IsRemote(words[0]))
        {
            advice = "a target on this machine: dumps over a network are not made by this version; "
                + "name a local one, and send what is there after the reboot";
            return null;
        }

        if (words is ["console"])
            return new(TargetKind.Console, "", "");
        if (words[0] == "raw")
            return words.Length == 2 && IsDevice(words[1]) ? new(TargetKind.Raw, words[1], "") : null;
        if (IsDevice(words[0]))
        {
            string folder = words.Length == 2 ? words[1] : "/";
            return IsFolder(folder) ? new(TargetKind.FileSystem, words[0], Trimmed(folder)) : null;
        }

        return words.Length == 1 && IsFolder(words[0]) ? new(TargetKind.Folder, "", Trimmed(words[0])) : null;
    }

    private static bool IsRemote(string word)
    {
        int colon = word.IndexOf(':', StringComparison.Ordinal);
        // HOST:/PATH and USER@HOST too. Names of devices and UUIDs begin otherwise.
        return Array.IndexOf(s_remote, colon < 0 ? word : word[..colon]) >= 0 || (colon > 0 && !word.StartsWith('/') && !IsTag(word))
            || (word.Contains('@', StringComparison.Ordinal) && !word.StartsWith('/') && !IsTag(word));
    }

    private static bool IsTag(string word) =>
        (word.StartsWith("UUID=", StringComparison.Ordinal) && word.Length > 5) || (word.StartsWith("LABEL=", StringComparison.Ordinal) && word.Length > 6);

    private static bool IsDevice(string word) =>
        IsTag(word) || (word.StartsWith("/dev/", StringComparison.Ordinal) && word.Length > 5 && !IsWithDots(word));

    private static bool IsFolder(string word) => word.StartsWith('/') && !IsWithDots(word);

    private static bool IsWithDots(string path) => path.Split('/').Any(static p => p is "." or "..");

    private static string Trimmed(string folder) => folder.TrimEnd('/') is { Length: > 0 } path ? path : "/";
}
