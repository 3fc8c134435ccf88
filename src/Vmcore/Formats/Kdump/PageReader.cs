using Vmcore.Compression;
using Vmcore.IO;

namespace Vmcore.Formats.Kdump;

/// <summary>What one thread needs to read pages: a window of descriptors, a buffer for a compressed page, the decompressors.</summary>
internal sealed class PageReader : IDisposable
{
    // Neighbouring pages have neighbouring descriptors, so one read serves many pages.
    private const int WindowCount = 128;

    private readonly Func<PageCodec, IPageDecompressor> _create;
    private readonly Dictionary<PageCodec, IPageDecompressor> _decompressors = [];
    private readonly byte[] _window = new byte[WindowCount * PageDescriptor.Size];
    private readonly byte[] _block;
    private IByteSource? _windowSource;
    private long _windowOffset;
    private int _windowLength;

    public PageReader(int blockSize, Func<PageCodec, IPageDecompressor> create)
    {
        _block = new byte[blockSize];
        _create = create;
    }

    /// <summary>Reads the descriptor at a byte offset.</summary>
    /// <returns>False if the file ends before its end or fails there.</returns>
    public bool TryReadDescriptor(IByteSource source, long offset, out PageDescriptor descriptor)
    {
        descriptor = default;
        if (offset > source.Length - PageDescriptor.Size)
            return false;
        long at = offset - _windowOffset;
        if (!ReferenceEquals(source, _windowSource) || at < 0 || at > _windowLength - PageDescriptor.Size)
        {
            _windowSource = source;
            _windowOffset = offset;
            _windowLength = source.Read(offset, _window);
            at = 0;
            if (_windowLength < PageDescriptor.Size)
                return false;
        }

        descriptor = PageDescriptor.Parse(_window.AsSpan((int)at));
        return true;
    }

    /// <summary>Reads and decompresses a page.</summary>
    /// <param name="source">The file.</param>
    /// <param name="descriptor">A plausible descriptor.</param>
    /// <param name="page">Receives the page, one block.</param>
    /// <returns>False if the data is damaged or cut off.</returns>
    public bool TryReadPage(IByteSource source, in PageDescriptor descriptor, Span<byte> page)
    {
        PageCodec codec = descriptor.Codec.GetValueOrDefault();
        if (codec == PageCodec.None)
            return source.Read(descriptor.Offset, page) == page.Length;
        Span<byte> block = _block.AsSpan(0, (int)descriptor.Length);
        if (source.Read(descriptor.Offset, block) != block.Length)
            return false;
        if (!_decompressors.TryGetValue(codec, out IPageDecompressor? decompressor))
            _decompressors[codec] = decompressor = _create(codec);
        return decompressor.TryDecompress(block, page);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (IPageDecompressor decompressor in _decompressors.Values)
            decompressor.Dispose();
        _decompressors.Clear();
    }
}
