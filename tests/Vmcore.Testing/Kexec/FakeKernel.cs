using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Vmcore.Testing.Kexec;

/// <summary>Kernel images that are small and run nothing, but have the headers of real ones.</summary>
public static class FakeKernel
{
    public const string Release = "6.12.0-fake";

    /// <summary>A bzImage: 2 sectors of setup and 64 KiB of "code" that names its own offsets.</summary>
    public static byte[] BzImage(uint initSize = 0x200000, uint cmdlineSize = 2047, bool relocatable = true)
    {
        byte[] image = new byte[(3 * 512) + 65536];
        image[0x1f1] = 2;
        BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(0x1fe), 0xaa55);
        image[0x200] = 0xeb;
        image[0x201] = 0x6a;
        "HdrS"u8.CopyTo(image.AsSpan(0x202));
        BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(0x206), 0x20f);
        BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(0x20e), 0x300);
        image[0x211] = 1;
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(0x230), 0x200000);
        image[0x234] = relocatable ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(0x236), 0x3f);
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(0x238), cmdlineSize);
        BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(0x258), 0x1000000);
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(0x260), initSize);
        Encoding.ASCII.GetBytes($"{Release} (build@host) #1 SMP\0").CopyTo(image, 0x500);
        for (int i = 3 * 512; i < image.Length; i += 4)
            BinaryPrimitives.WriteInt32LittleEndian(image.AsSpan(i), i);
        return image;
    }

    /// <summary>An arm64 Image of 1 MiB with a banner.</summary>
    public static byte[] Arm64Image(ulong imageSize = 0x200000, ulong textOffset = 0, ulong flags = 0xa)
    {
        byte[] image = new byte[1 << 20];
        "MZ"u8.CopyTo(image);
        BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(8), textOffset);
        BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(16), imageSize);
        BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(24), flags);
        "ARM\x64"u8.CopyTo(image.AsSpan(56));
        Encoding.ASCII.GetBytes($"Linux version %s\0Linux version {Release} (build@host) #1 SMP\0").CopyTo(image, 0x5000);
        for (int i = 0x8000; i < image.Length; i += 4)
            BinaryPrimitives.WriteInt32LittleEndian(image.AsSpan(i), i);
        return image;
    }

    /// <summary>An EFI zboot image around compressed bytes; formats that do not tell their length have it behind.</summary>
    public static byte[] Zboot(byte[] payload, string compression, int? size = null)
    {
        const int offset = 0x1000;
        byte[] file = new byte[offset + payload.Length + 512];
        "MZ"u8.CopyTo(file);
        "zimg"u8.CopyTo(file.AsSpan(4));
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(8), offset);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(12), payload.Length);
        Encoding.ASCII.GetBytes(compression).CopyTo(file, 24);
        payload.CopyTo(file, offset);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(offset + payload.Length), size ?? 0);
        return file;
    }

    public static byte[] Gzip(byte[] content)
    {
        var output = new MemoryStream();
        using (var gzip = new GZipStream(output, CompressionLevel.Fastest, leaveOpen: true))
            gzip.Write(content);
        return output.ToArray();
    }

    /// <summary>A PE file with these sections, each padded to 512 bytes.</summary>
    public static byte[] Pe(params (string Name, byte[] Content)[] sections)
    {
        int at = 0x400;
        byte[] file = new byte[at + sections.Sum(static s => (s.Content.Length + 511) & ~511)];
        "MZ"u8.CopyTo(file);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(0x3c), 0x80);
        "PE\0\0"u8.CopyTo(file.AsSpan(0x80));
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(0x86), (ushort)sections.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(0x94), 0x70);
        for (int i = 0; i < sections.Length; i++)
        {
            Span<byte> header = file.AsSpan(0x80 + 24 + 0x70 + (i * 40), 40);
            int padded = (sections[i].Content.Length + 511) & ~511;
            Encoding.ASCII.GetBytes(sections[i].Name).CopyTo(header);
            BinaryPrimitives.WriteInt32LittleEndian(header[8..], sections[i].Content.Length);
            BinaryPrimitives.WriteInt32LittleEndian(header[16..], padded);
            BinaryPrimitives.WriteInt32LittleEndian(header[20..], at);
            sections[i].Content.CopyTo(file, at);
            at += padded;
        }

        return file;
    }

    /// <summary>A newc cpio archive with one file.</summary>
    public static byte[] Cpio(int size)
    {
        var output = new MemoryStream();
        Entry(output, "data", size);
        Entry(output, "TRAILER!!!", 0);
        return output.ToArray();
    }

    private static void Entry(MemoryStream output, string name, int size)
    {
        string header = $"070701{0:x8}{0x81a4:x8}{0:x8}{0:x8}{1:x8}{0:x8}{size:x8}{0:x8}{0:x8}{0:x8}{0:x8}{name.Length + 1:x8}{0:x8}";
        output.Write(Encoding.ASCII.GetBytes(header + name + "\0"));
        output.Write(new byte[(4 - (int)(output.Length % 4)) % 4]);
        output.Write(new byte[size]);
        output.Write(new byte[(4 - (int)(output.Length % 4)) % 4]);
    }
}
