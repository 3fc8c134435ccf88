using System.Buffers.Binary;

namespace Vmcore.Kexec;

/// <summary>Finds sections in a PE file: a unified kernel image is one.</summary>
internal static class PeSections
{
    /// <summary>The content of the first section of that name, without the padding up to the file alignment; null if there is none.</summary>
    public static ReadOnlyMemory<byte>? Find(ReadOnlyMemory<byte> file, string name)
    {
        ReadOnlySpan<byte> bytes = file.Span;
        if (bytes.Length < 0x40)
            return null;
        long pe = BinaryPrimitives.ReadUInt32LittleEndian(bytes[0x3c..]);
        if (pe > bytes.Length - 24 || !bytes[(int)pe..].StartsWith("PE\0\0"u8))
            return null;
        int count = BinaryPrimitives.ReadUInt16LittleEndian(bytes[((int)pe + 6)..]);
        long table = pe + 24 + BinaryPrimitives.ReadUInt16LittleEndian(bytes[((int)pe + 20)..]);
        for (int i = 0; i < count; i++)
        {
            long at = table + (i * 40L);
            if (at > bytes.Length - 40)
                return null;
            ReadOnlySpan<byte> header = bytes.Slice((int)at, 40);
            int end = header[..8].IndexOf((byte)0);
            if (!header[..(end < 0 ? 8 : end)].SequenceEqual(System.Text.Encoding.ASCII.GetBytes(name)))
                continue;
            uint virtualSize = BinaryPrimitives.ReadUInt32LittleEndian(header[8..]);
            uint rawSize = BinaryPrimitives.ReadUInt32LittleEndian(header[16..]);
            uint offset = BinaryPrimitives.ReadUInt32LittleEndian(header[20..]);
            uint size = virtualSize == 0 ? rawSize : Math.Min(virtualSize, rawSize);
            return offset <= (uint)bytes.Length && size <= (uint)bytes.Length - offset ? file.Slice((int)offset, (int)size) : null;
        }

        return null;
    }
}
