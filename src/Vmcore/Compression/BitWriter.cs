using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Vmcore.Compression;

/// <summary>Writes bits, lowest first, eight bytes at a time: 8 bytes behind the last must be writable.</summary>
[StructLayout(LayoutKind.Auto)]
internal unsafe struct BitWriter(byte* at)
{
    private byte* _at = at;
    private ulong _bits;

    // Bits in the word; above the low byte, what came along with the lengths that were added.
    private int _count;

    /// <summary>Adds bits; at most 57 between two calls of <see cref="Flush"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Put(uint bits, int count)
    {
        _bits |= (ulong)bits << _count;
        _count += count;
    }

    /// <summary>Writes the whole bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Flush()
    {
        uint count = (byte)_count;
        Unsafe.WriteUnaligned(_at, _bits);
        _at += count >> 3;
        _bits >>= (int)count & ~7;
        _count = (int)count & 7;
    }

    /// <summary>Adds a code.</summary>
    /// <param name="code">Its bits, shifted left by 8, and their number; the highest 8 bits are the caller's.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void PutCode(uint code)
    {
        _bits |= (ulong)(ushort)(code >> 8) << _count;
        _count += (int)code;
    }

    /// <summary>Adds a code that has nothing in its highest 8 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void PutLiteral(uint code)
    {
        _bits |= (ulong)(code >> 8) << _count;
        _count += (int)code;
    }

    /// <summary>Writes what is left.</summary>
    /// <returns>One past the last byte.</returns>
    public byte* End()
    {
        Flush();
        return _at + (_count > 0 ? 1 : 0);
    }
}
