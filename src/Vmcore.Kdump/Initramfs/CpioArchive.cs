using System.Globalization;
using System.Text;

namespace Vmcore.Kdump.Initramfs;

/// <summary>
/// A cpio archive in the format newc, which the kernel unpacks (Documentation/driver-api/early-userspace/buffer-format.rst). The same content gives the
/// same bytes: names sorted, no times, no owners.
/// </summary>
internal sealed class CpioArchive
{
    private const uint Directory = 0x4000, Regular = 0x8000, Character = 0x2000;
    private const int Alignment = 4;
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);

    /// <summary>Adds a folder, and those around it.</summary>
    /// <param name="path">Absolute path.</param>
    /// <param name="mode">Permissions.</param>
    internal void AddFolder(string path, uint mode = 0x1c0)
    {
        string name = path.Trim('/');
        if (name.Length == 0 || _entries.ContainsKey(name))
            return;
        AddFolder(Parent(name));
        _entries[name] = new(name, Directory | mode, default, 0, 0);
    }

    /// <summary>Adds a file, and the folders around it.</summary>
    /// <param name="path">Absolute path.</param>
    /// <param name="content">Its content.</param>
    /// <param name="mode">Permissions.</param>
    internal void AddFile(string path, ReadOnlyMemory<byte> content, uint mode)
    {
        AddFolder(Parent(path.Trim('/')));
        _entries[path.Trim('/')] = new(path.Trim('/'), Regular | mode, content, 0, 0);
    }

    /// <summary>Adds the node of a character device, and the folders around it.</summary>
    /// <param name="path">Absolute path.</param>
    /// <param name="mode">Permissions.</param>
    /// <param name="major">Major number.</param>
    /// <param name="minor">Minor number.</param>
    internal void AddDevice(string path, uint mode, uint major, uint minor)
    {
        AddFolder(Parent(path.Trim('/')));
        _entries[path.Trim('/')] = new(path.Trim('/'), Character | mode, default, major, minor);
    }

    /// <summary>The archive's bytes.</summary>
    internal byte[] ToBytes()
    {
        long length = 1 << 10;
        Entry[] entries = [.. _entries.Values];
        // A folder comes before what is in it: its name is the beginning of theirs.
        Array.Sort(entries, static (a, b) => string.CompareOrdinal(a.Name, b.Name));
        foreach (Entry entry in entries)
            length += 128 + (2 * entry.Name.Length) + entry.Content.Length;
        var bytes = new MemoryStream((int)length);
        uint inode = 1;
        foreach (Entry entry in entries)
            Write(bytes, entry, inode++);
        Write(bytes, new("TRAILER!!!", 0, default, 0, 0), 0);
        return bytes.ToArray();
    }

    private static void Write(MemoryStream bytes, Entry entry, uint inode)
    {
        byte[] path = [.. Encoding.UTF8.GetBytes(entry.Name), 0];
        // Magic; inode, mode, uid, gid, links, time, size, device (2), device of a node (2), length of the name, check sum.
        bytes.Write("070701"u8);
        foreach (uint field in (ReadOnlySpan<uint>)[
            inode, entry.Mode, 0, 0, (entry.Mode & Directory) != 0 ? 2u : 1, 0, (uint)entry.Content.Length,
            0, 0, entry.Major, entry.Minor, (uint)path.Length, 0])
            bytes.Write(Encoding.ASCII.GetBytes(field.ToString("x8", CultureInfo.InvariantCulture)));
        bytes.Write(path);
        Pad(bytes);
        bytes.Write(entry.Content.Span);
        Pad(bytes);
    }

    private static void Pad(MemoryStream bytes)
    {
        while (bytes.Length % Alignment != 0)
            bytes.WriteByte(0);
    }

    private static string Parent(string name) => name[..Math.Max(0, name.LastIndexOf('/'))];

    private sealed class Entry(string name, uint mode, ReadOnlyMemory<byte> content, uint major, uint minor)
    {
        public string Name => name;

        public uint Mode => mode;

        public ReadOnlyMemory<byte> Content => content;

        public uint Major => major;

        public uint Minor => minor;
    }
}
