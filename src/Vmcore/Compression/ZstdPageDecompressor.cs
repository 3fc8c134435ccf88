namespace Vmcore.Compression;

/// <summary>Decompresses pages that are one zstd frame of any level.</summary>
internal sealed class ZstdPageDecompressor : IPageDecompressor
{
    private readonly LibZstd.DecompressionContext _context;

    public ZstdPageDecompressor()
    {
        _context = LibZstd.CreateDecompressionContext();
        if (_context.IsInvalid)
            throw new VmcoreException("There is not enough memory for the zstd decompressor.");
    }

    public unsafe bool TryDecompress(ReadOnlySpan<byte> block, Span<byte> page)
    {
        // An empty span has no address to hand over.
        if (block.IsEmpty || page.IsEmpty)
            return false;
        fixed (byte* input = block, output = page)
        {
            // The library would go on to a second frame and skip frames of metadata; a page is one frame and nothing else.
            // An error code is never the block's or the page's length.
            return LibZstd.FindFrameCompressedSize(input, (nuint)block.Length) == (nuint)block.Length
                && LibZstd.Decompress(_context, output, (nuint)page.Length, input, (nuint)block.Length) == (nuint)page.Length;
        }
    }

    public void Dispose() => _context.Dispose();
}
