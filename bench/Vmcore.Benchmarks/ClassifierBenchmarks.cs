using System.Buffers.Binary;
using System.Text;
using BenchmarkDotNet.Attributes;
using Vmcore.Kernel.Identity;
using Vmcore.Memmap;
using Vmcore.Testing;

namespace Vmcore.Benchmarks;

/// <summary>One operation is one <c>struct page</c> of 6.12 at level 31: page cache,
/// anonymous and the kernel's own in random order, 512 KiB of memmap in turn.</summary>
public class ClassifierBenchmarks
{
    private const int Count = 8192;

    private readonly StructPageLayout _layout = StructPageLayout.From(VmcoreInfo.Parse(Encoding.ASCII.GetBytes(
        new SyntheticMachine(new() { Era = KernelEra.V6_12 }).AddRam(0x100000, 63 << 20).Vmcoreinfo)));

    private byte[] _structs = [];
    private PageClassifier? _single;
    private PageWordClassifier? _words;

    [GlobalSetup]
    public void Setup()
    {
        EraProfile era = EraProfile.Of(KernelEra.V6_12);
        var random = new Random(42);
        _structs = new byte[(Count + 1) * _layout.Size];
        for (int i = 0; i < Count; i++)
        {
            int kind = random.Next(3);
            Span<byte> page = _structs.AsSpan(i * _layout.Size, _layout.Size);
            BinaryPrimitives.WriteUInt64LittleEndian(page[_layout.Flags..], kind switch
            {
                0 => 0,
                1 => 1ul << era.Lru,
                _ => (1ul << era.Lru) | (1ul << era.SwapBacked),
            });
            BinaryPrimitives.WriteInt32LittleEndian(page[_layout.MapCount..], kind == 0 ? -1 : 0);
            BinaryPrimitives.WriteUInt64LittleEndian(page[_layout.Mapping..], 0xffff888000000000 | (kind == 2 ? 1ul : 0));
        }

        _single = new PageClassifier(_layout, (DumpLevel)31);
        _words = PageWordClassifier.TryCreate(_layout, (DumpLevel)31);
    }

    [Benchmark(OperationsPerInvoke = Count, Baseline = true)]
    public int OneByOne()
    {
        int kept = 0;
        for (int i = 0; i < Count; i++)
            kept += _single!.Classify((ulong)i, _structs.AsSpan(i * _layout.Size, 2 * _layout.Size)).Class == PageClass.Kept ? 1 : 0;
        return kept;
    }

    [Benchmark(OperationsPerInvoke = Count)]
    public ulong SixtyFourAtOnce()
    {
        ulong any = 0;
        for (int i = 0; i < Count; i += PageWordClassifier.Pages)
        {
            PageWord word = _words!.Classify(_structs.AsSpan(i * _layout.Size));
            any ^= word.Cache ^ word.User;
        }

        return any;
    }
}
