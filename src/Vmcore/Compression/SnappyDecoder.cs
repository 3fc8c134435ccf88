using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Vmcore.Compression;

/// <summary>
/// Decodes raw snappy blocks from input that may be damaged or hostile. A block is the decoded length as a base-128 number, then
/// elements whose first byte tells their kind in its two low bits: 0 literals, 1 to 3 a copy with a distance of 11, 16 or 32 bits.
/// </summary>
/// <remarks>The encoding library's own decoder allocates for each block and throws on bad input; a reader of pages can afford neither.</remarks>
internal static unsafe class SnappyDecoder
{
    private const int Chunk = 16;
    private const int MaxLengthBytes = 5;

    /// <summary>Literal runs above this length have it in 1 to 4 bytes after the first.</summary>
    private const int MaxShortLiteral = 60;

    /// <summary>Decodes one block.</summary>
    /// <param name="block">The block.</param>
    /// <param name="page">Receives the bytes; what it holds after a failure is undefined.</param>
    /// <returns>True if the block is valid to its last byte and gives exactly <c>page.Length</c> bytes.</returns>
    public static bool TryDecode(ReadOnlySpan<byte> block, Span<byte> page)
    {
        fixed (byte* input = &MemoryMarshal.GetReference(block), output = &MemoryMarshal.GetReference(page))
        {
            byte* ip = input;
            byte* inEnd = input + block.Length;
            return TryReadLength(ref ip, inEnd, out uint length) && length == (uint)page.Length
                && TryDecode(ip, inEnd, output, output + page.Length);
        }
    }

    // Every read of input is preceded by a comparison with inEnd, every write by one with outEnd, every distance by one with the
    // bytes written so far. Copies in chunks go past the length asked for only where a comparison allowed for a whole chunk more.
    private static bool TryDecode(byte* ip, byte* inEnd, byte* outStart, byte* outEnd)
    {
        byte* op = outStart;
        while (ip < inEnd)
        {
            long code = *ip++;
            long left = inEnd - ip;
            long length = (code >> 2) + 1;
            long distance;
            switch (code & 3)
            {
                case 0:
                    if (length > MaxShortLiteral)
                    {
                        int bytes = (int)length - MaxShortLiteral;
                        if (bytes > left)
                            return false;
                        length = 1;
                        for (int i = 0; i < bytes; i++)
                            length += (long)*ip++ << (8 * i);
                        left -= bytes;
                    }

                    if (length > left || length > outEnd - op)
                        return false;
                    if (length <= Chunk && left >= Chunk && outEnd - op >= Chunk)
                        Vector128.Store(Vector128.Load(ip), op);
                    else
                        Unsafe.CopyBlockUnaligned(op, ip, (uint)length);
                    ip += length;
                    op += length;
                    continue;
                case 1:
                    if (left < 1)
                        return false;
                    length = ((code >> 2) & 7) + 4;
                    distance = ((code >> 5) << 8) | *ip++;
                    break;
                case 2:
                    if (left < 2)
                        return false;
                    distance = Unsafe.ReadUnaligned<ushort>(ip);
                    ip += 2;
                    break;
                default:
                    if (left < 4)
                        return false;
                    distance = Unsafe.ReadUnaligned<uint>(ip);
                    ip += 4;
                    break;
            }

            if (distance == 0 || distance > op - outStart || length > outEnd - op)
                return false;
            MatchCopy.Copy(op, distance, length, outEnd);
            op += length;
        }

        return op == outEnd;
    }

    private static bool TryReadLength(ref byte* ip, byte* inEnd, out uint length)
    {
        ulong value = 0;
        for (int i = 0; i < MaxLengthBytes && ip < inEnd; i++)
        {
            byte part = *ip++;
            value |= (ulong)(part & 0x7f) << (7 * i);
            if (part < 0x80)
            {
                length = (uint)value;
                return value <= uint.MaxValue;
            }
        }

        length = 0;
        return false;
    }
}
