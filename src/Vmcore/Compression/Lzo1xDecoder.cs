using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Vmcore.Compression;

/// <summary>Decodes LZO1X blocks (see <see cref="Lzo1xFormat"/>) from input that may be damaged or hostile.</summary>
internal static unsafe class Lzo1xDecoder
{
    private const int Chunk = 16;

    /// <summary>Decodes one block.</summary>
    /// <param name="block">The block, its end marker included.</param>
    /// <param name="page">Receives the bytes; what it holds after a failure is undefined.</param>
    /// <returns>True if the block is valid, ends with the end marker and nothing after it, and gives exactly <c>page.Length</c> bytes.</returns>
    public static bool TryDecode(ReadOnlySpan<byte> block, Span<byte> page)
    {
        fixed (byte* input = &MemoryMarshal.GetReference(block), output = &MemoryMarshal.GetReference(page))
            return TryDecode(input, input + block.Length, output, output + page.Length);
    }

    // Every read of input is preceded by a comparison with inEnd, every write by one with outEnd, every distance by one with the
    // bytes written so far. Copies in chunks go past the length asked for only where the comparison allowed for a whole chunk more.
    private static bool TryDecode(byte* ip, byte* inEnd, byte* outStart, byte* outEnd)
    {
        byte* op = outStart;
        long state = 0;

        if (ip < inEnd && *ip > Lzo1xFormat.FirstRunBase)
        {
            long run = *ip++ - Lzo1xFormat.FirstRunBase;
            if (run > inEnd - ip || run > outEnd - op)
                return false;
            Unsafe.CopyBlockUnaligned(op, ip, (uint)run);
            ip += run;
            op += run;
            state = Math.Min(run, 4);
        }

        while (ip < inEnd)
        {
            long code = *ip++;
            long length;
            long distance;
            long trailing;

            if (code >= 64)
            {
                if (ip >= inEnd)
                    return false;
                length = (code >> 5) + 1;
                distance = ((long)(*ip++) << 3) + ((code >> 2) & 7) + 1;
                trailing = code & 3;
            }
            else if (code >= Lzo1xFormat.M4Marker)
            {
                bool near = code >= Lzo1xFormat.M3Marker;
                long mask = near ? 31 : 7;
                length = code & mask;
                if (length == 0 && !TryReadLength(ref ip, inEnd, mask, out length))
                    return false;
                length += 2;
                if (inEnd - ip < 2)
                    return false;
                long operand = Unsafe.ReadUnaligned<ushort>(ip);
                ip += 2;
                trailing = operand & 3;
                distance = (operand >> 2) + 1;
                if (!near)
                {
                    distance += ((code & 8) << 11) + Lzo1xFormat.M3MaxDistance - 1;
                    if (distance == Lzo1xFormat.M3MaxDistance)
                        return length == 3 && trailing == 0 && ip == inEnd && op == outEnd;
                }
            }
            else if (state == 0)
            {
                long run = code;
                if (run == 0 && !TryReadLength(ref ip, inEnd, 15, out run))
                    return false;
                run += 3;
                long inLeft = inEnd - ip;
                long outLeft = outEnd - op;
                if (run > inLeft || run > outLeft)
                    return false;
                if (run <= 2 * Chunk && inLeft >= 2 * Chunk && outLeft >= 2 * Chunk)
                {
                    Copy16(op, ip);
                    if (run > Chunk)
                        Copy16(op + Chunk, ip + Chunk);
                }
                else
                {
                    Unsafe.CopyBlockUnaligned(op, ip, (uint)run);
                }

                ip += run;
                op += run;
                state = 4;
                continue;
            }
            else
            {
                if (ip >= inEnd)
                    return false;
                distance = ((long)(*ip++) << 2) + (code >> 2) + 1;
                length = 2;
                trailing = code & 3;
                if (state == 4)
                {
                    distance += Lzo1xFormat.M2MaxDistance;
                    length = 3;
                }
            }

            if (distance > op - outStart || length > outEnd - op)
                return false;
            MatchCopy.Copy(op, distance, length, outEnd);
            op += length;

            if (inEnd - ip >= 4 && outEnd - op >= 4)
            {
                // At most 3 of the 4 bytes count; the others are overwritten by what comes next.
                Unsafe.WriteUnaligned(op, Unsafe.ReadUnaligned<uint>(ip));
            }
            else
            {
                if (trailing > inEnd - ip || trailing > outEnd - op)
                    return false;
                for (long i = 0; i < trailing; i++)
                    op[i] = ip[i];
            }

            ip += trailing;
            op += trailing;
            state = trailing;
        }

        return false;
    }

    /// <summary>Reads the continuation of a length. It cannot overflow: each byte of input adds at most 255.</summary>
    private static bool TryReadLength(ref byte* ip, byte* inEnd, long start, out long length)
    {
        length = start;
        while (ip < inEnd)
        {
            byte value = *ip++;
            if (value != 0)
            {
                length += value;
                return true;
            }

            length += 255;
        }

        return false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Copy16(byte* to, byte* from) =>
        Vector128.Store(Vector128.Load(from), to);
}
