using System.Buffers.Binary;
using System.IO.Compression;
using Vmcore.Compression;
using Vmcore.IO;
using Vmcore.Kexec;

namespace Vmcore.Kdump.Initramfs;

/// <summary>A kernel module as it goes into the initramfs.</summary>
internal sealed class ModuleFile(string name, ReadOnlyMemory<byte> content)
{
    /// <summary>Name of its file there: <c>ext4.ko</c>, or <c>ext4.ko.xz</c> if the kernel unpacks it itself.</summary>
    public string Name => name;

    /// <summary>Its content.</summary>
    public ReadOnlyMemory<byte> Content => content;

    /// <summary>Longest module, unpacked, in bytes.</summary>
    internal const int Limit = 256 << 20;

    /// <summary>Reads a module.</summary>
    /// <param name="root">The system.</param>
    /// <param name="path">Its file.</param>
    /// <exception cref="KdumpException">It cannot be read, or nobody unpacks it.</exception>
    internal static ModuleFile Read(SystemRoot root, string path)
    {
        byte[] content = root.TryReadBytes(path, Limit) ?? throw new KdumpException($"Cannot read the kernel module {root.Map(path)}.");
        string file = Path.GetFileName(path), plain = file.EndsWith(".ko", StringComparison.Ordinal) ? file : Path.GetFileNameWithoutExtension(file);
        string format = file[plain.Length..];
        return format switch
        {
            "" => new(file, content),
            // CONFIG_MODULE_DECOMPRESS: the kernel says what it unpacks. What is packed in the initramfs is small in memory too.
            _ when root.TryReadText("/sys/module/compression", 64) == KernelsNameOf(format) => new(file, content),
            ".gz" => new(plain, Gunzip(content, path)),
            ".zst" => new(plain, Unzstd(content, path)),
            _ => throw new KdumpException($"The kernel module {path} is compressed ({format}), which the running kernel does not unpack and vmcore neither: "
                + $"unpack it beside itself, run depmod, and load again, or use a kernel with CONFIG_MODULE_DECOMPRESS."),
        };
    }

    private static string KernelsNameOf(string format) => format switch
    {
        ".gz" => "gzip",
        ".zst" => "zstd",
        _ => format[1..],
    };

    private static byte[] Gunzip(byte[] content, string path)
    {
        var output = new MemoryStream();
        try
        {
            using var gzip = new GZipStream(new ForwardStream(content), CompressionMode.Decompress);
            byte[] buffer = new byte[1 << 16];
            for (int count; (count = gzip.Read(buffer, 0, buffer.Length)) > 0 && output.Length <= Limit;)
                output.Write(buffer, 0, count);
        }
        catch (InvalidDataException e)
        {
            throw Damaged(path, e);
        }

        // The runtime takes the end of what is cut for the end of the data. Its length stands in the last four bytes (RFC 1952, section 2.3.1).
        bool isWhole = output.Length <= Limit && content.Length >= 18
            && BinaryPrimitives.ReadUInt32LittleEndian(content.AsSpan(content.Length - 4)) == output.Length;
        return isWhole ? output.ToArray() : throw Damaged(path, null);
    }

    // Frame_Content_Size of RFC 8878, section 3.1.1.1: zstd(1) writes it for files.
    private static byte[] Unzstd(byte[] content, string path)
    {
        if (content.Length < 18)
            throw Damaged(path, null);
        int descriptor = content[4];
        bool isSingle = (descriptor & 0x20) != 0;
        ReadOnlySpan<byte> field = content.AsSpan(5 + (isSingle ? 0 : 1) + ((descriptor & 3) switch { 0 => 0, 1 => 1, 2 => 2, _ => 4 }));
        ulong size = (descriptor >> 6) switch
        {
            0 => isSingle ? field[0] : 0u,
            1 => BinaryPrimitives.ReadUInt16LittleEndian(field) + 256u,
            2 => BinaryPrimitives.ReadUInt32LittleEndian(field),
            _ => BinaryPrimitives.ReadUInt64LittleEndian(field),
        };
        if (size is 0 or > Limit)
            throw Damaged(path, null);
        byte[] output = new byte[size];
        using var zstd = new ZstdPageDecompressor();
        return zstd.TryDecompress(content, output) ? output : throw Damaged(path, null);
    }

    private static KdumpException Damaged(string path, Exception? inner) =>
        new($"The kernel module {path} is damaged: its compressed data cannot be unpacked. Install the kernel's package again.", inner);
}
