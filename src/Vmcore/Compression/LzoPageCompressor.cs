namespace Vmcore.Compression;

/// <summary>Compresses pages into LZO1X blocks, in the class of LZO1X-1.</summary>
internal sealed class LzoPageCompressor : IPageCompressor
{
    private readonly Lzo1xEncoder _encoder = new();
    private byte[] _scratch = [];

    public PageCodec Codec => PageCodec.Lzo;

    public int Compress(ReadOnlySpan<byte> page, Span<byte> output)
    {
        // No machine that is dumped with LZO has such pages; stored as they are, they are right all the same.
        if (page.Length > Lzo1xEncoder.MaxPage)
            return 0;

        // The encoder writes without looking at an end, so it needs room for the worst case; the caller's buffer may well have it.
        int bound = Lzo1xEncoder.MaxLength(page.Length);
        if (output.Length >= bound)
            return _encoder.Encode(page, output);

        if (_scratch.Length < bound)
            _scratch = GC.AllocateUninitializedArray<byte>(bound);
        int length = _encoder.Encode(page, _scratch);
        if (length > output.Length)
            return 0;
        _scratch.AsSpan(0, length).CopyTo(output);
        return length;
    }

    public void Dispose()
    {
        // Holds managed memory alone.
    }
}
