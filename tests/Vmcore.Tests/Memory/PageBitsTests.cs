using System.Collections;
using CsCheck;
using Vmcore.Ranges;

namespace Vmcore.Tests.Memory;

/// <summary>Bit maps of words against arrays of booleans.</summary>
public sealed class PageBitsTests
{
    private const int Bits = 320;

    private static readonly Gen<ulong[]> s_words = Gen.OneOf(Gen.ULong, Gen.Const(0ul), Gen.Const(ulong.MaxValue)).Array[Bits / 64];

    [Fact]
    public void RangesAreSetAndCleared() =>
        Gen.Select(s_words, Gen.Int[0, Bits], Gen.Int[0, Bits]).Sample(t =>
        {
            (ulong[] words, int start, int end) = t;
            int count = Math.Max(0, end - start);
            bool[] before = Model(words), set = [.. before], cleared = [.. before];
            for (int i = start; i < start + count; i++)
                (set[i], cleared[i]) = (true, false);
            ulong[] a = [.. words], b = [.. words];
            PageBits.Set(a, start, count);
            Assert.Equal(set, Model(a));
            Assert.Equal(before.Skip(start).Take(count).Count(v => v), PageBits.Clear(b, start, count));
            Assert.Equal(cleared, Model(b));
        });

    [Fact]
    public void BitsAreFoundAndCounted() =>
        Gen.Select(s_words, Gen.Int[0, Bits + 70]).Sample(t =>
        {
            (ulong[] words, int start) = t;
            bool[] model = Model(words);
            Assert.Equal(model.Count(v => v), PageBits.Count(words));
            int set = start, clear = start;
            while (set < Bits && !model[set])
                set++;
            while (clear < Bits && model[clear])
                clear++;
            Assert.Equal(Math.Min(set, Bits), PageBits.NextSet(words, start));
            Assert.Equal(Math.Min(clear, Bits), PageBits.NextClear(words, start));
            if (start < Bits)
                Assert.Equal(model[start], PageBits.Get(words, start));
        });

    [Fact]
    public void SetsFillWindows() =>
        Gen.Select(Gen.Select(Gen.ULong[0, 900], Gen.ULong[0, 200]).Array[0, 8], Gen.ULong[0, 9]).Sample(t =>
        {
            PfnRangeSet set = PfnRangeSet.From(t.Item1.Select(r => new PfnRange(r.Item1, r.Item1 + r.Item2)));
            ulong first = t.Item2 * 64;
            ulong[] words = new ulong[Bits / 64];
            Array.Fill(words, 0x5555555555555555ul);
            PageBits.Fill(words, first, set);
            for (int i = 0; i < Bits; i++)
                Assert.Equal(set.Contains(first + (ulong)i), PageBits.Get(words, i));
        });

    private static bool[] Model(ulong[] words)
    {
        bool[] model = new bool[Bits];
        new BitArray(words.SelectMany(BitConverter.GetBytes).ToArray()).CopyTo(model, 0);
        return model;
    }
}
