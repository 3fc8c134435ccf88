namespace Vmcore.Compression;

/// <summary>Decompresses pages that are raw snappy blocks.</summary>
internal sealed class SnappyPageDecompressor : IPageDecompressor
{
    public bool TryDecompress(ReadOnlySpan<byte> block, Span<byte> page) => SnappyDecoder.TryDecode(block, page);

    public void Dispose()
    {
        // Holds nothing.
    }
}
