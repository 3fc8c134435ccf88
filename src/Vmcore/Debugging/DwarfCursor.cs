using System.Buffers.Binary;

namespace Vmcore.Debugging;

/// <summary>A position in the bytes of a unit or a table. Every read is checked.</summary>
internal ref struct DwarfCursor
{
    private readonly ReadOnlySpan<byte> _bytes;

    /// <summary>Creates a cursor.</summary>
    /// <param name="bytes">The bytes.</param>
    /// <param name="at">Where to start.</param>
    internal DwarfCursor(ReadOnlySpan<byte> bytes, int at)
    {
        if ((uint)at > (uint)bytes.Length)
            throw new DwarfException("an offset lies outside");
        _bytes = bytes;
        At = at;
    }

    /// <summary>The position.</summary>
    internal int At { get; private set; }

    /// <summary>True at the end.</summary>
    internal readonly bool IsAtEnd => At >= _bytes.Length;

    /// <summary>Takes bytes.</summary>
    internal ReadOnlySpan<byte> Take(ulong count)
    {
        if (count > (ulong)(_bytes.Length - At))
            throw new DwarfException("a value overruns its unit");
        ReadOnlySpan<byte> part = _bytes.Slice(At, (int)count);
        At += (int)count;
        return part;
    }

    internal void Skip(ulong count) => Take(count);

    internal byte Byte() => Take(1)[0];

    internal ushort UInt16() => BinaryPrimitives.ReadUInt16LittleEndian(Take(2));

    internal uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

    internal ulong UInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(8));

    /// <summary>An unsigned number of <paramref name="width"/> bytes, 1 to 8.</summary>
    internal ulong Unsigned(int width)
    {
        ReadOnlySpan<byte> bytes = Take((ulong)width);
        ulong value = 0;
        for (int i = 0; i < width; i++)
            value |= (ulong)bytes[i] << (8 * i);
        return value;
    }

    /// <summary>An offset: 4 bytes, or 8 in the 64-bit format of DWARF.</summary>
    internal ulong Offset(bool is64) => is64 ? UInt64() : UInt32();

    internal ulong Uleb()
    {
        ulong value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte b = Byte();
            if (shift < 64)
                value |= (ulong)(b & 0x7f) << shift;
            if ((b & 0x80) == 0)
                return value;
        }
    }

    internal long Sleb()
    {
        long value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte b = Byte();
            if (shift < 64)
                value |= (long)(b & 0x7f) << shift;
            if ((b & 0x80) != 0)
                continue;
            if (shift + 7 < 64 && (b & 0x40) != 0)
                value |= -1L << (shift + 7);
            return value;
        }
    }

    /// <summary>A NUL-terminated string without its NUL.</summary>
    internal ReadOnlySpan<byte> CString()
    {
        int length = _bytes[At..].IndexOf((byte)0);
        if (length < 0)
            throw new DwarfException("a string has no end");
        ReadOnlySpan<byte> text = _bytes.Slice(At, length);
        At += length + 1;
        return text;
    }
}
