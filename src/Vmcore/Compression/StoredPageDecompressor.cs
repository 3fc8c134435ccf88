namespace Vmcore.Compression;

/// <summary>"Decompresses" a page that is stored as it is.</summary>
internal sealed class StoredPageDecompressor : IPageDecompressor
{
    public bool TryDecompress(ReadOnlySpan<byte> block, Span<byte> page)
    {
        if (block.Length != page.Length)
            return false;
        block.CopyTo(page);
        return true;
    }

    public void Dispose()
    {
        // Holds nothing.
    }
}
