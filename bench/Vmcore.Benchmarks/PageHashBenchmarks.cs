using BenchmarkDotNet.Attributes;
using Vmcore.Dumping;

namespace Vmcore.Benchmarks;

/// <summary>What <c>--dedup</c> costs for each page: one operation is the hash of one block, of a whole page or of one that was packed well.</summary>
public class PageHashBenchmarks
{
    private readonly byte[] _block = PageSet.Create(1);

    [Params(PageSet.PageSize, 1200)]
    public int Length { get; set; }

    [Benchmark]
    public UInt128 Hash() => PageHash.Of(_block.AsSpan(0, Length));
}
