using System.Buffers.Binary;

namespace Vmcore.Formats.Flattened;

/// <summary>
/// The flattened stream: a header of 4096 bytes, then records of a big-endian byte offset, a big-endian length and the bytes;
/// offset and length −1 end it. It lets a file be written to a pipe although its headers are known last.
/// </summary>
internal static class FlattenedFormat
{
    public const int HeaderSize = 4096;

    public const int RecordHeaderSize = 16;

    public const long Type = 1;

    public const long Version = 1;

    public const long EndMark = -1;

    /// <summary>The first 16 bytes.</summary>
    public static ReadOnlySpan<byte> Signature => "makedumpfile\0\0\0\0"u8;

    public static void WriteHeader(Span<byte> target)
    {
        target[..HeaderSize].Clear();
        Signature.CopyTo(target);
        BinaryPrimitives.WriteInt64BigEndian(target[16..], Type);
        BinaryPrimitives.WriteInt64BigEndian(target[24..], Version);
    }

    public static void WriteRecordHeader(Span<byte> target, long offset, long length)
    {
        BinaryPrimitives.WriteInt64BigEndian(target, offset);
        BinaryPrimitives.WriteInt64BigEndian(target[8..], length);
    }
}
