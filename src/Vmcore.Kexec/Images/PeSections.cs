using System.Buffers.Binary;

namespace Vmcore.Kexec;

/// <summary>Finds sections in a PE file: a unified kernel image is one.</summary>
internal static class PeSections
{
    /// <summary>Where the last section's content ends in the file, in bytes; null if it is no PE file or has no sections.</summary>
    public static long? EndOf(ReadOnlySpan<byte> file)
    {
        long end = 0;
        for (int i = 0; TryHeader(file, i, out ReadOnlySpan<byte> header); i++)
            end = Math.Max(end, (long)BinaryPrimitives.ReadUInt32LittleEndian(header[16..]) + BinaryPrimitives.ReadUInt32LittleEndian(header[20..]));
        return end == 0 ? null : end;
    }

    /// <summary>The content of the first section of that name, without the padding up to the file alignment; null if there is none.</summary>
    public static ReadOnlyMemory<byte>? Find(ReadOnlyMemory<byte> file, string name)
    {
        ReadOnlySpan<byte> bytes = file.Span;
        for (int i = 0; TryHeader(bytes, i, out ReadOnlySpan<byte> header); i++)
        {
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

    // A section's header: 40 bytes behind those of the file. False at the end of the table, or of the file.
    private static bool TryHeader(ReadOnlySpan<byte> bytes, int index, out ReadOnlySpan<byte> header)
    {
        header = default;
        if (bytes.Length < 0x40 || !bytes.StartsWith("MZ"u8))
            return false;
        long pe = BinaryPrimitives.ReadUInt32LittleEndian(bytes[0x3c..]);
        if (pe > bytes.Length - 24 || !bytes[(int)pe..].StartsWith("PE\0\0"u8))
            return false;
        int count = BinaryPrimitives.ReadUInt16LittleEndian(bytes[((int)pe + 6)..]);
        long at = pe + 24 + BinaryPrimitives.ReadUInt16LittleEndian(bytes[((int)pe + 20)..]) + (index * 40L);
        if (index >= count || at > bytes.Length - 40)
            return false;
        header = bytes.Slice((int)at, 40);
        return true;
    }
}
