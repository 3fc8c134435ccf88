using CsCheck;
using Vmcore.Compression;

namespace Vmcore.Tests.Compression;

/// <summary>Damaged and hostile blocks: no exception, nothing written outside the page, and the right answer where it is known.</summary>
public sealed class DecoderFuzzTests
{
    private const int Guard = 64;

    public static TheoryData<PageCodec> Codecs => [.. PageSamples.Codecs];

    [Theory, MemberData(nameof(Codecs))]
    public void RandomBytes(PageCodec codec)
    {
        using IPageDecompressor decompressor = PageCodecs.CreateDecompressor(codec);
        var random = new Random(1);
        for (int i = 0; i < 5000; i++)
        {
            var block = new byte[random.Next(0, 300)];
            random.NextBytes(block);
            if (block.Length > 4 && i % 2 == 0)
                Header(codec).CopyTo(block, 0);
            Decompress(decompressor, block, 4096);
        }
    }

    [Theory, MemberData(nameof(Codecs))]
    public void FlippedBits(PageCodec codec)
    {
        using IPageDecompressor decompressor = PageCodecs.CreateDecompressor(codec);
        Gen.Select(PageSamples.AnyPage, Gen.Int).Sample(
            (page, seed) =>
            {
                byte[] block = Compress(codec, page);
                if (block.Length == 0)
                    return;
                var random = new Random(seed);
                for (int round = 0; round < 4; round++)
                {
                    byte[] damaged = [.. block];
                    for (int i = random.Next(1, 5); i > 0; i--)
                        damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
                    lock (decompressor)
                        Decompress(decompressor, damaged, page.Length);
                }
            },
            iter: 500);
    }

    [Theory, MemberData(nameof(Codecs))]
    public void ReplacedBytesInTheFirstInstructions(PageCodec codec)
    {
        using IPageDecompressor decompressor = PageCodecs.CreateDecompressor(codec);
        byte[] block = Compress(codec, PageSamples.Page(4096, 7, 11));
        for (int at = 0; at < 40; at++)
        {
            byte original = block[at];
            for (int value = 0; value < 256; value++)
            {
                block[at] = (byte)value;
                Decompress(decompressor, block, 4096);
            }

            block[at] = original;
        }
    }

    [Theory, MemberData(nameof(Codecs))]
    public void EveryTruncationIsRefused(PageCodec codec)
    {
        using IPageDecompressor decompressor = PageCodecs.CreateDecompressor(codec);
        for (int kind = 1; kind < PageSamples.Kinds; kind++)
        {
            byte[] page = PageSamples.Page(4096, kind, kind);
            byte[] block = Compress(codec, page);
            for (int length = 0; length < block.Length; length += 1 + (length / 64))
                Assert.False(Decompress(decompressor, block.AsSpan(0, length).ToArray(), page.Length));
        }
    }

    [Theory, MemberData(nameof(Codecs))]
    public void AnythingAfterTheEndIsRefused(PageCodec codec)
    {
        using IPageDecompressor decompressor = PageCodecs.CreateDecompressor(codec);
        byte[] block = Compress(codec, PageSamples.Page(4096, 4, 1));
        Assert.True(Decompress(decompressor, block, 4096));
        Assert.False(Decompress(decompressor, [.. block, 0], 4096));
        Assert.False(Decompress(decompressor, [.. block, .. block], 4096));
        Assert.True(Decompress(decompressor, block, 4096));
    }

    [Theory, MemberData(nameof(Codecs))]
    public void PagesOfOtherLengthsStayInsideTheirBounds(PageCodec codec)
    {
        using IPageDecompressor decompressor = PageCodecs.CreateDecompressor(codec);
        for (int seed = 0; seed < 60; seed++)
        {
            byte[] block = Compress(codec, PageSamples.Page(4096, 1 + (seed % (PageSamples.Kinds - 1)), seed));
            for (int length = 0; length < 4200; length += 1 + (seed % 97))
                Assert.Equal(length == 4096, Decompress(decompressor, block, length));
        }
    }

    private static byte[] Header(PageCodec codec) => codec switch
    {
        PageCodec.Zlib => [0x78, 0x01],
        PageCodec.Zstd => [0x28, 0xb5, 0x2f, 0xfd],
        PageCodec.Snappy => [0x80, 0x20],
        _ => [0x15],
    };

    private static byte[] Compress(PageCodec codec, byte[] page)
    {
        using IPageCompressor compressor = PageCodecs.CreateCompressor(codec);
        var block = new byte[page.Length];
        return block[..compressor.Compress(page, block)];
    }

    private static bool Decompress(IPageDecompressor decompressor, byte[] block, int length)
    {
        var memory = new byte[Guard + length + Guard];
        memory.AsSpan().Fill(0x5a);
        bool result = decompressor.TryDecompress(block, memory.AsSpan(Guard, length));
        Assert.Equal(-1, memory.AsSpan(0, Guard).IndexOfAnyExcept((byte)0x5a));
        Assert.Equal(-1, memory.AsSpan(Guard + length).IndexOfAnyExcept((byte)0x5a));
        return result;
    }
}
