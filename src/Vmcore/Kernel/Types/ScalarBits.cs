using System.Buffers.Binary;

namespace Vmcore.Kernel.Types;

/// <summary>Takes numbers out of bytes, little-endian.</summary>
internal static class ScalarBits
{
    /// <summary>Reads a number or a bit-field; what the bytes lack is taken for zero.</summary>
    /// <param name="bytes">The bytes from the one that holds the first bit on.</param>
    /// <param name="bitOffset">First bit, 0 to 7.</param>
    /// <param name="bitWidth">Width in bits; 0 for the type's own.</param>
    /// <param name="type">The type, without aliases.</param>
    internal static ulong Read(ReadOnlySpan<byte> bytes, int bitOffset, int bitWidth, KernelType type)
    {
        int width = bitWidth > 0 ? Math.Min(bitWidth, 64) : (int)Math.Clamp((type.Size ?? 8) * 8, 8, 64);
        Span<byte> word = stackalloc byte[16];
        word.Clear();
        bytes[..Math.Min(bytes.Length, word.Length)].CopyTo(word);
        UInt128 value = BinaryPrimitives.ReadUInt128LittleEndian(word) >> bitOffset;
        return Extend((ulong)value, width, type.IsSigned);
    }

    /// <summary>Cuts a value to a width and extends its sign.</summary>
    internal static ulong Extend(ulong value, int width, bool signed)
    {
        if (width >= 64)
            return value;
        value &= (1UL << width) - 1;
        return signed && (value >> (width - 1)) != 0 ? value | (ulong.MaxValue << width) : value;
    }
}
