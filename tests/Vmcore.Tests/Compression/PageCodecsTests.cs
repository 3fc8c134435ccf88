using CsCheck;
using Vmcore.Compression;

namespace Vmcore.Tests.Compression;

public sealed class PageCodecsTests
{
    public static TheoryData<PageCodec> Codecs => [.. PageSamples.Codecs];

    [Theory, MemberData(nameof(Codecs))]
    public void EveryPageComesBack(PageCodec codec) => PageSamples.AnyPage.Sample(
        page =>
        {
            using IPageCompressor compressor = PageCodecs.CreateCompressor(codec);
            using IPageDecompressor decompressor = PageCodecs.CreateDecompressor(codec);
            AssertRoundTrip(compressor, decompressor, page);
        },
        iter: 400);

    [Theory, MemberData(nameof(Codecs))]
    public void OneInstanceServesPagesOfAllSizesAndDependsOnNoneBefore(PageCodec codec)
    {
        using IPageCompressor compressor = PageCodecs.CreateCompressor(codec);
        using IPageDecompressor decompressor = PageCodecs.CreateDecompressor(codec);
        Assert.Equal(codec, compressor.Codec);
        var output = new byte[70_000];
        for (int seed = 0; seed < 400; seed++)
        {
            byte[] page = PageSamples.Page(4096 << (seed % 5), seed % PageSamples.Kinds, seed);
            int length = AssertRoundTrip(compressor, decompressor, page);
            compressor.Compress(page, output);
            using IPageCompressor fresh = PageCodecs.CreateCompressor(codec);
            var again = new byte[70_000];
            Assert.Equal(length, fresh.Compress(page, again));
            Assert.Equal(output.AsSpan(0, length), again.AsSpan(0, length));
        }
    }

    [Theory, MemberData(nameof(Codecs))]
    public void APageOfOneMebibyteComesBack(PageCodec codec)
    {
        using IPageCompressor compressor = PageCodecs.CreateCompressor(codec);
        using IPageDecompressor decompressor = PageCodecs.CreateDecompressor(codec);
        if (codec == PageCodec.Lzo)
        {
            // Beyond what the encoder's table reaches, a page is stored.
            Assert.Equal(0, compressor.Compress(PageSamples.Page(1 << 20, 0, 0), new byte[1 << 20]));
            return;
        }

        for (int kind = 0; kind < PageSamples.Kinds; kind++)
            AssertRoundTrip(compressor, decompressor, PageSamples.Page(1 << 20, kind, kind));
    }

    /// <summary>Noise with one short repetition: the block is about as long as the page, and there is room for a longer one.</summary>
    [Theory, MemberData(nameof(Codecs))]
    public void ABlockIsAlwaysSmallerThanItsPage(PageCodec codec)
    {
        using IPageCompressor compressor = PageCodecs.CreateCompressor(codec);
        var output = new byte[3 * 4096];
        for (int repeated = 4; repeated < 64; repeated++)
        {
            var page = new byte[4096];
            new Random(repeated).NextBytes(page);
            page.AsSpan(0, repeated).CopyTo(page.AsSpan(1000));
            Assert.InRange(compressor.Compress(page, output), 0, page.Length - 1);
        }
    }

    [Theory, MemberData(nameof(Codecs))]
    public void WhatDoesNotGetSmallerGivesZero(PageCodec codec)
    {
        using IPageCompressor compressor = PageCodecs.CreateCompressor(codec);
        foreach (int size in new[] { 0, 1, 2, 3, 4096, 65536 })
        {
            byte[] page = PageSamples.Page(size, 0, 7);
            Assert.Equal(0, compressor.Compress(page, new byte[Math.Max(0, size - 1)]));
            Assert.Equal(0, compressor.Compress(page, new byte[(2 * size) + 100]));
        }
    }

    [Theory, MemberData(nameof(Codecs))]
    public void StructuredPagesGetSmaller(PageCodec codec)
    {
        using IPageCompressor compressor = PageCodecs.CreateCompressor(codec);
        var output = new byte[4095];
        Assert.InRange(compressor.Compress(PageSamples.Page(4096, 1, 5), output), 1, 300);
        Assert.InRange(compressor.Compress(PageSamples.Page(4096, 3, 5), output), 1, 3500);
        Assert.InRange(compressor.Compress(PageSamples.Page(4096, 4, 5), output), 1, 2500);
    }

    [Theory, MemberData(nameof(Codecs))]
    public void AnOutputOfTheLeastLengthGivesTheSameBlockAndNothingIsWrittenPastIt(PageCodec codec)
    {
        using IPageCompressor compressor = PageCodecs.CreateCompressor(codec);
        for (int seed = 0; seed < 200; seed++)
        {
            byte[] page = PageSamples.Page(4096, seed % PageSamples.Kinds, seed);
            var roomy = new byte[10_000];
            var tight = new byte[4095 + 64];
            tight.AsSpan(4095).Fill(0xa5);
            int length = compressor.Compress(page, roomy);
            Assert.Equal(length, compressor.Compress(page, tight.AsSpan(0, 4095)));
            Assert.Equal(roomy.AsSpan(0, length), tight.AsSpan(0, length));
            Assert.Equal(-1, tight.AsSpan(4095).IndexOfAnyExcept((byte)0xa5));
        }
    }

    [Theory, MemberData(nameof(Codecs))]
    public void APageOfAnotherSizeIsRefused(PageCodec codec)
    {
        using IPageCompressor compressor = PageCodecs.CreateCompressor(codec);
        using IPageDecompressor decompressor = PageCodecs.CreateDecompressor(codec);
        var block = new byte[4095];
        int length = compressor.Compress(PageSamples.Page(4096, 4, 1), block);
        Assert.NotEqual(0, length);
        foreach (int size in new[] { 0, 1, 4080, 4095, 4097, 4112, 8192 })
            Assert.False(decompressor.TryDecompress(block.AsSpan(0, length), new byte[size]));
        Assert.True(decompressor.TryDecompress(block.AsSpan(0, length), new byte[4096]));
    }

    [Theory, MemberData(nameof(Codecs))]
    public void SteadyWorkDoesNotAllocateForEachPage(PageCodec codec)
    {
        using IPageCompressor compressor = PageCodecs.CreateCompressor(codec);
        using IPageDecompressor decompressor = PageCodecs.CreateDecompressor(codec);
        byte[] page = PageSamples.Page(4096, 4, 1);
        var block = new byte[4095];
        var back = new byte[4096];
        for (int i = 0; i < 10; i++)
            decompressor.TryDecompress(block.AsSpan(0, compressor.Compress(page, block)), back);
        // A collection that other tests cause counts what is left of this thread's buffer as allocated: the least of some tries is ours.
        long least = long.MaxValue;
        for (int tries = 0; tries < 20; tries++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 100; i++)
                decompressor.TryDecompress(block.AsSpan(0, compressor.Compress(page, block)), back);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        // The snappy library makes two small objects for each block; no buffer.
        Assert.InRange(least, 0, codec == PageCodec.Snappy ? 100 * 64 : 0);
    }

    [Fact]
    public void AStoredPageIsCopied()
    {
        using IPageDecompressor decompressor = PageCodecs.CreateDecompressor(PageCodec.None);
        byte[] page = PageSamples.Page(4096, 0, 1);
        var back = new byte[4096];
        Assert.True(decompressor.TryDecompress(page, back));
        Assert.Equal(page, back);
        Assert.False(decompressor.TryDecompress(page.AsSpan(1), back));
    }

    [Fact]
    public void OnlyCodecsAreMade()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => PageCodecs.CreateCompressor(PageCodec.None));
        Assert.Throws<ArgumentOutOfRangeException>(() => PageCodecs.CreateCompressor((PageCodec)3));
        Assert.Throws<ArgumentOutOfRangeException>(() => PageCodecs.CreateDecompressor((PageCodec)0x40));
    }

    [Theory]
    [InlineData(0u, true)]
    [InlineData(1u, true)]
    [InlineData(2u, true)]
    [InlineData(4u, true)]
    [InlineData(0x20u, true)]
    [InlineData(3u, false)]
    [InlineData(8u, false)]
    [InlineData(0x10u, false)]
    [InlineData(0x21u, false)]
    [InlineData(0x80000002u, false)]
    public void FlagsNameAtMostOneCodec(uint flags, bool valid)
    {
        Assert.Equal(valid, PageCodecs.TryFromFlags(flags, out PageCodec codec));
        Assert.Equal(valid ? (PageCodec)flags : PageCodec.None, codec);
    }

    private static int AssertRoundTrip(IPageCompressor compressor, IPageDecompressor decompressor, byte[] page)
    {
        var block = new byte[page.Length - 1];
        int length = compressor.Compress(page, block);
        Assert.InRange(length, 0, page.Length - 1);
        if (length == 0)
            return 0;
        var back = new byte[page.Length];
        Assert.True(decompressor.TryDecompress(block.AsSpan(0, length), back));
        Assert.Equal(page.AsSpan(), back.AsSpan());
        return length;
    }
}
