using System.Buffers.Binary;
using System.Globalization;
using Vmcore.Formats.Elf;
using Vmcore.IO;

namespace Vmcore.Formats.Images;

/// <summary>
/// The format of LiME (src/lime.h of it) and of AVML without compression: ranges of RAM one behind the other, each with a header of 32 bytes:
/// magic, version 1, the first and the last physical address (64 bits each), eight bytes without meaning. Little-endian.
/// </summary>
internal static class LimeFormat
{
    /// <summary>Bytes of a header.</summary>
    internal const int HeaderBytes = 32;

    private const uint Version = 1;

    private static ReadOnlySpan<byte> Magic => "EMiL"u8;

    /// <summary>True if a file begins as one in this format does.</summary>
    internal static bool IsLime(IByteSource source)
    {
        Span<byte> start = stackalloc byte[8];
        return source.Read(0, start) == start.Length && start.StartsWith(Magic) && BinaryPrimitives.ReadUInt32LittleEndian(start[4..]) == Version;
    }

    /// <summary>Reads the headers.</summary>
    /// <param name="source">The file.</param>
    /// <param name="limits">The bound on their number.</param>
    /// <param name="isTruncated">Receives true if the file ends inside a header; a range that goes beyond the end of the file is given as it stands.</param>
    /// <returns>The ranges, as the segments of a core file.</returns>
    /// <exception cref="DumpFormatException">A header is none, or there are too many.</exception>
    internal static IReadOnlyList<ElfSegment> Read(IByteSource source, ReadLimits limits, out bool isTruncated)
    {
        List<ElfSegment> ranges = [];
        Span<byte> header = stackalloc byte[HeaderBytes];
        isTruncated = false;
        for (long at = 0; at < source.Length;)
        {
            if (source.Read(at, header) < HeaderBytes)
            {
                isTruncated = true;
                break;
            }

            if (!header.StartsWith(Magic) || BinaryPrimitives.ReadUInt32LittleEndian(header[4..]) != Version)
            {
                throw new DumpFormatException(source.Name, at, "LiME header", $"bytes {Convert.ToHexString(header[..8])}",
                    "454D694C01000000 (magic, version 1)");
            }

            ulong first = BinaryPrimitives.ReadUInt64LittleEndian(header[8..]), last = BinaryPrimitives.ReadUInt64LittleEndian(header[16..]);
            if (last < first || last - first >= long.MaxValue)
                throw new DumpFormatException(source.Name, at + 8, "LiME range", string.Create(CultureInfo.InvariantCulture, $"0x{first:x} to 0x{last:x}"),
                    "the first and the last physical address");
            if (ranges.Count == limits.Segments)
                throw new DumpFormatException(source.Name, at, "LiME ranges", $"more than {limits.Segments}", $"at most {limits.Segments}");
            ulong size = last - first + 1;
            ranges.Add(ElfSegment.OfMemory(first, size, at + HeaderBytes));
            at = size > (ulong)(source.Length - at - HeaderBytes) ? source.Length : at + HeaderBytes + (long)size;
        }

        return ranges;
    }
}
