using System.Globalization;
using System.Text;

namespace Vmcore.Kdump.Capture;

/// <summary>The folders of our dumps in a target's folder: their names, and which of them go when there are too many.</summary>
internal static class DumpFolders
{
    /// <summary>The dump while it is written.</summary>
    internal const string Incomplete = "vmcore-incomplete";

    /// <summary>The dump when all of it is on its device.</summary>
    internal const string Whole = "vmcore";

    /// <summary>The log.</summary>
    internal const string Log = "vmcore-dmesg.txt";

    /// <summary>The report.</summary>
    internal const string Report = "report.txt";

    private const string Prefix = "vmcore-";
    private static readonly string[] s_files = [Incomplete, Whole, Log, Report, CaptureJournal.FileName];

    /// <summary>Makes a folder for a dump.</summary>
    /// <param name="parent">Where; made too, with the folders around it, if it is not there.</param>
    /// <param name="top">The top of the file system: what is above it is not looked at.</param>
    /// <param name="now">The time, for the name.</param>
    /// <exception cref="KdumpException">A folder on the way is a symbolic link or a file.</exception>
    internal static string Create(string top, string parent, DateTime now)
    {
        const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        string at = top;
        foreach (string part in parent.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            at = $"{at}/{part}";
            var info = new DirectoryInfo(at);
            if (info.LinkTarget is not null)
                throw new KdumpException($"{at[top.Length..]} is a symbolic link on the target, which might lead anywhere: name the folder that it leads to");
            if (File.Exists(at))
                throw new KdumpException($"{at[top.Length..]} is a file on the target: name a folder");
            if (!info.Exists)
                Directory.CreateDirectory(at, Private);
        }

        string name = Prefix + now.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
        // A clock that was reset gives a name that is there already.
        for (int i = 0; i < 1000; i++)
        {
            string folder = $"{at}/{name}{(i == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"-{i}"))}";
            if (Path.Exists(folder) || new DirectoryInfo(folder).LinkTarget is not null)
                continue;
            Directory.CreateDirectory(folder, Private);
            return folder;
        }

        throw new KdumpException($"there are 1000 dumps of {name} already");
    }

    /// <summary>Deletes old dumps: folders with a name that we give and our mark in them, of which only the files that we write are deleted.</summary>
    /// <param name="parent">The target's folder.</param>
    /// <param name="newest">The folder that was just made, which stays.</param>
    /// <param name="keep">How many stay, that one included; 0: all.</param>
    /// <param name="maxSize">How much they may take together, in bytes; 0: no limit.</param>
    /// <returns>The names of those that are gone.</returns>
    internal static IReadOnlyList<string> Prune(string parent, string newest, int keep, long maxSize)
    {
        List<string> gone = [];
        if (keep == 0 && maxSize == 0)
            return gone;
        string[] older = [.. Directory.EnumerateDirectories(parent).Where(f => Path.GetFileName(f) != Path.GetFileName(newest) && IsOurs(f))
            .OrderByDescending(static f => Path.GetFileName(f), StringComparer.Ordinal)];
        int count = 1;
        long size = SizeOf(newest);
        foreach (string folder in older)
        {
            size += SizeOf(folder);
            count++;
            if ((keep == 0 || count <= keep) && (maxSize == 0 || size <= maxSize))
                continue;
            Delete(folder);
            gone.Add(Path.GetFileName(folder));
        }

        return gone;
    }

    private static bool IsOurs(string folder)
    {
        string name = Path.GetFileName(folder);
        if (!IsName(name) || new DirectoryInfo(folder).LinkTarget is not null)
            return false;
        var mark = new FileInfo(Path.Combine(folder, CaptureJournal.FileName));
        if (!mark.Exists || mark.LinkTarget is not null)
            return false;
        byte[] head = new byte[CaptureJournal.Mark.Length];
        using FileStream stream = mark.OpenRead();
        return stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false) == head.Length
            && Encoding.ASCII.GetString(head) == CaptureJournal.Mark;
    }

    // vmcore-20261129T180000Z, and a number behind it where there were several.
    private static bool IsName(string name)
    {
        const string Form = "########T######Z";
        if (!name.StartsWith(Prefix, StringComparison.Ordinal) || name.Length < Prefix.Length + Form.Length)
            return false;
        for (int i = 0; i < Form.Length; i++)
        {
            char c = name[Prefix.Length + i];
            if (Form[i] == '#' ? !char.IsAsciiDigit(c) : c != Form[i])
                return false;
        }

        string rest = name[(Prefix.Length + Form.Length)..];
        return rest.Length == 0 || (rest.Length is > 1 and < 5 && rest[0] == '-' && rest.AsSpan(1).IndexOfAnyExceptInRange('0', '9') < 0);
    }

    private static long SizeOf(string folder)
    {
        long size = 0;
        foreach (string name in s_files)
        {
            var file = new FileInfo(Path.Combine(folder, name));
            size += file.Exists && file.LinkTarget is null ? file.Length : 0;
        }

        return size;
    }

    // A folder with anything else in it stays, without our files. The mark goes last, so that what was begun is finished the next time.
    private static void Delete(string folder)
    {
        foreach (string name in s_files)
            File.Delete(Path.Combine(folder, name));
        if (!Directory.EnumerateFileSystemEntries(folder).Any())
            Directory.Delete(folder, recursive: false);
    }
}
