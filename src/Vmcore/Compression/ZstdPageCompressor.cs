namespace Vmcore.Compression;

/// <summary>Compresses pages into zstd frames of level 1.</summary>
internal sealed class ZstdPageCompressor : IPageCompressor
{
    private const int Level = 1;
    private readonly LibZstd.CompressionContext _context;

    public ZstdPageCompressor()
    {
        _context = LibZstd.CreateCompressionContext();
        if (_context.IsInvalid)
            throw new VmcoreException("There is not enough memory for the zstd compressor.");
    }

    public PageCodec Codec => PageCodec.Zstd;

    public unsafe int Compress(ReadOnlySpan<byte> page, Span<byte> output)
    {
        int room = Math.Min(output.Length, page.Length - 1);
        if (room <= 0)
            return 0;
        fixed (byte* input = page, block = output)
        {
            nuint length = LibZstd.Compress(_context, block, (nuint)room, input, (nuint)page.Length, Level);

            // The one error to expect is that the frame does not fit; after any other the page is stored, which is right as well.
            return LibZstd.IsError(length) != 0 ? 0 : (int)length;
        }
    }

    public void Dispose() => _context.Dispose();
}
