using System.Buffers.Binary;
using Vmcore.Compression;

namespace Vmcore.Kdump.Initramfs;

/// <summary>Packs an initramfs as gzip (RFC 1952), with the library that dumps are compressed with: every kernel with an initramfs unpacks that.</summary>
internal static class GzipPacker
{
    private const int Level = 6;

    // A zlib stream (RFC 1950) is a header, the compressed data that gzip has too, and another check sum.
    private const int ZlibHeader = 2, ZlibTrailer = 4, GzipHeader = 10, GzipTrailer = 8;

    /// <summary>Packs bytes. The same bytes give the same result.</summary>
    internal static unsafe byte[] Pack(ReadOnlySpan<byte> bytes)
    {
        using LibDeflate.CompressorHandle compressor = LibDeflate.AllocCompressor(Level);
        if (compressor.IsInvalid)
            throw new KdumpException("There is not enough memory to pack the initramfs.");
        // What does not get smaller is stored, in blocks of 64 KiB with 5 bytes each.
        byte[] packed = new byte[bytes.Length + (bytes.Length >> 10) + 64];
        nuint length;
        fixed (byte* input = bytes, output = packed)
            length = LibDeflate.ZlibCompress(compressor, input, (nuint)bytes.Length, output, (nuint)packed.Length);
        if (length == 0)
            throw new KdumpException("The initramfs cannot be packed.");
        ReadOnlySpan<byte> data = packed.AsSpan(ZlibHeader, (int)length - ZlibHeader - ZlibTrailer);
        byte[] gzip = new byte[GzipHeader + data.Length + GzipTrailer];
        // Magic, deflate, no flags, no time, no hint, Unix.
        ((ReadOnlySpan<byte>)[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]).CopyTo(gzip);
        data.CopyTo(gzip.AsSpan(GzipHeader));
        BinaryPrimitives.WriteUInt32LittleEndian(gzip.AsSpan(GzipHeader + data.Length), Crc32(bytes));
        BinaryPrimitives.WriteUInt32LittleEndian(gzip.AsSpan(GzipHeader + data.Length + 4), (uint)bytes.Length);
        return gzip;
    }

    private static uint Crc32(ReadOnlySpan<byte> bytes)
    {
        Span<uint> table = stackalloc uint[256];
        for (uint i = 0; i < 256; i++)
        {
            uint value = i;
            for (int bit = 0; bit < 8; bit++)
                value = (value & 1) != 0 ? 0xedb88320 ^ (value >> 1) : value >> 1;
            table[(int)i] = value;
        }

        uint sum = uint.MaxValue;
        foreach (byte b in bytes)
            sum = table[(byte)(sum ^ b)] ^ (sum >> 8);
        return ~sum;
    }
}
