using BenchmarkDotNet.Running;
using Vmcore.Benchmarks;

BenchmarkSwitcher.FromAssembly(typeof(PageCodecBenchmarks).Assembly).Run(args);
