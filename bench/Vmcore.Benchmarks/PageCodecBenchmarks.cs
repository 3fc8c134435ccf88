using BenchmarkDotNet.Attributes;
using Vmcore.Compression;

namespace Vmcore.Benchmarks;

/// <summary>One operation is one page of 4 KiB.</summary>
[MemoryDiagnoser]
public class PageCodecBenchmarks
{
    private const int Count = 512;

    private readonly byte[] _output = new byte[2 * PageSet.PageSize];
    private readonly byte[] _page = new byte[PageSet.PageSize];
    private readonly List<byte[]> _blocks = [];
    private byte[] _pages = [];
    private IPageCompressor? _compressor;
    private IPageDecompressor? _decompressor;

    [Params(PageCodec.Zlib, PageCodec.Lzo, PageCodec.Snappy, PageCodec.Zstd)]
    public PageCodec Codec { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _pages = PageSet.Create(Count);
        _compressor = PageCodecs.CreateCompressor(Codec);
        _decompressor = PageCodecs.CreateDecompressor(Codec);
        for (int i = 0; _blocks.Count < Count; i = (i + 1) % Count)
        {
            int length = _compressor.Compress(_pages.AsSpan(i * PageSet.PageSize, PageSet.PageSize), _output);
            if (length > 0)
                _blocks.Add(_output[..length]);
        }
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _compressor?.Dispose();
        _decompressor?.Dispose();
    }

    [Benchmark(OperationsPerInvoke = Count)]
    public int Compress()
    {
        int sum = 0;
        for (int i = 0; i < Count; i++)
            sum += _compressor!.Compress(_pages.AsSpan(i * PageSet.PageSize, PageSet.PageSize), _output);
        return sum;
    }

    [Benchmark(OperationsPerInvoke = Count)]
    public int Decompress()
    {
        int good = 0;
        foreach (byte[] block in _blocks)
            good += _decompressor!.TryDecompress(block, _page) ? 1 : 0;
        return good;
    }
}
