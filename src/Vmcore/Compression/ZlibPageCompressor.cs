namespace Vmcore.Compression;

/// <summary>Compresses pages into zlib streams of level 1.</summary>
internal sealed class ZlibPageCompressor : IPageCompressor
{
    private const int Level = 1;
    private readonly LibDeflate.CompressorHandle _compressor;

    public ZlibPageCompressor()
    {
        _compressor = LibDeflate.AllocCompressor(Level);
        if (_compressor.IsInvalid)
            throw new VmcoreException("There is not enough memory for the zlib compressor.");
    }

    public PageCodec Codec => PageCodec.Zlib;

    public unsafe int Compress(ReadOnlySpan<byte> page, Span<byte> output)
    {
        int room = Math.Min(output.Length, page.Length - 1);
        if (room <= 0)
            return 0;
        fixed (byte* input = page, block = output)
            return (int)LibDeflate.ZlibCompress(_compressor, input, (nuint)page.Length, block, (nuint)room);
    }

    public void Dispose() => _compressor.Dispose();
}
