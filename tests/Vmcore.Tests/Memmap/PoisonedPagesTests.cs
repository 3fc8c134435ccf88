using Vmcore.Picture;
using Vmcore.Testing;

namespace Vmcore.Tests.Memmap;

/// <summary>Memory that failed is known as such, whatever else it is.</summary>
public sealed class PoisonedPagesTests
{
    private const ulong Anonymous = 0x2000, Cache = 0x2101, Slab = 0x2202, Kernel = 0x2303, Plain = 0x2404;

    [Theory]
    [InlineData(KernelEra.V6_1)]
    [InlineData(KernelEra.V6_12)]
    public void PoisonIsFoundOnPagesOfEveryKind(KernelEra era)
    {
        using CrashDump dump = CrashDump.Open(new CoreSource(Machine(era, out ulong[] expected).Core()));
        Assert.NotNull(dump.Poisoned);
        Assert.Equal(expected, dump.Poisoned.Pages.SelectMany(r => Enumerable.Range(0, (int)r.Count).Select(i => r.Start + (ulong)i)));
        Assert.Equal(((ulong)expected.Length, 0UL), (dump.Poisoned.Count, dump.Poisoned.Unreadable));
    }

    /// <summary>The picture has each as poisoned and as nothing else; its marks name them.</summary>
    [Fact]
    public void ThePictureShowsEachOnce()
    {
        SyntheticMachine poisoned = Machine(KernelEra.V6_12, out ulong[] expected);
        using CrashDump dump = CrashDump.Open(new CoreSource(poisoned.Core()));
        MemoryPicture picture = PictureBuilder.Build(dump);
        foreach (PictureRegion region in picture.Regions)
        {
            ulong own = (ulong)expected.Count(region.Pages.Contains);
            Assert.Equal(own, region.Totals[(int)PictureClass.HwPoison]);
            Assert.Equal(region.Pages.Count, region.Totals.Aggregate(0UL, static (sum, count) => sum + count));
            foreach (ulong pfn in expected.Where(region.Pages.Contains))
                Assert.NotEqual(0U, region[region.CellOf(pfn), PictureClass.HwPoison]);
        }

        Assert.Equal(expected, picture.Marks.Where(m => m.Name.StartsWith("poisoned", StringComparison.Ordinal)).Select(m => m.Range.Start >> 12));
    }

    [Fact]
    public void AMachineWithoutFailedMemoryHasNone()
    {
        var machine = new SyntheticMachine(new());
        machine.AddRam(0x100000, 63 << 20).PlaceMany(0x2000, 40, PageKind.Anonymous);
        using CrashDump dump = CrashDump.Open(new CoreSource(machine.Core()));
        Assert.Equal(0UL, dump.Poisoned!.Count);
    }

    private static SyntheticMachine Machine(KernelEra era, out ulong[] expected)
    {
        var machine = new SyntheticMachine(new() { Era = era });
        ulong poison = 1UL << machine.Era.HwPoison;
        machine.AddRam(0x100000, 63 << 20).PlaceMany(0x2010, 40, PageKind.Anonymous).Place(0x2800, PageKind.Free, 9)
            .Place(Anonymous, PageKind.HwPoisonAnonymous)
            .Place(Cache, PageKind.PageCache, extraFlags: poison)
            .Place(Slab, PageKind.Slab, extraFlags: poison)
            .Place(Kernel, PageKind.KernelData, extraFlags: poison)
            .Place(Plain, PageKind.HwPoison);
        expected = [Anonymous, Cache, Slab, Kernel, Plain];
        return machine;
    }
}
