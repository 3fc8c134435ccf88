using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Vmcore.Compression;

/// <summary>
/// Encodes LZO1X blocks (see <see cref="Lzo1xFormat"/>): greedy, with one candidate a position from a hash table of 4-byte
/// sequences, and steps that grow where nothing matches. Not thread-safe.
/// </summary>
internal sealed unsafe class Lzo1xEncoder
{
    /// <summary>Shortest match that is looked for, in bytes.</summary>
    private const int MinMatch = 4;

    /// <summary>
    /// No match starts in the last bytes of a page, so that what is read in chunks from a match or from the literals before it
    /// stays inside the page.
    /// </summary>
    private const int Tail = 20;

    /// <summary>Every so many literals without a match the step grows by one byte (as a power of two).</summary>
    private const int StepShift = 5;

    private const int MaxSmallPage = 8192;
    private const int SmallTableBits = 13;
    private const int LargeTableBits = 14;

    // A position is kept as _epoch + its offset in the page. Pages take increasing epochs, so an entry that an earlier page left
    // is below the current epoch and is taken for offset 0: the table needs no clearing until the epochs are used up, and a block
    // depends on its page alone.
    private readonly uint[] _table = new uint[1 << LargeTableBits];
    private uint _epoch;

    /// <summary>Room that <see cref="Encode(ReadOnlySpan{byte}, Span{byte})"/> needs: the largest block plus what chunked copies write past the end.</summary>
    /// <param name="length">Length of the page in bytes.</param>
    /// <returns>A length in bytes.</returns>
    public static int MaxLength(int length) => checked(length + (length / 16) + 64);

    /// <summary>Encodes one page.</summary>
    /// <param name="page">The page.</param>
    /// <param name="output">Receives the block, end marker included; at least <see cref="MaxLength"/> bytes.</param>
    /// <returns>The block's length in bytes, less than the page's; 0 if the page does not get smaller.</returns>
    /// <exception cref="ArgumentException"><paramref name="output"/> is too short.</exception>
    public int Encode(ReadOnlySpan<byte> page, Span<byte> output)
    {
        if (output.Length < MaxLength(page.Length))
            throw new ArgumentException("The output is shorter than the worst case.", nameof(output));
        if (uint.MaxValue - _epoch < (uint)page.Length)
        {
            Array.Clear(_table);
            _epoch = 0;
        }

        int length;
        fixed (byte* input = &MemoryMarshal.GetReference(page), block = &MemoryMarshal.GetReference(output))
        fixed (uint* table = _table)
        {
            int bits = page.Length <= MaxSmallPage ? SmallTableBits : LargeTableBits;
            length = (int)(Encode(input, page.Length, block, table, 32 - bits, _epoch) - block);
        }

        _epoch += (uint)page.Length;
        return length;
    }

    /// <summary>Uses up positions as pages of so many bytes in all would, for tests of what comes when they run out.</summary>
    /// <param name="bytes">Number of bytes.</param>
    internal void SkipPositions(uint bytes) => _epoch = checked(_epoch + bytes);

    private static byte* Encode(byte* input, int inputLength, byte* op, uint* table, int hashShift, uint epoch)
    {
        byte* inEnd = input + inputLength;
        byte* start = op;
        byte* literals = input;

        if (inputLength > Tail + MinMatch)
        {
            byte* limit = inEnd - Tail;
            byte* ip = input + 1;
            table[Hash(Read32(input), hashShift)] = epoch;

            while (true)
            {
                // Look for a match.
                byte* match;
                while (true)
                {
                    if (ip >= limit)
                        goto Last;
                    uint sequence = Read32(ip);
                    uint* entry = table + Hash(sequence, hashShift);
                    long candidate = (long)*entry - epoch;
                    *entry = (uint)(ip - input) + epoch;

                    // What is not of this page becomes offset 0 without a branch, which could hardly be predicted. Equality alone
                    // makes a match, and any earlier offset is a possible one.
                    match = input + (candidate & ~(candidate >> 63));
                    if (Read32(match) == sequence && ip - match <= Lzo1xFormat.M4MaxDistance)
                        break;
                    ip += 1 + ((ip - literals) >> StepShift);
                }

                // The literals before it.
                long run = ip - literals;
                if (run > 0)
                    op = PutLiterals(op, literals, run, op == start);

                long length = MinMatch + CommonLength(ip + MinMatch, match + MinMatch, inEnd);
                op = PutMatch(op, length, ip - match);
                ip += length;
                literals = ip;
            }
        }

    Last:
        long rest = inEnd - literals;

        // A page without matches is mostly this run: spare copying what will not be used.
        if (op - start + rest + Lzo1xFormat.EndMarkerLength >= inputLength)
            return start;
        if (rest > 0)
            op = PutLastLiterals(op, literals, rest, op == start);
        op[0] = Lzo1xFormat.M4Marker | 1;
        op[1] = 0;
        op[2] = 0;
        return op + Lzo1xFormat.EndMarkerLength;
    }

    /// <summary>Writes literals that a match follows. Reads and writes up to 15 bytes more than there are.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte* PutLiterals(byte* op, byte* from, long run, bool first)
    {
        if (run <= Lzo1xFormat.MaxTrailingLiterals && !first)
        {
            op[-2] |= (byte)run;
            Unsafe.WriteUnaligned(op, Read32(from));
            return op + run;
        }

        op = PutRunLength(op, run, first);
        byte* end = op + run;
        do
        {
            Vector128.Store(Vector128.Load(from), op);
            op += 16;
            from += 16;
        }
        while (op < end);
        return end;
    }

    private static byte* PutLastLiterals(byte* op, byte* from, long run, bool first)
    {
        if (run <= Lzo1xFormat.MaxTrailingLiterals && !first)
            op[-2] |= (byte)run;
        else
            op = PutRunLength(op, run, first);
        Unsafe.CopyBlockUnaligned(op, from, (uint)run);
        return op + run;
    }

    private static byte* PutRunLength(byte* op, long run, bool first)
    {
        if (first && run <= Lzo1xFormat.MaxFirstRun)
        {
            *op++ = (byte)(Lzo1xFormat.FirstRunBase + run);
            return op;
        }

        if (run <= Lzo1xFormat.MaxShortRun)
        {
            *op++ = (byte)(run - 3);
            return op;
        }

        *op++ = 0;
        return PutContinuation(op, run - Lzo1xFormat.MaxShortRun);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte* PutMatch(byte* op, long length, long distance)
    {
        if (length <= Lzo1xFormat.M2MaxLength && distance <= Lzo1xFormat.M2MaxDistance)
        {
            distance--;
            op[0] = (byte)(((length - 1) << 5) | ((distance & 7) << 2));
            op[1] = (byte)(distance >> 3);
            return op + 2;
        }

        if (distance <= Lzo1xFormat.M3MaxDistance)
        {
            distance--;
            if (length <= Lzo1xFormat.M3MaxShortLength)
            {
                *op++ = (byte)(Lzo1xFormat.M3Marker | (length - 2));
            }
            else
            {
                *op++ = Lzo1xFormat.M3Marker;
                op = PutContinuation(op, length - Lzo1xFormat.M3MaxShortLength);
            }
        }
        else
        {
            distance -= Lzo1xFormat.M3MaxDistance;
            long high = (distance >> 11) & 8;
            if (length <= Lzo1xFormat.M4MaxShortLength)
            {
                *op++ = (byte)(Lzo1xFormat.M4Marker | high | (length - 2));
            }
            else
            {
                *op++ = (byte)(Lzo1xFormat.M4Marker | high);
                op = PutContinuation(op, length - Lzo1xFormat.M4MaxShortLength);
            }
        }

        Unsafe.WriteUnaligned(op, (ushort)(distance << 2));
        return op + 2;
    }

    /// <summary>Writes a length of 1 or more as zero bytes of 255 each and a last byte.</summary>
    private static byte* PutContinuation(byte* op, long value)
    {
        while (value > 255)
        {
            *op++ = 0;
            value -= 255;
        }

        *op++ = (byte)value;
        return op;
    }

    /// <summary>Counts the equal bytes of two places of a page, the first of which lies later; stops at the page's end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long CommonLength(byte* a, byte* b, byte* end)
    {
        byte* start = a;
        while (end - a >= 8)
        {
            ulong difference = Unsafe.ReadUnaligned<ulong>(a) ^ Unsafe.ReadUnaligned<ulong>(b);
            if (difference != 0)
                return a - start + (BitOperations.TrailingZeroCount(difference) >> 3);
            a += 8;
            b += 8;
        }

        while (a < end && *a == *b)
        {
            a++;
            b++;
        }

        return a - start;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Read32(byte* p) => Unsafe.ReadUnaligned<uint>(p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Hash(uint sequence, int shift) => (sequence * 2654435761u) >> shift;
}
