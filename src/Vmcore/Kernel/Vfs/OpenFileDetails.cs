using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Vfs;

/// <summary>What is behind a descriptor.</summary>
public enum OpenFileKind
{
    /// <summary>Not known: the inode cannot be read, or says nothing that is known.</summary>
    Unknown,

    /// <summary>A regular file.</summary>
    File,

    /// <summary>A directory.</summary>
    Directory,

    /// <summary>A character device.</summary>
    CharacterDevice,

    /// <summary>A block device.</summary>
    BlockDevice,

    /// <summary>A pipe, with or without a name.</summary>
    Pipe,

    /// <summary>A socket.</summary>
    Socket,

    /// <summary>What the kernel gives a descriptor without a file: eventfd, epoll, timerfd …</summary>
    Anonymous,
}

/// <summary>An open file in more detail: how it was opened, where it is, and what it is.</summary>
/// <remarks>Sources: include/linux/fs.h (struct file), include/net/sock.h, include/net/af_unix.h.</remarks>
public sealed record OpenFileDetails
{
    private const int Inet = 2, Inet6 = 10, Unix = 1;

    /// <summary>What it is.</summary>
    public OpenFileKind Kind { get; private init; }

    /// <summary>Its name as /proc/PID/fd has it: a path, <c>pipe:[17]</c>, <c>socket:[4711]</c>, <c>anon_inode:[eventfd]</c>.
    /// Null if it is not known.</summary>
    public string? Name { get; private init; }

    /// <summary>O_* flags; null if they cannot be read.</summary>
    public uint? Flags { get; private init; }

    /// <summary>Position in bytes; null if it cannot be read.</summary>
    public long? Position { get; private init; }

    /// <summary>Of a socket family, kind and addresses, as far as the kernel's types describe them: <c>inet stream 127.0.0.1:22 - 0.0.0.0:0</c>. Null of
    /// others, and where they cannot be read.</summary>
    public string? Socket { get; private init; }

    /// <summary>How it was opened: <c>r</c>, <c>w</c>, <c>rw</c>; empty if only as a place (O_PATH), null if it is not known.</summary>
    public string? Access => Flags is not { } flags ? null : (flags & 0x200000) != 0 ? "" : (flags & 3) switch { 0 => "r", 1 => "w", 2 => "rw", _ => "" };

    /// <summary>Reads what is known of an open file.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="file">The file.</param>
    /// <exception cref="MissingInformationException">The kernel's types are not there.</exception>
    public static OpenFileDetails Read(KernelView kernel, OpenFile file)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        ArgumentNullException.ThrowIfNull(file);
        KernelTypes types = kernel.RequireTypes();
        KernelObject? item = types.Find("struct file") is { } type ? KernelObject.At(kernel.RequireMemory(), type, file.Address) : null;
        OpenFileKind kind = KindOf(file.Inode);
        string? path = file.Path.Text;
        string? name = kind switch
        {
            OpenFileKind.Pipe when file.Inode?.SuperBlock is { Type: "pipefs" }
                => string.Create(CultureInfo.InvariantCulture, $"pipe:[{file.Inode.Number}]"),
            OpenFileKind.Socket when file.Inode?.SuperBlock is { Type: "sockfs" }
                => string.Create(CultureInfo.InvariantCulture, $"socket:[{file.Inode.Number}]"),
            OpenFileKind.Anonymous => path is null ? null : "anon_inode:" + path.TrimStart('/'),
            _ => path is not null && file.Path.IsDeleted ? path + " (deleted)" : path,
        };
        return new()
        {
            Kind = kind,
            Name = name,
            Flags = (uint?)Number(item, "f_flags"),
            Position = (long?)Number(item, "f_pos"),
            Socket = kind == OpenFileKind.Socket && file.Inode is { } inode ? SocketOf(kernel, types, inode.Address) : null,
        };
    }

    private static OpenFileKind KindOf(KernelInode? inode) => inode switch
    {
        null => OpenFileKind.Unknown,
        { SuperBlock.Type: "anon_inodefs" } => OpenFileKind.Anonymous,

        // S_IFMT, as stat(2) has it.
        _ => (inode.Mode >> 8 & 0xf0) switch
        {
            0x10 => OpenFileKind.Pipe,
            0x20 => OpenFileKind.CharacterDevice,
            0x40 => OpenFileKind.Directory,
            0x60 => OpenFileKind.BlockDevice,
            0x80 => OpenFileKind.File,
            0xc0 => OpenFileKind.Socket,
            _ => OpenFileKind.Unknown,
        },
    };

    private static ulong? Number(KernelObject? item, string member)
    {
        try
        {
            return item?[member].AsUInt64();
        }
        catch (KernelObjectException)
        {
            return null;
        }
    }

    private static string? SocketOf(KernelView kernel, KernelTypes types, ulong inode)
    {
        try
        {
            if (types.Find("struct socket_alloc") is not { } type)
                return null;
            KernelObject socket = KernelObject.At(kernel.RequireMemory(), type, inode - (ulong)type.OffsetOf("vfs_inode"))["socket"];
            string kind = socket["type"].AsUInt64() switch
            {
                1 => "stream",
                2 => "datagram",
                3 => "raw",
                5 => "seqpacket",
                10 => "packet",
                var n => $"type {n}",
            };
            if (socket["sk"].AsUInt64() == 0)
                return kind + ", closed";
            KernelObject common = socket["sk"]["__sk_common"];
            int family = (int)common["skc_family"].AsUInt64();
            if (family is Inet or Inet6)
            {
                string here = Place(common, family, "skc_rcv_saddr", "skc_num"), there = Place(common, family, "skc_daddr", "skc_dport");
                return $"{(family == Inet ? "inet" : "inet6")} {kind} {here} - {there}";
            }

            return family == Unix ? $"unix {kind}{UnixName(types, socket)}" : $"family {family} {kind}";
        }
        catch (KernelObjectException)
        {
            return null;
        }
    }

    // Addresses, and the port of the other end, are in the network's order; one's own port is not.
    private static string Place(KernelObject common, int family, string address, string port)
    {
        byte[] bytes = common[family == Inet ? address : address.Replace("skc_", "skc_v6_", StringComparison.Ordinal)].ReadBytes();
        ulong number = common[port].AsUInt64();
        if (port == "skc_dport")
            number = BinaryPrimitives.ReverseEndianness((ushort)number);
        return family == Inet ? string.Create(CultureInfo.InvariantCulture, $"{bytes[0]}.{bytes[1]}.{bytes[2]}.{bytes[3]}:{number}")
            : string.Create(CultureInfo.InvariantCulture, $"[{Address6(bytes)}]:{number}");
    }

    // RFC 5952: the longest run of zeroes is left out, the first of several.
    private static string Address6(ReadOnlySpan<byte> bytes)
    {
        const int Words = 8;
        int from = Words, length = 1;
        for (int start = 0; start < Words; start++)
        {
            int end = start;
            while (end < Words && BinaryPrimitives.ReadUInt16BigEndian(bytes[(2 * end)..]) == 0)
                end++;
            if (end - start > length)
                (from, length) = (start, end - start);
        }

        var text = new StringBuilder();
        for (int i = 0; i < Words; i++)
        {
            if (i == from)
            {
                text.Append("::");
                i += length - 1;
                continue;
            }

            if (text.Length > 0 && text[^1] != ':')
                text.Append(':');
            text.Append(CultureInfo.InvariantCulture, $"{BinaryPrimitives.ReadUInt16BigEndian(bytes[(2 * i)..]):x}");
        }

        return text.ToString();
    }

    private static string UnixName(KernelTypes types, KernelObject socket)
    {
        // The name is that of a module, or of the kernel, by how it was built.
        if (types.Find("struct unix_sock *") is not { } type || socket["sk"].As(type)["addr"] is not { } address || address.AsUInt64() == 0)
            return "";
        int length = (int)Math.Clamp(address["len"].AsInt64(), 0, 110) - 2;
        if (length <= 0)
            return "";
        KernelObject name = address["name"];
        byte[] bytes = new byte[length];
        if (socket.Memory.Read((name.Address ?? 0) + 2, bytes) != MemoryStatus.Ok)
            return "";

        // A name that begins with NUL is in no file system.
        bool isAbstract = bytes[0] == 0;
        ReadOnlySpan<byte> text = isAbstract ? bytes.AsSpan(1) : bytes;
        int end = isAbstract ? -1 : text.IndexOf((byte)0);
        var shown = new StringBuilder(isAbstract ? " @" : " ");
        foreach (byte b in end < 0 ? text : text[..end])
            shown.Append(b is > 0x20 and < 0x7f ? (char)b : '?');
        return shown.ToString();
    }
}
