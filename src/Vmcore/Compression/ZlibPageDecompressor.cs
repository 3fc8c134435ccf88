namespace Vmcore.Compression;

/// <summary>Decompresses pages that are zlib streams of any level.</summary>
internal sealed class ZlibPageDecompressor : IPageDecompressor
{
    private readonly LibDeflate.DecompressorHandle _decompressor;

    public ZlibPageDecompressor()
    {
        _decompressor = LibDeflate.AllocDecompressor();
        if (_decompressor.IsInvalid)
            throw new VmcoreException("There is not enough memory for the zlib decompressor.");
    }

    public unsafe bool TryDecompress(ReadOnlySpan<byte> block, Span<byte> page)
    {
        // An empty span has no address to hand over.
        if (block.IsEmpty || page.IsEmpty)
            return false;
        nuint used;
        fixed (byte* input = block, output = page)
        {
            return LibDeflate.ZlibDecompress(_decompressor, input, (nuint)block.Length, output, (nuint)page.Length, &used, null)
                == LibDeflate.Success && used == (nuint)block.Length;
        }
    }

    public void Dispose() => _decompressor.Dispose();
}
