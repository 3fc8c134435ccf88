using BenchmarkDotNet.Running;
using Vmcore.Benchmarks;

if (args is ["synthetic", ..])
    return SyntheticInput.Run(args.AsSpan(1));
if (args is ["codec-loop", ..])
    return CodecLoop.Run(args.AsSpan(1));
if (args is ["read-library", ..])
    return ReadLibrary.Run(args.AsSpan(1));
BenchmarkSwitcher.FromAssembly(typeof(PageCodecBenchmarks).Assembly).Run(args);
return 0;
