using System.Text;

namespace Vmcore.Kexec;

/// <summary>
/// Reads /proc and /sys, of the running system or of a tree captured on another one.
/// What cannot be read is absent: sysfs answers ENXIO or EACCES where it has nothing to say.
/// </summary>
internal sealed class SystemRoot
{
    private readonly string _root;

    /// <summary>Takes the folder that stands for <c>/</c>.</summary>
    public SystemRoot(string root) => _root = root.TrimEnd('/');

    /// <summary>True if this is the running system.</summary>
    public bool IsLive => _root.Length == 0;

    /// <summary>The path in the tree for an absolute path of the system.</summary>
    public string Map(string path) => _root + path;

    /// <summary>True if there is such a file or folder.</summary>
    public bool Exists(string path) => Path.Exists(Map(path));

    /// <summary>Opens a file, or answers null. The caller disposes of it.</summary>
    public FileStream? TryOpen(string path)
    {
        try
        {
            return new FileStream(Map(path), FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Reads at most <paramref name="limit"/> bytes of a file; sysfs files are shorter than their size says.</summary>
    public byte[]? TryReadBytes(string path, int limit = 1 << 20)
    {
        using FileStream? stream = TryOpen(path);
        if (stream is null)
            return null;
        try
        {
            var content = new MemoryStream();
            byte[] buffer = new byte[16384];
            int count;
            while (content.Length < limit && (count = stream.Read(buffer, 0, (int)Math.Min(buffer.Length, limit - content.Length))) > 0)
                content.Write(buffer, 0, count);
            return content.ToArray();
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Reads a text file without the blanks around it.</summary>
    public string? TryReadText(string path, int limit = 1 << 20)
    {
        byte[]? bytes = TryReadBytes(path, limit);
        return bytes is null ? null : Encoding.UTF8.GetString(bytes).Trim('\0', ' ', '\n', '\r', '\t');
    }

    /// <summary>Reads a number: hexadecimal after <c>0x</c>, else decimal. Null if there is none or it does not fit.</summary>
    public ulong? TryReadNumber(string path) => Numbers.TryParse(TryReadText(path, 64));

    /// <summary>Names in a folder, sorted by their bytes; none if it cannot be read.</summary>
    public IReadOnlyList<string> List(string path)
    {
        try
        {
            string[] names = [.. Directory.EnumerateFileSystemEntries(Map(path)).Take(1 << 17).Select(static p => Path.GetFileName(p))];
            Array.Sort(names, StringComparer.Ordinal);
            return names;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>Last component of what a symbolic link points to, for example the driver of a device; null if it is none.</summary>
    public string? LinkName(string path) => LinkTarget(path) is { } target ? Path.GetFileName(target) : null;

    /// <summary>Name of the folder in which the target of a symbolic link lies, for example the disk of a partition; null if it is none.</summary>
    public string? LinkFolder(string path) => LinkTarget(path) is { } target ? Path.GetFileName(Path.GetDirectoryName(target)) : null;

    /// <summary>What a symbolic link says; null if it is none.</summary>
    public string? LinkTarget(string path)
    {
        try
        {
            return new FileInfo(Map(path)).LinkTarget?.TrimEnd('/');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
