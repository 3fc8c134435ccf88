namespace Vmcore.Compression;

/// <summary>Compresses pages into zlib streams, in the class of level 1: usual pages with our own encoder, those of odd lengths with libdeflate.</summary>
internal sealed class ZlibPageCompressor : IPageCompressor
{
    private const int Level = 1;
    private readonly PageDeflater _deflater = new();
    private LibDeflate.CompressorHandle? _compressor;
    private byte[] _scratch = [];

    public PageCodec Codec => PageCodec.Zlib;

    public int Compress(ReadOnlySpan<byte> page, Span<byte> output)
    {
        if (page.Length is < PageDeflater.MinPage or > PageDeflater.MaxPage)
            return CompressOther(page, output);
        int room = page.Length + PageDeflater.Slack;
        if (output.Length >= room)
            return _deflater.Compress(page, output);
        if (_scratch.Length < room)
            _scratch = GC.AllocateUninitializedArray<byte>(room);
        int length = _deflater.Compress(page, _scratch);
        if (length > output.Length)
            return 0;
        _scratch.AsSpan(0, length).CopyTo(output);
        return length;
    }

    public void Dispose() => _compressor?.Dispose();

    private unsafe int CompressOther(ReadOnlySpan<byte> page, Span<byte> output)
    {
        int room = Math.Min(output.Length, page.Length - 1);
        if (room <= 0)
            return 0;
        _compressor ??= LibDeflate.AllocCompressor(Level);
        if (_compressor.IsInvalid)
            throw new VmcoreException("There is not enough memory for the zlib compressor.");
        fixed (byte* input = page, block = output)
            return (int)LibDeflate.ZlibCompress(_compressor, input, (nuint)page.Length, block, (nuint)room);
    }
}
