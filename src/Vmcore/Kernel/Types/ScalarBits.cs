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

    /// <summary>Reads a number of 128 bits or a bit-field of one; what the bytes lack is taken for zero.</summary>
    /// <param name="bytes">The bytes from the one that holds the first bit on.</param>
    /// <param name="bitOffset">First bit, 0 to 7.</param>
    /// <param name="bitWidth">Width in bits; 0 for all 128.</param>
    /// <param name="signed">True to extend the sign.</param>
    internal static UInt128 ReadWide(ReadOnlySpan<byte> bytes, int bitOffset, int bitWidth, bool signed)
    {
        const int Bits = 128;
        int width = bitWidth is > 0 and < Bits ? bitWidth : Bits;
        UInt128 value = 0;
        for (int i = Math.Min(bytes.Length, 17) - 1; i >= 0; i--)
        {
            int shift = (i * 8) - bitOffset;
            value |= shift >= 0 ? (UInt128)bytes[i] << shift : (UInt128)bytes[i] >> -shift;
        }

        if (width == Bits)
            return value;
        value &= (UInt128.One << width) - 1;
        return signed && (value >> (width - 1)) != 0 ? value | (UInt128.MaxValue << width) : value;
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
