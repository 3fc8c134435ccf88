using System.Numerics;

namespace Vmcore.Compression;

/// <summary>Makes the compressor or the decompressor of a codec. All codecs are built in.</summary>
internal static class PageCodecs
{
    private const uint CodecMask = (uint)(PageCodec.Zlib | PageCodec.Lzo | PageCodec.Snappy | PageCodec.Zstd);

    /// <summary>Creates a compressor. Not thread-safe: one a thread; dispose it after use.</summary>
    /// <param name="codec">Any codec but <see cref="PageCodec.None"/>, whose pages are simply stored.</param>
    /// <returns>The compressor. The same page always gives the same block, whatever was compressed before.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="codec"/> is <see cref="PageCodec.None"/> or not one codec.</exception>
    /// <exception cref="VmcoreException">There is not enough memory for the codec's state.</exception>
    public static IPageCompressor CreateCompressor(PageCodec codec) => codec switch
    {
        PageCodec.Zlib => new ZlibPageCompressor(),
        PageCodec.Lzo => new LzoPageCompressor(),
        PageCodec.Snappy => new SnappyPageCompressor(),
        PageCodec.Zstd => new ZstdPageCompressor(),
        _ => throw new ArgumentOutOfRangeException(nameof(codec), codec, "Not a codec that compresses."),
    };

    /// <summary>Creates a decompressor. Not thread-safe: one a thread; dispose it after use.</summary>
    /// <param name="codec">Any codec; for <see cref="PageCodec.None"/> the block must be the page itself.</param>
    /// <returns>The decompressor.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="codec"/> is not one codec.</exception>
    /// <exception cref="VmcoreException">There is not enough memory for the codec's state.</exception>
    public static IPageDecompressor CreateDecompressor(PageCodec codec) => codec switch
    {
        PageCodec.None => new StoredPageDecompressor(),
        PageCodec.Zlib => new ZlibPageDecompressor(),
        PageCodec.Lzo => new LzoPageDecompressor(),
        PageCodec.Snappy => new SnappyPageDecompressor(),
        PageCodec.Zstd => new ZstdPageDecompressor(),
        _ => throw new ArgumentOutOfRangeException(nameof(codec), codec, "Not a codec."),
    };

    /// <summary>Reads the flags of a page descriptor of the kdump-compressed format.</summary>
    /// <param name="flags">The flags: 0 for a stored page, else the bit of one codec.</param>
    /// <param name="codec">The codec.</param>
    /// <returns>False if several bits or a bit that is no codec's are set.</returns>
    public static bool TryFromFlags(uint flags, out PageCodec codec)
    {
        bool known = (flags & ~CodecMask) == 0 && BitOperations.PopCount(flags) <= 1;
        codec = known ? (PageCodec)flags : PageCodec.None;
        return known;
    }
}
