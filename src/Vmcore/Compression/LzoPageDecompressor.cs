namespace Vmcore.Compression;

/// <summary>Decompresses pages that are LZO1X blocks, of whatever compressor of the family.</summary>
internal sealed class LzoPageDecompressor : IPageDecompressor
{
    public bool TryDecompress(ReadOnlySpan<byte> block, Span<byte> page) => Lzo1xDecoder.TryDecode(block, page);

    public void Dispose()
    {
        // Holds nothing.
    }
}
