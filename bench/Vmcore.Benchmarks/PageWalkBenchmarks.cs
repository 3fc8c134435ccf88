using BenchmarkDotNet.Attributes;
using Vmcore.Architectures;
using Vmcore.Testing;

namespace Vmcore.Benchmarks;

/// <summary>One operation is the translation of one address, four levels down, with the tables in the cache: of struct pages all over the memmap.</summary>
public class PageWalkBenchmarks
{
    private const int Count = 4096;

    private KernelAddressSpace _space = null!;
    private ulong[] _addresses = [];

    [GlobalSetup]
    public void Setup()
    {
        SyntheticMachine machine = new SyntheticMachine(new() { Era = KernelEra.V6_12 }).AddRam(0x100000, 1023 << 20);
        CrashDump dump = CrashDump.Open(new CoreSource(machine.Core()));
        _space = dump.Kernel!.Memory;
        _addresses = new ulong[Count];
        for (int i = 0; i < Count; i++)
        {
            dump.Memmap!.Model.TryGetStructPage(0x1000 + ((ulong)i * 32), out ulong address, out _);
            _addresses[i] = address;
        }
    }

    [Benchmark(OperationsPerInvoke = Count)]
    public ulong Translate()
    {
        ulong sum = 0;
        foreach (ulong address in _addresses)
        {
            Translation translation = _space.Translate(address);
            sum += translation.PhysicalAddress;
        }

        return sum;
    }
}
