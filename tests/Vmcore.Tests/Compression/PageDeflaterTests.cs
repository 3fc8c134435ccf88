using System.IO.Compression;
using System.Numerics;
using CsCheck;
using Vmcore.Compression;

namespace Vmcore.Tests.Compression;

/// <summary>Streams of single pages, read back by another decoder than ours.</summary>
public sealed class PageDeflaterTests
{
    private const int Kinds = 10;

    [Fact]
    public void PagesOfAnyLengthAndExtremeStatisticsComeBack()
    {
        using var deflaters = new ThreadLocal<PageDeflater>(static () => new());
        Gen.Select(Gen.OneOf(Gen.Const(PageDeflater.MinPage), Gen.Const(4096), Gen.Const(PageDeflater.MaxPage),
            Gen.Int[PageDeflater.MinPage, PageDeflater.MaxPage]), Gen.Int[0, Kinds - 1], Gen.Int)
            .Sample((length, kind, seed) => AssertRoundTrip(deflaters.Value!, Page(length, kind, seed)), iter: 3000);
    }

    [Fact]
    public void MatchesOfEveryLengthComeBack()
    {
        var deflater = new PageDeflater();
        for (int length = 4; length < 1100; length++)
        {
            byte[] page = new byte[4096];
            new Random(length).NextBytes(page);
            page.AsSpan(7, length).CopyTo(page.AsSpan(1500 + (length % 900)));
            page.AsSpan(3000).Clear();
            AssertRoundTrip(deflater, page);
        }
    }

    private static byte[] Page(int length, int kind, int seed)
    {
        var random = new Random(seed);
        byte[] page = new byte[length];
        switch (kind)
        {
            case 0: // Counts like Fibonacci's numbers: codes as long as they get.
                int at = 0;
                for (int symbol = 0, a = 1, b = 1; at < length; symbol++, (a, b) = (b, a + b))
                {
                    for (int i = 0; i < a && at < length; i++)
                        page[at++] = (byte)symbol;
                }

                random.Shuffle(page);
                break;
            case 1: // All symbols once, then one that fills the rest.
                for (int i = 0; i < length; i++)
                    page[i] = (byte)(i < 256 ? i : seed);
                random.Shuffle(page);
                break;
            case 2: // Geometric: each symbol half as often as the one before.
                for (int i = 0; i < length; i++)
                    page[i] = (byte)BitOperations.TrailingZeroCount(random.Next() | 1 << 30);
                break;
            case 3: // One byte.
                page.AsSpan().Fill((byte)seed);
                break;
            case 4: // A short period: matches that overlap themselves.
                int period = 1 + random.Next(9);
                for (int i = 0; i < length; i++)
                    page[i] = i < period ? (byte)random.Next() : page[i - period];
                break;
            case 5: // Noise with copies of itself from all distances.
                random.NextBytes(page);
                for (int i = random.Next(40); i < length;)
                {
                    int size = Math.Min(4 + random.Next(random.Next(2) == 0 ? 20 : 600), length - i), from = random.Next(i + 1);
                    for (int k = 0; k < size; k++)
                        page[i + k] = page[from + k];
                    i += size + random.Next(3);
                }

                break;
            case 6: // Noise.
                random.NextBytes(page);
                break;
            case 7: // Noise of few symbols: about as many bits as there are, or fewer.
                int symbols = 2 + random.Next(254);
                for (int i = 0; i < length; i++)
                    page[i] = (byte)random.Next(symbols);
                break;
            case 8: // Zero but for a few bytes.
                for (int i = random.Next(8); i > 0; i--)
                    page[random.Next(length)] = (byte)random.Next();
                break;
            default: // Words of the kernel.
                for (int i = 0; i + 8 <= length; i += 8)
                    BitConverter.TryWriteBytes(page.AsSpan(i), random.Next(3) == 0 ? 0ul : 0xffff_8880_0000_0000 | (uint)random.Next(1 << random.Next(1, 30)));
                break;
        }

        return page;
    }

    private static void AssertRoundTrip(PageDeflater deflater, byte[] page)
    {
        byte[] output = new byte[page.Length + PageDeflater.Slack + 64];
        output.AsSpan(page.Length + PageDeflater.Slack).Fill(0xa5);
        int length = deflater.Compress(page, output.AsSpan(0, page.Length + PageDeflater.Slack));
        Assert.InRange(length, 0, page.Length - 1);
        Assert.Equal(-1, output.AsSpan(page.Length + PageDeflater.Slack).IndexOfAnyExcept((byte)0xa5));
        if (length == 0)
            return;
        byte[] back = new byte[page.Length + 1];
        using var input = new ZLibStream(new MemoryStream(output, 0, length), CompressionMode.Decompress);
        Assert.Equal(page.Length, input.ReadAtLeast(back, back.Length, throwOnEndOfStream: false));
        Assert.Equal(page.AsSpan(), back.AsSpan(0, page.Length));
    }
}
