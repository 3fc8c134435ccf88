namespace Vmcore.Compression;

/// <summary>How the pages of a dump are compressed. The values are the flag bits of the kdump-compressed format.</summary>
public enum PageCodec
{
    /// <summary>Pages are stored as they are.</summary>
    None = 0,

    /// <summary>zlib stream (RFC 1950), level 1.</summary>
    Zlib = 0x1,

    /// <summary>LZO1X block.</summary>
    Lzo = 0x2,

    /// <summary>Raw snappy block.</summary>
    Snappy = 0x4,

    /// <summary>One zstd frame, level 1.</summary>
    Zstd = 0x20,
}

/// <summary>Compresses pages one at a time. Holds the codec's state: one instance a thread.</summary>
internal interface IPageCompressor : IDisposable
{
    /// <summary>The codec.</summary>
    PageCodec Codec { get; }

    /// <summary>Compresses one page.</summary>
    /// <param name="page">The page's bytes.</param>
    /// <param name="output">Receives the block; at least <c>page.Length - 1</c> bytes long.</param>
    /// <returns>Length of the block in bytes, less than <c>page.Length</c>; 0 if the page does not get smaller.</returns>
    int Compress(ReadOnlySpan<byte> page, Span<byte> output);
}

/// <summary>Decompresses pages one at a time, from input that may be damaged or hostile. One instance a thread.</summary>
internal interface IPageDecompressor : IDisposable
{
    /// <summary>Decompresses one page.</summary>
    /// <param name="block">The compressed block.</param>
    /// <param name="page">Receives the page; must be filled exactly.</param>
    /// <returns>True if the block is valid and gives exactly <c>page.Length</c> bytes.</returns>
    bool TryDecompress(ReadOnlySpan<byte> block, Span<byte> page);
}
