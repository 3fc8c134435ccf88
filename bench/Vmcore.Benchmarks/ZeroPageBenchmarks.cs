using BenchmarkDotNet.Attributes;
using Vmcore.Memory;

namespace Vmcore.Benchmarks;

/// <summary>One operation is one page of 4 KiB that is zero: from memory (64 MiB in turn) and from the cache.</summary>
public class ZeroPageBenchmarks
{
    private readonly byte[] _memory = new byte[64 << 20];

    [GlobalSetup]
    public void Setup() => _memory.AsSpan().Clear();

    [Benchmark(OperationsPerInvoke = (64 << 20) / PageSet.PageSize)]
    public int FromMemory()
    {
        int zero = 0;
        for (int i = 0; i < _memory.Length; i += PageSet.PageSize)
            zero += ZeroPage.IsZero(_memory.AsSpan(i, PageSet.PageSize)) ? 1 : 0;
        return zero;
    }

    [Benchmark]
    public bool FromCache() => ZeroPage.IsZero(_memory.AsSpan(0, PageSet.PageSize));
}
