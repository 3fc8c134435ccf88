using System.Runtime.InteropServices;
using System.Text;
using Vmcore.IO;
using Vmcore.Kexec;

namespace Vmcore.Kdump.Initramfs;

/// <summary>The initramfs that was made last, and a digest of all that it was made of: it is made anew when that changes.</summary>
internal sealed partial class InitramfsCache
{
    private readonly SystemRoot _root;
    private readonly string _folder;
    private readonly string _name;

    /// <summary>Takes the place for a kernel's.</summary>
    /// <param name="root">The system.</param>
    /// <param name="release">The kernel's release.</param>
    internal InitramfsCache(SystemRoot root, string release)
    {
        _root = root;
        // A system whose /var cannot be written to, or that has none, makes it anew after each boot.
        _folder = IsWritable(root.Map("/var/lib")) ? "/var/lib/vmcore" : "/run/vmcore";
        _name = $"kdump-{Path.GetFileName(release)}";
    }

    /// <summary>The file, as the system that runs us names it.</summary>
    internal string File => _root.Map($"{_folder}/{_name}.img");

    private string KeyFile => _root.Map($"{_folder}/{_name}.key");

    /// <summary>True if the file is there and was made of what the digest says.</summary>
    internal bool IsCurrent(string key) =>
        System.IO.File.Exists(File) && _root.TryReadText($"{_folder}/{_name}.key", 256) == $"{key} {new FileInfo(File).Length}";

    /// <summary>Writes a new one. Whoever looks sees the old or the new one, never half of it.</summary>
    /// <exception cref="KdumpException">It cannot be written.</exception>
    internal void Store(string key, byte[] image)
    {
        try
        {
            Directory.CreateDirectory(_root.Map(_folder), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            System.IO.File.Delete(KeyFile);
            Save(File, image);
            Save(KeyFile, Encoding.ASCII.GetBytes($"{key} {image.Length}\n"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FileAccessException)
        {
            throw new KdumpException($"Cannot write the initramfs {File}: {e.Message}", e);
        }
    }

    /// <summary>Removes what was made for every kernel.</summary>
    internal void Clear()
    {
        foreach (string name in _root.List(_folder).Where(static n => n.StartsWith("kdump-", StringComparison.Ordinal)))
            System.IO.File.Delete(_root.Map($"{_folder}/{name}"));
    }

    private static void Save(string path, byte[] content)
    {
        string temporary = path + ".new";
        System.IO.File.Delete(temporary);
        using (FileSink sink = FileSink.Create(temporary, overwrite: false))
        {
            sink.Write(0, content);
            sink.Complete(content.Length);
        }

        System.IO.File.Move(temporary, path, overwrite: true);
    }

    // access(2) changes nothing, and knows of a file system that is mounted read-only.
    private static bool IsWritable(string folder) => Access(folder, 2) == 0;

    [LibraryImport("libc", EntryPoint = "access", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Access(string path, int mode);
}
