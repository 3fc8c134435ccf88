using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Vmcore.Compression;

/// <summary>
/// Compresses single pages into zlib streams of one block with codes of its own. Two candidates a position, from a table of 4-byte sequences that fits
/// the first-level cache: a general compressor spends a good part of its time clearing tables that are made for long input. Not thread-safe.
/// </summary>
internal sealed unsafe class PageDeflater
{
    /// <summary>Shortest and longest page in bytes.</summary>
    public const int MinPage = 256, MaxPage = 1 << 14;

    /// <summary>Bytes behind the end of a block that are written too.</summary>
    public const int Slack = 16;

    private const int HashBits = 12;
    private const int MinMatch = 4;

    /// <summary>Longest code in bits: three of them and what is left of a byte fit a word.</summary>
    private const int MaxCode = 14;

    /// <summary>No match starts in the last bytes, so that words can be read.</summary>
    private const int Tail = 16;

    /// <summary>Every position of a match up to this length is entered into the table, of a longer one the last two.</summary>
    private const int FullyEntered = 6;

    /// <summary>A first candidate as long as this is taken without a look at the second.</summary>
    private const int GoodMatch = 32;

    /// <summary>A match has 4 bytes or more.</summary>
    private const int MaxMatches = MaxPage / MinMatch;

    // Pinned, so that its parts have addresses.
    private readonly byte[] _memory = GC.AllocateArray<byte>(sizeof(State), pinned: true);

    /// <summary>Compresses a page.</summary>
    /// <param name="page">The page, <see cref="MinPage"/> to <see cref="MaxPage"/> bytes.</param>
    /// <param name="output">Receives the stream; at least the page's length and <see cref="Slack"/>.</param>
    /// <returns>The stream's length in bytes, less than the page's; 0 if the page does not get smaller.</returns>
    /// <exception cref="ArgumentException">A length is out of range.</exception>
    public int Compress(ReadOnlySpan<byte> page, Span<byte> output)
    {
        if (page.Length is < MinPage or > MaxPage)
            throw new ArgumentException("The page's length is out of range.", nameof(page));
        if (output.Length < page.Length + Slack)
            throw new ArgumentException("The output is too short.", nameof(output));
        fixed (byte* input = page, block = output)
        fixed (byte* slots = DeflateFormat.LengthSlots, memory = _memory)
        {
            var state = (State*)memory;
            Parse(state, input, page.Length);
            Count(state, input, page.Length, slots);
            int length = MakeCodes(state);
            if (length >= page.Length)
                return 0;
            byte* end = Write(state, input, page.Length, block, slots);
            BinaryPrimitives.WriteUInt32BigEndian(new(end, 4), LibDeflate.Adler32(1, input, (nuint)page.Length));
            return (int)(end + 4 - block);
        }
    }

    /// <summary>
    /// Finds the matches. Nothing is counted here, and the search is a loop of its own with variables that end with it: they are to stay in registers.
    /// </summary>
    private static void Parse(State* state, byte* input, long length)
    {
        uint* table = state->Table;
        new Span<uint>(table, 1 << HashBits).Clear();
        Match* matches = state->Matches;
        long literal = 0, limit = length - Tail;

        // An entry holds two positions, the later one in the low half. One that was not set is a candidate at position 0.
        for (long at = 1; at < limit;)
        {
            long from, far, best = 0;
            uint sequence;
            while (true)
            {
                sequence = Read32(input + at);
                uint hash = Hash(sequence);
                uint both = table[hash];
                table[hash] = (both << 16) | (uint)at;
                from = both & 0xffff;
                far = both >> 16;
                if (Read32(input + from) == sequence)
                {
                    best = MatchLength(input, at, from, length);
                    break;
                }

                if (Read32(input + far) == sequence)
                    break;
                if (++at >= limit)
                    goto Done;
            }

            if (best < GoodMatch && far != from && Read32(input + far) == sequence)
            {
                long other = MatchLength(input, at, far, length);
                if (other > best)
                {
                    best = other;
                    from = far;
                }
            }

            *matches++ = new() { Literals = (ushort)(at - literal), Length = (ushort)best, Distance = (ushort)(at - from) };
            literal = at + best;
            long last = Math.Min(literal, limit);
            for (long i = best <= FullyEntered ? at + 1 : Math.Max(at + 1, last - 2); i < last; i++)
            {
                uint hash = Hash(Read32(input + i));
                table[hash] = (table[hash] << 16) | (uint)i;
            }

            at = literal;
        }

    Done:
        state->MatchCount = (int)(matches - state->Matches);
    }

    /// <summary>Counts the symbols. A match that is too long for one is cut as it is counted, and again as it is written.</summary>
    private static void Count(State* state, byte* input, int length, byte* slots)
    {
        uint* literals = state->LiteralCounts, distances = state->DistanceCounts;
        new Span<uint>(literals, DeflateFormat.LiteralSymbols).Clear();
        new Span<uint>(distances, DeflateFormat.DistanceSymbols).Clear();
        byte* at = input;
        Match* end = state->Matches + state->MatchCount;
        for (Match* match = state->Matches; match < end; match++)
        {
            int run = match->Literals;
            for (; run > 2; run--)
                literals[*at++]++;
            // Whether one or two are left cannot be foretold, so nothing branches on it.
            literals[at[0]] += (uint)-run >> 31;
            literals[at[1]] += (uint)(1 - run) >> 31;
            at += run;
            int slot = DistanceSlot(match->Distance);
            match->DistanceSlot = (ushort)slot;
            at += match->Length;
            for (int left = match->Length; left > 0;)
            {
                int piece = Piece(left);
                literals[DeflateFormat.FirstLength + slots[piece]]++;
                distances[slot]++;
                left -= piece;
            }
        }

        for (byte* stop = input + length; at < stop; at++)
            literals[*at]++;
        literals[DeflateFormat.EndOfBlock]++;
    }

    /// <summary>How much of a match goes into its first symbol: no piece is shorter than the shortest match.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Piece(int length) =>
        length <= DeflateFormat.MaxMatch ? length : length < DeflateFormat.MaxMatch + MinMatch ? length - MinMatch : DeflateFormat.MaxMatch;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long MatchLength(byte* input, long at, long earlier, long end)
    {
        long length = MinMatch;
        while (at + length <= end - 8)
        {
            ulong difference = Unsafe.ReadUnaligned<ulong>(input + at + length) ^ Unsafe.ReadUnaligned<ulong>(input + earlier + length);
            if (difference != 0)
                return length + (BitOperations.TrailingZeroCount(difference) >> 3);
            length += 8;
        }

        while (at + length < end && input[at + length] == input[earlier + length])
            length++;
        return length;
    }

    /// <summary>Makes the three codes.</summary>
    /// <returns>Length of the stream in bytes.</returns>
    private static int MakeCodes(State* state)
    {
        uint bits = HuffmanCode.Build(state->LiteralCounts, DeflateFormat.LiteralSymbols, MaxCode, state->LiteralLengths, state->LiteralCodes);
        bits += HuffmanCode.Build(state->DistanceCounts, DeflateFormat.DistanceSymbols, MaxCode, state->DistanceLengths, state->DistanceCodes);
        int literals = DeflateFormat.LiteralSymbols, distances = DeflateFormat.DistanceSymbols, lengths = DeflateFormat.LengthSymbols;
        while (literals > DeflateFormat.FirstLength && state->LiteralLengths[literals - 1] == 0)
            literals--;
        while (distances > 1 && state->DistanceLengths[distances - 1] == 0)
            distances--;
        byte* all = stackalloc byte[DeflateFormat.LiteralSymbols + DeflateFormat.DistanceSymbols];
        Unsafe.CopyBlock(all, state->LiteralLengths, (uint)literals);
        Unsafe.CopyBlock(all + literals, state->DistanceLengths, (uint)distances);
        new Span<uint>(state->PreCounts, DeflateFormat.LengthSymbols).Clear();
        state->ItemCount = RunLengths(all, literals + distances, state->Items, state->PreCounts);
        bits += HuffmanCode.Build(state->PreCounts, DeflateFormat.LengthSymbols, DeflateFormat.MaxPreCode, state->PreLengths, state->PreCodes);
        while (lengths > 4 && state->PreLengths[DeflateFormat.PreCodeOrder[lengths - 1]] == 0)
            lengths--;
        (state->LiteralSymbols, state->DistanceSymbols, state->LengthSymbols) = (literals, distances, lengths);

        bits += 3 + 14 + (3 * (uint)lengths) + (2 * state->PreCounts[16]) + (3 * state->PreCounts[17]) + (7 * state->PreCounts[18]);
        // The extra bits.
        for (int i = 8; i < DeflateFormat.LengthExtra.Length; i++)
            bits += state->LiteralCounts[DeflateFormat.FirstLength + i] * DeflateFormat.LengthExtra[i];
        for (int i = 4; i < distances; i++)
            bits += state->DistanceCounts[i] * (uint)DeflateFormat.DistanceExtra(i);
        const int HeaderAndSum = 2 + 4;
        return HeaderAndSum + (int)((bits + 7) / 8);
    }

    /// <summary>Puts the lengths of the codes as runs: symbol in the low five bits, extra bits above.</summary>
    private static int RunLengths(byte* lengths, int count, ushort* items, uint* counts)
    {
        int written = 0;
        for (int i = 0; i < count;)
        {
            byte value = lengths[i];
            int run = 1;
            while (i + run < count && lengths[i + run] == value)
                run++;
            i += run;
            if (value != 0 && run >= 4)
            {
                items[written++] = value;
                counts[value]++;
                run--;
                for (; run >= 3; run -= Math.Min(run, 6))
                {
                    items[written++] = (ushort)(16 | ((Math.Min(run, 6) - 3) << 5));
                    counts[16]++;
                }
            }

            for (; value == 0 && run >= 11; run -= Math.Min(run, 138))
            {
                items[written++] = (ushort)(18 | ((Math.Min(run, 138) - 11) << 5));
                counts[18]++;
            }

            if (value == 0 && run >= 3)
            {
                items[written++] = (ushort)(17 | ((run - 3) << 5));
                counts[17]++;
                run = 0;
            }

            for (; run > 0; run--)
            {
                items[written++] = value;
                counts[value]++;
            }
        }

        return written;
    }

    private static int RepeatExtra(int symbol) => symbol switch { 16 => 2, 17 => 3, 18 => 7, _ => 0 };

    private static byte* Write(State* state, byte* input, int length, byte* output, byte* slots)
    {
        // zlib, window of 32 KiB, fastest level; then the one and last block, with codes of its own.
        output[0] = 0x78;
        output[1] = 0x01;
        var writer = new BitWriter(output + 2);
        writer.Put(5, 3);
        writer.Put((uint)(state->LiteralSymbols - DeflateFormat.FirstLength), 5);
        writer.Put((uint)(state->DistanceSymbols - 1), 5);
        writer.Put((uint)(state->LengthSymbols - 4), 4);
        writer.Flush();
        for (int i = 0; i < state->LengthSymbols; i++)
        {
            writer.Put(state->PreLengths[DeflateFormat.PreCodeOrder[i]], 3);
            writer.Flush();
        }

        for (int i = 0; i < state->ItemCount; i++)
        {
            int symbol = state->Items[i] & 31;
            writer.PutCode(state->PreCodes[symbol]);
            writer.Put((uint)(state->Items[i] >> 5), RepeatExtra(symbol));
            writer.Flush();
        }

        return WriteSymbols(state, input, length, writer, slots);
    }

    private static byte* WriteSymbols(State* state, byte* input, int length, BitWriter writer, byte* slots)
    {
        uint* codes = state->LiteralCodes, lengths = codes + DeflateFormat.FirstLength, distances = state->DistanceCodes;
        for (int i = 8; i < DeflateFormat.LengthExtra.Length; i++)
            lengths[i] |= (uint)DeflateFormat.LengthExtra[i] << 24;
        for (int i = 4; i < DeflateFormat.DistanceSymbols; i++)
            distances[i] |= (uint)DeflateFormat.DistanceExtra(i) << 24;
        byte* at = input;
        Match* end = state->Matches + state->MatchCount;
        for (Match* next = state->Matches; next < end; next++)
        {
            Match match = *next;
            int run = match.Literals;
            for (; run > 2; run -= 3, at += 3)
            {
                writer.PutLiteral(codes[at[0]]);
                writer.PutLiteral(codes[at[1]]);
                writer.PutLiteral(codes[at[2]]);
                writer.Flush();
            }

            // Whether one or two are left cannot be foretold, so nothing branches on it: a symbol too many has no bits.
            writer.PutLiteral(codes[at[0]] & (uint)(-run >> 31));
            writer.PutLiteral(codes[at[1]] & (uint)((1 - run) >> 31));
            writer.Flush();
            at += run + match.Length;
            uint distance = distances[match.DistanceSlot];
            int left = match.Length;
            do
            {
                int piece = Piece(left), slot = slots[piece];
                writer.PutCode(lengths[slot]);
                writer.Put((uint)(piece - DeflateFormat.LengthBase[slot]), (int)(lengths[slot] >> 24));
                writer.PutCode(distance);
                writer.Put((uint)(match.Distance - 1) & ((1u << (int)(distance >> 24)) - 1), (int)(distance >> 24));
                writer.Flush();
                left -= piece;
            }
            while (left > 0);
        }

        for (byte* stop = input + length; at < stop; at++)
        {
            writer.PutLiteral(codes[*at]);
            writer.Flush();
        }

        writer.PutCode(codes[DeflateFormat.EndOfBlock]);
        return writer.End();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int DistanceSlot(int distance)
    {
        uint value = (uint)distance - 1;
        if (value < 4)
            return (int)value;
        int log = BitOperations.Log2(value);
        return (2 * log) + (int)(value >> (log - 1) & 1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Hash(uint sequence) => (sequence * 2654435761u) >> (32 - HashBits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Read32(byte* at) => Unsafe.ReadUnaligned<uint>(at);

    /// <summary>Some literals, then a match.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Match
    {
        public ushort Literals;
        public ushort Length;
        public ushort Distance;
        public ushort DistanceSlot;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct State
    {
        public fixed uint Table[1 << HashBits];
        public fixed uint LiteralCounts[288];
        public fixed uint DistanceCounts[32];
        public fixed uint PreCounts[20];
        public fixed uint LiteralCodes[288];
        public fixed uint DistanceCodes[32];
        public fixed uint PreCodes[20];
        public fixed ushort Items[320];
        public fixed byte LiteralLengths[288];
        public fixed byte DistanceLengths[32];
        public fixed byte PreLengths[20];
        public int MatchCount;
        public int ItemCount;
        public int LiteralSymbols;
        public int DistanceSymbols;
        public int LengthSymbols;
        private fixed ulong _matches[MaxMatches];

        public Match* Matches => (Match*)Unsafe.AsPointer(ref _matches[0]);
    }
}
