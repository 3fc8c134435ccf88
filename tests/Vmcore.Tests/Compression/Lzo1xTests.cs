using CsCheck;
using Vmcore.Compression;

namespace Vmcore.Tests.Compression;

public sealed class Lzo1xTests
{
    private static readonly Lzo1xEncoder Shared = new();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void DecodesWhatTheReferenceCompresses(bool best) => Gen.OneOf(PageSamples.AnyPage, PageSamples.AnyData).Sample(
        data =>
        {
            byte[] block = LzoReference.Compress(data, best);
            var back = new byte[data.Length];
            Assert.True(Lzo1xDecoder.TryDecode(block, back));
            Assert.Equal(data.AsSpan(), back.AsSpan());
        },
        iter: best ? 300 : 1500);

    [Fact]
    public void TheReferenceDecodesWhatIsEncoded() => Gen.OneOf(PageSamples.AnyPage, PageSamples.AnyData).Sample(
        data =>
        {
            byte[] block = Encode(data);
            if (block.Length == 0)
                return;
            var back = new byte[data.Length];
            Assert.True(LzoReference.TryDecompress(block, back));
            Assert.Equal(data.AsSpan(), back.AsSpan());
            Assert.Equal(new byte[] { 0x11, 0, 0 }, block[^3..]);
        },
        iter: 2000);

    [Fact]
    public void EveryLengthAndBorderOfDistanceIsEncodedRightly()
    {
        var random = new Random(1);
        foreach (int distance in new[] { 4, 5, 2047, 2048, 2049, 16383, 16384, 16385, 32767, 32768, 32769, 49150, 49151, 49152 })
        {
            foreach (int length in (int[])[4, 5, 8, 9, 10, 32, 33, 34, 35, 255, 288, 289, 290, 543, 544, 1000])
            {
                // Zeros make the whole compressible wherever the match itself cannot be taken.
                var data = new byte[distance + 1200];
                random.NextBytes(data.AsSpan(0, length));
                for (int i = 0; i < length; i++)
                    data[distance + i] = data[i];
                AssertDecodes(data);
            }
        }
    }

    [Fact]
    public void EveryLengthOfALiteralRunIsEncodedRightly()
    {
        var random = new Random(2);
        for (int run = 0; run < 600; run++)
        {
            foreach (int before in (int[])[0, 64])
            {
                var data = new byte[before + run + 1500];
                random.NextBytes(data.AsSpan(before, run));
                AssertDecodes(data);
            }
        }
    }

    [Fact]
    public void BlocksAreHardlyLargerThanTheReferences()
    {
        long ours = 0;
        long reference = 0;
        for (int seed = 0; seed < 400; seed++)
        {
            byte[] page = PageSamples.Page(4096 << (seed % 5), 3 + (seed % 6), seed);
            int length = Encode(page).Length;
            ours += length == 0 ? page.Length : length;
            reference += Math.Min(page.Length, LzoReference.Compress(page, best: false).Length);
        }

        Assert.InRange(ours, 1, reference * 101 / 100);
    }

    [Fact]
    public void BothDecodersAgreeOnDamagedBlocks() => Gen.Select(PageSamples.AnyPage, Gen.Int).Sample(
        (page, seed) =>
        {
            byte[] block = LzoReference.Compress(page, best: false);
            var random = new Random(seed);
            for (int i = random.Next(1, 4); i > 0; i--)
                block[random.Next(Math.Min(block.Length, 200))] ^= (byte)(1 << random.Next(8));
            var ours = new byte[page.Length];
            var theirs = new byte[page.Length];

            bool accepted = LzoReference.TryDecompress(block, theirs);
            bool decoded = Lzo1xDecoder.TryDecode(block, ours);

            // An end marker with a length of its own or other needless bits is taken by the reference alone.
            int last = block.AsSpan(0, block.Length - 3).LastIndexOfAnyExcept((byte)0);
            bool oddEnd = !block.AsSpan(block.Length - 3).SequenceEqual<byte>([0x11, 0, 0]) || (last >= 0 && (block[last] & 0xf7) == 0x10);
            if (accepted != decoded && !(accepted && oddEnd))
                Assert.Fail($"The reference says {accepted}: {Convert.ToHexString(block)}");
            if (decoded)
                Assert.Equal(theirs.AsSpan(), ours.AsSpan());
        },
        iter: 3000);

    [Fact]
    public void ABlockDependsOnItsPageAlone()
    {
        var encoder = new Lzo1xEncoder();
        byte[] small = PageSamples.Page(4096, 7, 3);
        byte[] large = PageSamples.Page(Lzo1xEncoder.MaxPage, 7, 3);
        byte[] expectedSmall = Encode(small, new());
        byte[] expectedLarge = Encode(large, new());
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(expectedSmall, Encode(small, encoder));
            Assert.Equal(expectedLarge, Encode(large, encoder));
        }
    }

    [Fact]
    public void RefusesAPageThatIsTooLong() =>
        Assert.Throws<ArgumentException>(() => Encode(new byte[Lzo1xEncoder.MaxPage + 1], new()));

    [Theory]
    [InlineData("", 0)]
    [InlineData("11", 0)]
    [InlineData("1100", 0)]
    [InlineData("110001", 0)]
    [InlineData("12000000", 0)]
    [InlineData("11000000", 0)]
    [InlineData("110000", 1)]
    [InlineData("15616263", 4)]
    [InlineData("1561626364", 4)]
    [InlineData("1561626364ffff110000", 12)]
    [InlineData("000000000000000000", 100)]
    public void Refuses(string hex, int length) => Assert.False(Lzo1xDecoder.TryDecode(Convert.FromHexString(hex), new byte[length]));

    [Theory]
    [InlineData("110000", "")]
    [InlineData("1261110000", "61")]
    [InlineData("1561626364110000", "61626364")]
    [InlineData("15616263642a0c00110000", "61626364616263646162636461626364")]
    public void Accepts(string hex, string expected)
    {
        var page = new byte[expected.Length / 2];
        bool decoded = Lzo1xDecoder.TryDecode(Convert.FromHexString(hex), page);
        Assert.Equal(LzoReference.TryDecompress(Convert.FromHexString(hex), new byte[page.Length]), decoded);
        Assert.True(decoded);
        Assert.Equal(expected, Convert.ToHexString(page), ignoreCase: true);
    }

    private static void AssertDecodes(byte[] data)
    {
        byte[] block = Encode(data);
        Assert.NotEmpty(block);
        var back = new byte[data.Length];
        Assert.True(LzoReference.TryDecompress(block, back));
        Assert.Equal(data.AsSpan(), back.AsSpan());
        back.AsSpan().Clear();
        Assert.True(Lzo1xDecoder.TryDecode(block, back));
        Assert.Equal(data.AsSpan(), back.AsSpan());
    }

    private static byte[] Encode(byte[] data)
    {
        // One for all tests, so that stale entries abound.
        lock (Shared)
            return Encode(data, Shared);
    }

    private static byte[] Encode(byte[] data, Lzo1xEncoder encoder)
    {
        var output = new byte[Lzo1xEncoder.MaxLength(data.Length)];
        return output[..encoder.Encode(data, output)];
    }
}
