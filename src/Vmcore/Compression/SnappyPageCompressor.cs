using Snappier;

namespace Vmcore.Compression;

/// <summary>Compresses pages into raw snappy blocks.</summary>
internal sealed class SnappyPageCompressor : IPageCompressor
{
    private byte[] _scratch = [];

    public PageCodec Codec => PageCodec.Snappy;

    public int Compress(ReadOnlySpan<byte> page, Span<byte> output)
    {
        // With room for the worst case the block is written where it belongs, without a rented buffer in between.
        int bound = Snappy.GetMaxCompressedLength(page.Length);
        Span<byte> target = output;
        if (output.Length < bound)
        {
            if (_scratch.Length < bound)
                _scratch = GC.AllocateUninitializedArray<byte>(bound);
            target = _scratch;
        }

        if (!Snappy.TryCompress(page, target, out int length) || length >= page.Length || length > output.Length)
            return 0;
        if (output.Length < bound)
            target[..length].CopyTo(output);
        return length;
    }

    public void Dispose()
    {
        // Holds managed memory alone.
    }
}
