using System.Buffers.Binary;
using System.Text;

namespace Vmcore.Kexec;

/// <summary>
/// The header of an EFI zboot image: an EFI program that holds a compressed kernel and unpacks it (drivers/firmware/efi/libstub/zboot-header.S).
/// </summary>
/// <param name="Payload">The compressed kernel.</param>
/// <param name="Compression">Name of its compression, for example <c>gzip</c> or <c>zstd22</c>.</param>
/// <param name="Size">Length of the kernel in bytes, by the word that the build appends to formats that do not tell it; 0 if it is not there.</param>
internal readonly record struct ZbootImage(ReadOnlyMemory<byte> Payload, string Compression, uint Size)
{
    private const int HeaderSize = 64;

    /// <summary>Reads the header; null if it is no such image, or its payload lies outside of the file.</summary>
    public static ZbootImage? TryParse(ReadOnlyMemory<byte> content)
    {
        ReadOnlySpan<byte> head = content.Span;
        if (head.Length < HeaderSize || !head.StartsWith("MZ"u8) || !head[4..].StartsWith("zimg"u8))
            return null;
        uint offset = BinaryPrimitives.ReadUInt32LittleEndian(head[8..]), size = BinaryPrimitives.ReadUInt32LittleEndian(head[12..]);
        if (offset > (uint)content.Length || size > (uint)content.Length - offset)
            return null;
        ReadOnlySpan<byte> name = head[24..56];
        int end = name.IndexOf((byte)0);
        ReadOnlySpan<byte> behind = head[(int)(offset + size)..];
        return new(
            content.Slice((int)offset, (int)size),
            Encoding.ASCII.GetString(end < 0 ? name : name[..end]),
            behind.Length < 4 ? 0 : BinaryPrimitives.ReadUInt32LittleEndian(behind));
    }
}
