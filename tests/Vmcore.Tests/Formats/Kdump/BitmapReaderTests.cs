using CsCheck;
using Vmcore.Formats.Kdump;
using Vmcore.Testing;

namespace Vmcore.Tests.Formats.Kdump;

public sealed class BitmapReaderTests
{
    [Fact]
    public void CountsAgreeWithCountingOneByOne()
    {
        // Five chunks and a bit, dense and sparse stretches, at an odd place in the file.
        const int Bits = (5 * 131_072) + 777;
        byte[] file = new byte[100 + ((Bits + 7) / 8)];
        var random = new Random(7);
        random.NextBytes(file);
        file.AsSpan(30_000, 20_000).Clear();
        file.AsSpan(60_000, 5_000).Fill(0xff);
        int[] before = new int[Bits + 1];
        for (int i = 0; i < Bits; i++)
            before[i + 1] = before[i] + ((file[100 + (i / 8)] >> (i % 8)) & 1);
        var reader = new BitmapReader(new KdumpBytes(file), 100, Bits);
        Assert.Equal((ulong)Bits, reader.ReadablePfns);
        Gen.Int[0, Bits - 1].Sample(
            pfn => reader.CountBefore((ulong)pfn) == (ulong)before[pfn] && reader.Get((ulong)pfn) == (before[pfn + 1] > before[pfn]),
            iter: 5000);
    }

    [Fact]
    public void BitsBeyondTheEndOfTheFileAreUnknown()
    {
        byte[] file = new byte[50];
        file.AsSpan().Fill(0xff);
        var reader = new BitmapReader(new KdumpBytes(file), 10, 1_000_000);
        Assert.Equal(320UL, reader.ReadablePfns);
        Assert.True(reader.Get(319));
        Assert.Null(reader.Get(320));
        Assert.Null(reader.Get(1UL << 50));
        byte[] bits = new byte[60];
        Assert.False(reader.Read(0, bits));
        Assert.Equal(40, bits.Count(b => b == 0xff));
        Assert.Equal(0, bits[40]);
    }

    [Fact]
    public void ChunksThatShareAPlaceInTheCacheDoNotMix()
    {
        // 33 chunks: the first and the last share a place.
        byte[] file = new byte[33 * BitmapReader.ChunkBytes];
        file[0] = 1;
        file[^BitmapReader.ChunkBytes] = 2;
        var reader = new BitmapReader(new KdumpBytes(file), 0, (ulong)file.Length * 8);
        ulong last = 32UL << BitmapReader.ChunkShift;
        for (int i = 0; i < 3; i++)
        {
            Assert.True(reader.Get(0));
            Assert.False(reader.Get(last));
            Assert.True(reader.Get(last + 1));
            Assert.Equal(2UL, reader.CountBefore(last + 5));
        }
    }
}
