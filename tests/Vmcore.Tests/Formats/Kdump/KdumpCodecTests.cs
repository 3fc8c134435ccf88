using Vmcore.Compression;
using Vmcore.Formats.Kdump;
using Vmcore.Memory;
using Vmcore.Testing;

namespace Vmcore.Tests.Formats.Kdump;

public sealed class KdumpCodecTests
{
    private static byte[] Compress(PageCodec codec, byte[] page)
    {
        using IPageCompressor compressor = PageCodecs.CreateCompressor(codec);
        byte[] block = new byte[page.Length];
        int length = compressor.Compress(page, block);
        Assert.InRange(length, 1, page.Length - 1);
        return block[..length];
    }

    [Theory]
    [InlineData(PageCodec.Zlib)]
    [InlineData(PageCodec.Lzo)]
    [InlineData(PageCodec.Snappy)]
    [InlineData(PageCodec.Zstd)]
    public void PagesOfTheBuiltInCodecsAreReadAndDamageIsNoticed(PageCodec codec)
    {
        byte[] block = Compress(codec, KdumpBuilder.Pattern(1));
        byte[] file = new KdumpBuilder()
            .Block(1, block, (uint)codec)
            .Block(2, block[..^3], (uint)codec)
            .Block(3, Compress(codec, new byte[2048]), (uint)codec)
            .Block(4, Compress(codec, new byte[8192]), (uint)codec)
            .Block(5, Compress(codec, KdumpBuilder.Pattern(5)), (uint)codec)
            .Build();
        using KdumpFile dump = KdumpFile.Open(new KdumpBytes(file));
        byte[] page = new byte[4096];
        foreach (ulong pfn in (ulong[])[2, 3, 4])
            Assert.Equal(MemoryStatus.Unreadable, dump.ReadPage(pfn, page));
        foreach (ulong pfn in (ulong[])[1, 5])
        {
            Assert.Equal(MemoryStatus.Ok, dump.ReadPage(pfn, page));
            Assert.Equal(KdumpBuilder.Pattern(pfn), page);
        }
    }
}
