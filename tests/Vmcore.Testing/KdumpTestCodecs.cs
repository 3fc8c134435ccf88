using System.IO.Compression;
using Vmcore.Compression;

namespace Vmcore.Testing;

/// <summary>
/// Codecs for tests of the container: zlib is the real one; of the others a block is the codec's number and the value
/// that fills the page, so that a mistaken codec is noticed.
/// </summary>
internal static class KdumpTestCodecs
{
    public static IPageDecompressor Create(PageCodec codec) =>
        codec == PageCodec.Zlib ? new Zlib() : new Fill(codec);

    public static byte[] Compress(PageCodec codec, byte[] page) => [(byte)codec, page[0]];

    private sealed class Fill(PageCodec codec) : IPageDecompressor
    {
        public bool TryDecompress(ReadOnlySpan<byte> block, Span<byte> page)
        {
            if (block.Length != 2 || block[0] != (byte)codec)
                return false;
            page.Fill(block[1]);
            return true;
        }

        public void Dispose()
        {
        }
    }

    private sealed class Zlib : IPageDecompressor
    {
        public bool TryDecompress(ReadOnlySpan<byte> block, Span<byte> page)
        {
            try
            {
                using var zlib = new ZLibStream(new MemoryStream(block.ToArray()), CompressionMode.Decompress);
                return zlib.ReadAtLeast(page, page.Length, throwOnEndOfStream: false) == page.Length && zlib.ReadByte() < 0;
            }
            catch (InvalidDataException)
            {
                return false;
            }
        }

        public void Dispose()
        {
        }
    }
}
