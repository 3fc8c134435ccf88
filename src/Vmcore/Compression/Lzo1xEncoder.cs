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
    /// <summary>Largest page in bytes: an offset must fit a table entry.</summary>
    public const int MaxPage = 1 << 16;

    /// <summary>Shortest match that is looked for, in bytes.</summary>
    private const int MinMatch = 4;

    /// <summary>
    /// No match starts in the last bytes of a page, so that what is read in chunks from a match or from the literals before it
    /// stays inside the page.
    /// </summary>
    private const int Tail = 20;

    /// <summary>Every so many places without a match the step to the next grows by one byte (as a power of two).</summary>
    private const int StepShift = 4;

    // Offset in the page of the last position with each hash. Cleared for each page, so that a block depends on its page alone; an
    // entry that was not set is the possible match at offset 0.
    private readonly ushort[] _table = new ushort[1 << LargePage.TableBits];

    /// <summary>What the search knows of the page's size when it is compiled.</summary>
    private interface IPageClass
    {
        /// <summary>Entries of the table as a power of two: the clearing and the cache misses of a larger one cost more than it finds.</summary>
        static abstract int HashBits { get; }

        /// <summary>Whether distances can be too long for the shorter formats of a match.</summary>
        static abstract bool HasFarMatches { get; }
    }

    /// <summary>Room that <see cref="Encode(ReadOnlySpan{byte}, Span{byte})"/> needs: the largest block plus what chunked copies write past the end.</summary>
    /// <param name="length">Length of the page in bytes.</param>
    /// <returns>A length in bytes.</returns>
    public static int MaxLength(int length) => checked(length + (length / 16) + 64);

    /// <summary>Encodes one page.</summary>
    /// <param name="page">The page, at most <see cref="MaxPage"/> bytes.</param>
    /// <param name="output">Receives the block, end marker included; at least <see cref="MaxLength"/> bytes.</param>
    /// <returns>The block's length in bytes, less than the page's; 0 if the page does not get smaller.</returns>
    /// <exception cref="ArgumentException"><paramref name="page"/> is too long or <paramref name="output"/> too short.</exception>
    public int Encode(ReadOnlySpan<byte> page, Span<byte> output)
    {
        if (page.Length > MaxPage)
            throw new ArgumentException("The page is longer than a table entry can tell.", nameof(page));
        if (output.Length < MaxLength(page.Length))
            throw new ArgumentException("The output is shorter than the worst case.", nameof(output));

        fixed (byte* input = &MemoryMarshal.GetReference(page), block = &MemoryMarshal.GetReference(output))
        fixed (ushort* table = _table)
        {
            // The far match's format begins one byte after the near one's farthest.
            return (int)(page.Length <= Lzo1xFormat.M3MaxDistance
                ? Encode<SmallPage>(input, page.Length, block, table)
                : Encode<LargePage>(input, page.Length, block, table));
        }
    }

    // No call in the loops: a call would push most of their variables out of the registers. The search is a loop of its own, with variables that end
    // with it: then all of them are registers (one in memory costs a tenth of the speed).
    private static long Encode<TPage>(byte* input, int inputLength, byte* block, ushort* table)
        where TPage : struct, IPageClass
    {
        byte* op = block;
        long literals = 0, at = 1, end = inputLength - Tail;
        new Span<ushort>(table, 1 << TPage.HashBits).Clear();

        // At the head of the loop there is always room for a match.
        if (at >= end)
            goto Rest;
        while (true)
        {
            long match;
            for (long probes = 1 << StepShift; ; probes++)
            {
                uint sequence = Read32(input + at);
                uint hash = Hash<TPage>(sequence);
                match = table[hash];
                table[hash] = (ushort)at;
                if (Read32(input + match) == sequence && (!TPage.HasFarMatches || at - match <= Lzo1xFormat.M4MaxDistance))
                    break;
                at += probes >> StepShift;
                if (at >= end)
                    goto Rest;
            }

            // The page's first byte is always a literal, so no match touches the first instruction.
            long run = at - literals;
            byte* from = input + literals;
            if (run <= Lzo1xFormat.MaxTrailingLiterals && literals != 0)
            {
                op[-2] |= (byte)run;
                Unsafe.WriteUnaligned(op, Read32(from));
                op += run;
            }
            else
            {
                op = PutRunLength(op, run, literals == 0);
                byte* stop = op + run;
                do
                {
                    Vector128.Store(Vector128.Load(from), op);
                    from += 16;
                    op += 16;
                }
                while (op < stop);
                op = stop;
            }

            long matched = MatchLength(input + at, input + match, input + end + Tail);
            op = PutMatch(op, matched, at - match, TPage.HasFarMatches);
            at += matched;
            literals = at;
            if (at >= end)
                goto Rest;
            // What repeats does so whole: the next time its last bytes are a better match than where they were before.
            table[Hash<TPage>(Read32(input + at - 1))] = (ushort)(at - 1);
        }

    Rest:
        long rest = inputLength - literals;

        // A page without matches is mostly this run: spare copying what will not be used.
        if (op - block + rest + Lzo1xFormat.EndMarkerLength >= inputLength)
            return 0;
        if (rest > 0)
        {
            if (rest <= Lzo1xFormat.MaxTrailingLiterals && literals != 0)
                op[-2] |= (byte)rest;
            else
                op = PutRunLength(op, rest, literals == 0);
            Unsafe.CopyBlockUnaligned(op, input + literals, (uint)rest);
            op += rest;
        }

        op[0] = Lzo1xFormat.M4Marker | 1;
        op[1] = 0;
        op[2] = 0;
        // The last run's length has bytes of its own.
        long length = op - block + Lzo1xFormat.EndMarkerLength;
        return length < inputLength ? length : 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Hash<TPage>(uint sequence)
        where TPage : struct, IPageClass => (sequence * 2654435761u) >> (32 - TPage.HashBits);

    /// <summary>Counts the equal bytes of two places of a page that begin with <see cref="MinMatch"/> of them, up to the page's end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long MatchLength(byte* later, byte* earlier, byte* end)
    {
        byte* at = later + MinMatch;
        earlier += MinMatch;

        // The tail leaves room for the first word.
        do
        {
            ulong difference = Unsafe.ReadUnaligned<ulong>(at) ^ Unsafe.ReadUnaligned<ulong>(earlier);
            if (difference != 0)
                return at - later + (BitOperations.TrailingZeroCount(difference) >> 3);
            at += 8;
            earlier += 8;
        }
        while (at <= end - 8);

        while (at < end && *at == *earlier)
        {
            at++;
            earlier++;
        }

        return at - later;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte* PutRunLength(byte* op, long run, bool first)
    {
        if (first && run <= Lzo1xFormat.MaxFirstRun)
        {
            *op = (byte)(Lzo1xFormat.FirstRunBase + run);
            return op + 1;
        }

        if (run <= Lzo1xFormat.MaxShortRun)
        {
            *op = (byte)(run - 3);
            return op + 1;
        }

        return PutContinuedLength(op, 0, run - Lzo1xFormat.MaxShortRun);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte* PutMatch(byte* op, long length, long distance, bool hasFarMatches)
    {
        if (length <= Lzo1xFormat.M2MaxLength && distance <= Lzo1xFormat.M2MaxDistance)
        {
            distance--;
            op[0] = (byte)(((length - 1) << 5) | ((distance & 7) << 2));
            op[1] = (byte)(distance >> 3);
            return op + 2;
        }

        if (!hasFarMatches || distance <= Lzo1xFormat.M3MaxDistance)
        {
            distance--;
            if (length <= Lzo1xFormat.M3MaxShortLength)
                *op++ = (byte)(Lzo1xFormat.M3Marker | (length - 2));
            else
                op = PutContinuedLength(op, Lzo1xFormat.M3Marker, length - Lzo1xFormat.M3MaxShortLength);
        }
        else
        {
            distance -= Lzo1xFormat.M3MaxDistance;
            long marker = Lzo1xFormat.M4Marker | ((distance >> 11) & 8);
            if (length <= Lzo1xFormat.M4MaxShortLength)
                *op++ = (byte)(marker | (length - 2));
            else
                op = PutContinuedLength(op, marker, length - Lzo1xFormat.M4MaxShortLength);
        }

        Unsafe.WriteUnaligned(op, (ushort)(distance << 2));
        return op + 2;
    }

    /// <summary>Writes an instruction's first byte, then a length of 1 or more as zero bytes of 255 each and a last byte.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte* PutContinuedLength(byte* op, long marker, long length)
    {
        *op++ = (byte)marker;
        while (length > 255)
        {
            *op++ = 0;
            length -= 255;
        }

        *op = (byte)length;
        return op + 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Read32(byte* p) => Unsafe.ReadUnaligned<uint>(p);

    private readonly struct SmallPage : IPageClass
    {
        public static int HashBits => 12;

        public static bool HasFarMatches => false;
    }

    private readonly struct LargePage : IPageClass
    {
        public const int TableBits = 14;

        public static int HashBits => TableBits;

        public static bool HasFarMatches => true;
    }
}
