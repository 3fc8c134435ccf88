using Snappier;

namespace Vmcore.Compression;

/// <summary>Decompresses pages that are raw snappy blocks.</summary>
internal sealed class SnappyPageDecompressor : IPageDecompressor
{
    public bool TryDecompress(ReadOnlySpan<byte> block, Span<byte> page)
    {
        try
        {
            return Snappy.GetUncompressedLength(block) == page.Length
                && Snappy.TryDecompress(block, page, out int length) && length == page.Length;
        }
        catch (Exception e) when (e is InvalidDataException or ArgumentException or InvalidOperationException or IndexOutOfRangeException)
        {
            return false;
        }
    }

    public void Dispose()
    {
        // Holds nothing.
    }
}
