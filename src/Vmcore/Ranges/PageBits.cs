using System.Numerics;

namespace Vmcore.Ranges;

/// <summary>Bit maps with one bit a page, LSB first, as 64-bit words: the form that windows of pages are handled in.</summary>
internal static class PageBits
{
    /// <summary>Sets the bits of the pages that are in a set and clears the others.</summary>
    /// <param name="bits">The map.</param>
    /// <param name="firstPfn">pfn of bit 0.</param>
    /// <param name="set">The set.</param>
    public static void Fill(Span<ulong> bits, ulong firstPfn, PfnRangeSet set)
    {
        bits.Clear();
        var window = new PfnRange(firstPfn, firstPfn + ((ulong)bits.Length * 64));
        for (int i = set.IndexAtOrAfter(firstPfn); i < set.Count && set[i].Start < window.End; i++)
        {
            PfnRange part = set[i].Intersect(window);
            Set(bits, (int)(part.Start - firstPfn), (int)part.Count);
        }
    }

    /// <summary>Sets <paramref name="count"/> bits from bit <paramref name="start"/> on.</summary>
    public static void Set(Span<ulong> bits, int start, int count)
    {
        int end = start + count;
        for (int word = start >> 6; word << 6 < end; word++)
            bits[word] |= Mask(word, start, end);
    }

    /// <summary>Clears <paramref name="count"/> bits from bit <paramref name="start"/> on.</summary>
    /// <returns>How many of them were set.</returns>
    public static int Clear(Span<ulong> bits, int start, int count)
    {
        int end = start + count, cleared = 0;
        for (int word = start >> 6; word << 6 < end; word++)
        {
            ulong mask = Mask(word, start, end);
            cleared += BitOperations.PopCount(bits[word] & mask);
            bits[word] &= ~mask;
        }

        return cleared;
    }

    /// <summary>Clears those of <paramref name="count"/> bits that are set in one map, in that map and in another of the same pages.</summary>
    /// <returns>How many bits of the other map that cleared.</returns>
    public static int ClearInBoth(Span<ulong> bits, Span<ulong> other, int start, int count)
    {
        int end = start + count, cleared = 0;
        for (int word = start >> 6; word << 6 < end; word++)
        {
            ulong set = bits[word] & Mask(word, start, end);
            cleared += BitOperations.PopCount(set & other[word]);
            bits[word] &= ~set;
            other[word] &= ~set;
        }

        return cleared;
    }

    /// <summary>The bit of one page.</summary>
    public static bool Get(ReadOnlySpan<ulong> bits, int index) => (bits[index >> 6] >> (index & 63) & 1) != 0;

    /// <summary>Number of set bits.</summary>
    public static int Count(ReadOnlySpan<ulong> bits)
    {
        int count = 0;
        foreach (ulong word in bits)
            count += BitOperations.PopCount(word);
        return count;
    }

    /// <summary>Number of set bits among the first <paramref name="length"/>.</summary>
    public static int Count(ReadOnlySpan<ulong> bits, int length)
    {
        int count = Count(bits[..(length >> 6)]);
        return (length & 63) == 0 ? count : count + BitOperations.PopCount(bits[length >> 6] & ((1UL << (length & 63)) - 1));
    }

    /// <summary>Index of the first set bit at or after <paramref name="start"/>; the number of bits if there is none.</summary>
    public static int NextSet(ReadOnlySpan<ulong> bits, int start) => Next(bits, start, 0);

    /// <summary>Index of the first clear bit at or after <paramref name="start"/>; the number of bits if there is none.</summary>
    public static int NextClear(ReadOnlySpan<ulong> bits, int start) => Next(bits, start, ulong.MaxValue);

    private static int Next(ReadOnlySpan<ulong> bits, int start, ulong flip)
    {
        int word = start >> 6;
        if (word >= bits.Length)
            return bits.Length << 6;
        ulong value = (bits[word] ^ flip) & (ulong.MaxValue << (start & 63));
        while (value == 0)
        {
            if (++word >= bits.Length)
                return bits.Length << 6;
            value = bits[word] ^ flip;
        }

        return (word << 6) + BitOperations.TrailingZeroCount(value);
    }

    private static ulong Mask(int word, int start, int end)
    {
        int from = Math.Max(start - (word << 6), 0), to = Math.Min(end - (word << 6), 64);
        if (to <= from)
            return 0;
        return (to - from == 64 ? ulong.MaxValue : (1UL << (to - from)) - 1) << from;
    }
}
