using Vmcore.Testing;

namespace Vmcore.Tests.Synthetic;

/// <summary>A machine of 24 TiB.</summary>
public sealed class SyntheticHugeMachineTests
{
    [Theory]
    [InlineData(4, 16)]
    [InlineData(5, 32)]
    public void TerabytesCostNothingAndAreCounted(int levels, int sectionSize)
    {
        const ulong TiB = 1ul << 40;
        var machine = new SyntheticMachine(new() { Levels = levels, MemSectionSize = sectionSize });
        machine.AddRam(0x100000, 127 << 20)
            .AddRepeatedRam(64ul << 30, 24 * TiB, PageKind.Free, PageKind.Anonymous, PageKind.PageCache, PageKind.KernelData);
        CoreImage core = machine.Core();
        Assert.True(core.Length > (long)(24 * TiB));
        IReadOnlyDictionary<ExpectedVerdict, ulong> counts = machine.Count(core, 31);
        ulong quarter = 6 * TiB / 4096;
        Assert.Equal(quarter, counts[ExpectedVerdict.Free]);
        Assert.Equal(quarter, counts[ExpectedVerdict.User]);
        Assert.Equal(quarter, counts[ExpectedVerdict.CacheNonPrivate]);

        var walker = new CoreWalker(core);
        foreach (ulong at in new ulong[] { 64ul << 30, 12 * TiB, (24 * TiB) - (1ul << 30) })
        {
            ulong pfn = at >> 12;
            Assert.Equal(at + 0x1234, walker.Walk(machine.PageOffset + at + 0x1234));
            Assert.Equal(-129, walker.MapCount(pfn + 0x400));
            Assert.Equal(1ul, walker.PageWord(pfn + 0x8000 + 77, 24) & 1);
            Assert.Equal(machine.PageContent(pfn + 0x8001), walker.ReadPhysical(at + (128ul << 20) + 4096, 4096));
        }

        Assert.Equal(0ul, walker.SectionWord((24 * TiB >> 12) + (65ul << 18)));
    }
}
