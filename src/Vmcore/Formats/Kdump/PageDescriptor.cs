using System.Buffers.Binary;
using Vmcore.Compression;

namespace Vmcore.Formats.Kdump;

/// <summary>Where one page's data lies in a kdump-compressed file.</summary>
/// <param name="Offset">Byte offset of the data in the file; 0 if the page was lost: the target ran full, or it could not be read.</param>
/// <param name="Length">Bytes of the data: the block size if stored raw, less if compressed.</param>
/// <param name="Flags">How it is compressed: 0 or exactly one bit of <see cref="PageCodec"/>.</param>
/// <param name="PageFlags">The kernel's page flags; writers put 0 here.</param>
internal readonly record struct PageDescriptor(long Offset, uint Length, uint Flags, ulong PageFlags)
{
    /// <summary>Bytes of a descriptor in the file.</summary>
    public const int Size = 24;

    /// <summary>Creates a descriptor as writers do.</summary>
    /// <param name="offset">Byte offset of the data in the file.</param>
    /// <param name="length">Bytes of the data.</param>
    /// <param name="codec">How it is compressed.</param>
    public PageDescriptor(long offset, int length, PageCodec codec)
        : this(offset, checked((uint)length), (uint)codec, 0)
    {
    }

    /// <summary>The descriptor of a page that is known and has no data in the file.</summary>
    public static PageDescriptor Lost => default;

    /// <summary>The codec, or null if the flags are not exactly one of those that the format knows.</summary>
    public PageCodec? Codec => Flags switch
    {
        0 => PageCodec.None,
        (uint)PageCodec.Zlib => PageCodec.Zlib,
        (uint)PageCodec.Lzo => PageCodec.Lzo,
        (uint)PageCodec.Snappy => PageCodec.Snappy,
        (uint)PageCodec.Zstd => PageCodec.Zstd,
        _ => null,
    };

    /// <summary>Decodes a descriptor; its fields may hold anything.</summary>
    /// <param name="bytes">At least <see cref="Size"/> bytes.</param>
    public static PageDescriptor Parse(ReadOnlySpan<byte> bytes) => new(
        BinaryPrimitives.ReadInt64LittleEndian(bytes),
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]),
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]));

    /// <summary>Encodes the descriptor.</summary>
    /// <param name="target">At least <see cref="Size"/> bytes.</param>
    public void WriteTo(Span<byte> target)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(target[16..], PageFlags);
        BinaryPrimitives.WriteInt64LittleEndian(target, Offset);
        BinaryPrimitives.WriteUInt32LittleEndian(target[8..], Length);
        BinaryPrimitives.WriteUInt32LittleEndian(target[12..], Flags);
    }

    /// <summary>True if the descriptor can be that of a page: known codec, sensible length, data inside the file.</summary>
    /// <param name="blockSize">Page size in bytes.</param>
    /// <param name="fileLength">Length of the file in bytes.</param>
    public bool IsPlausible(int blockSize, long fileLength) =>
        Codec is { } codec
        && Offset > 0
        && (codec == PageCodec.None ? Length == (uint)blockSize : Length > 0 && Length <= (uint)blockSize)
        && Offset <= fileLength - Length;
}
