using System.Buffers.Binary;
using System.Globalization;
using System.IO.Compression;
using Vmcore.IO;

namespace Vmcore.Kexec;

/// <summary>How much memory an initramfs takes once the kernel has unpacked it.</summary>
/// <param name="Bytes">Unpacked size in bytes.</param>
/// <param name="IsEstimate">True if part of it is of a format that was not unpacked, and was taken for four times its compressed size.</param>
public readonly record struct InitramfsSize(ulong Bytes, bool IsEstimate)
{
    // What mkinitramfs and dracut archives shrink to, with a margin.
    private const ulong GuessedRatio = 4;
    private static readonly byte[] Newc = "07070"u8.ToArray();

    /// <summary>
    /// Measures an initramfs: any row of plain cpio archives (early microcode) and compressed ones. gzip, xz and zstd say
    /// their size mostly, lz4 counts its blocks; the rest is estimated.
    /// </summary>
    public static InitramfsSize Measure(ReadOnlyMemory<byte> initramfs)
    {
        ulong total = 0;
        bool estimate = false;
        int at = 0;
        while (at < initramfs.Length)
        {
            ReadOnlySpan<byte> rest = initramfs.Span[at..];
            int padding = rest.IndexOfAnyExcept((byte)0);
            if (padding < 0)
                break;
            if (padding > 0)
            {
                at += padding;
                continue;
            }

            if (rest.StartsWith(Newc) && CpioLength(rest) is > 0 and { } length)
            {
                total += (ulong)length;
                at += length;
                continue;
            }

            ulong? size = rest.StartsWith((ReadOnlySpan<byte>)[0x1f, 0x8b]) ? GzipSize(initramfs[at..])
                : rest.StartsWith((ReadOnlySpan<byte>)[0x28, 0xb5, 0x2f, 0xfd]) ? ZstdSize(rest)
                : rest.StartsWith((ReadOnlySpan<byte>)[0xfd, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0]) ? XzSize(rest)
                : rest.StartsWith((ReadOnlySpan<byte>)[0x02, 0x21, 0x4c, 0x18]) ? Lz4Size(rest)
                : null;
            // A size that no compressor reaches is no size.
            if (size > (ulong)rest.Length * 1024)
                size = null;
            estimate |= size is null;
            total += size ?? ((ulong)rest.Length * GuessedRatio);
            break;
        }

        return new(total, estimate);
    }

    // Length of a newc archive up to its trailer; 0 if it is damaged.
    private static int CpioLength(ReadOnlySpan<byte> bytes)
    {
        int at = 0;
        while (at <= bytes.Length - 110 && bytes[at..].StartsWith(Newc))
        {
            if (!TryHex(bytes.Slice(at + 54, 8), out uint fileSize) || !TryHex(bytes.Slice(at + 94, 8), out uint nameSize))
                return 0;
            long data = Align4(at + 110L + nameSize);
            long next = Align4(data + fileSize);
            if (next > bytes.Length + 3L)
                return 0;
            bool isTrailer = nameSize == 11 && bytes[(at + 110)..].StartsWith("TRAILER!!!"u8);
            at = (int)Math.Min(next, bytes.Length);
            if (isTrailer)
                return at;
        }

        return 0;
    }

    private static long Align4(long value) => (value + 3) & ~3L;

    private static bool TryHex(ReadOnlySpan<byte> text, out uint value) =>
        uint.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);

    // ISIZE, the last four bytes (RFC 1952 section 2.3.1), if they can be that: behind padding or another archive they are not.
    private static ulong? GzipSize(ReadOnlyMemory<byte> bytes)
    {
        ulong last = bytes.Length < 18 ? 0 : BinaryPrimitives.ReadUInt32LittleEndian(bytes.Span[^4..]);
        // What archives shrink to: less than to half of it, and never to a hundredth.
        return last >= 2 * (ulong)bytes.Length && last <= 100 * (ulong)bytes.Length ? last : UnpackedSize(bytes);
    }

    private static ulong? UnpackedSize(ReadOnlyMemory<byte> bytes)
    {
        ulong total = 0;
        try
        {
            using var stream = new GZipStream(new ForwardStream(bytes), CompressionMode.Decompress);
            byte[] buffer = new byte[1 << 16];
            for (int count; (count = stream.Read(buffer, 0, buffer.Length)) > 0 && total < 1UL << 36;)
                total += (ulong)count;
        }
        catch (InvalidDataException)
        {
            // Padding or another archive behind the first: what was unpacked counts.
        }

        return total == 0 ? null : total;
    }

    // Frame_Content_Size of the first frame header, RFC 8878 section 3.1.1.1.
    private static ulong? ZstdSize(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 18)
            return null;
        int descriptor = bytes[4];
        bool isSingle = (descriptor & 0x20) != 0;
        int at = 5 + (isSingle ? 0 : 1) + ((descriptor & 3) switch { 0 => 0, 1 => 1, 2 => 2, _ => 4 });
        return (descriptor >> 6) switch
        {
            0 => isSingle ? bytes[at] : null,
            1 => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]) + 256UL,
            2 => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]),
            _ => BinaryPrimitives.ReadUInt64LittleEndian(bytes[at..]),
        };
    }

    // The index in front of the footer lists each block's sizes.
    private static ulong? XzSize(ReadOnlySpan<byte> bytes)
    {
        int end = bytes.LastIndexOfAnyExcept((byte)0) + 1;
        if (end < 32 || !bytes[(end - 2)..end].SequenceEqual("YZ"u8))
            return null;
        long indexSize = (BinaryPrimitives.ReadUInt32LittleEndian(bytes[(end - 8)..]) + 1L) * 4;
        long at = end - 12 - indexSize;
        if (at < 12 || bytes[(int)at] != 0)
            return null;
        ReadOnlySpan<byte> index = bytes.Slice((int)at + 1, (int)indexSize - 1);
        if (!TryVarint(ref index, out ulong records) || records > (ulong)indexSize)
            return null;
        ulong total = 0;
        for (ulong i = 0; i < records; i++)
        {
            if (!TryVarint(ref index, out _) || !TryVarint(ref index, out ulong size) || size > 1UL << 36)
                return null;
            total += size;
        }

        return total;
    }

    private static bool TryVarint(ref ReadOnlySpan<byte> bytes, out ulong value)
    {
        value = 0;
        for (int i = 0; i < 9 && i < bytes.Length; i++)
        {
            value |= (ulong)(bytes[i] & 0x7f) << (7 * i);
            if ((bytes[i] & 0x80) == 0)
            {
                bytes = bytes[(i + 1)..];
                return true;
            }
        }

        return false;
    }

    // Legacy format, the only one that the kernel reads: each block holds 8 MiB, the last one up to that.
    private static ulong? Lz4Size(ReadOnlySpan<byte> bytes)
    {
        ulong blocks = 0;
        long at = 4;
        while (at <= bytes.Length - 4)
        {
            uint size = BinaryPrimitives.ReadUInt32LittleEndian(bytes[(int)at..]);
            if (size == 0 || size > 9 << 20)
                break;
            at += 4 + size;
            blocks++;
        }

        return blocks == 0 ? null : blocks << 23;
    }
}
