using Vmcore.Memmap;
using Vmcore.Picture;
using Vmcore.Ranges;
using Vmcore.Testing;
using Vmcore.Tests.Dumping;

namespace Vmcore.Tests.Picture;

public sealed class PictureBuilderTests
{
    private const ulong TiB = 1UL << 40;

    /// <summary>What is left out at a level is exactly what the dumper leaves out.</summary>
    [Fact]
    public void ThePictureAgreesWithTheDumper()
    {
        using CrashDump dump = CrashDump.Open(new CoreSource(Machines.EveryKind().Core()));
        MemoryPicture picture = PictureBuilder.Build(dump);
        var plan = new Vmcore.Dumping.DumpRequest(dump, new() { Level = DumpLevel.All & ~DumpLevel.Zero });
        Vmcore.Dumping.WindowClassifier classifier = new Vmcore.Dumping.Classifiers(plan).Create();
        var window = new Vmcore.Dumping.PlanWindow();
        var counts = new PageCounts();
        foreach (ulong number in plan.Windows())
        {
            classifier.Classify(number, window);
            counts.Add(window.Excluded);
        }

        ulong Of(PictureClass page) => picture.Regions.Aggregate(0UL, (sum, r) => sum + r.Totals[(int)page]);

        // Of user pages that failed the dumper says, as makedumpfile does, that they are user pages; the picture, that they failed.
        ulong failed = dump.Poisoned!.Count, failedUser = failed - counts[PageClass.HwPoison];
        Assert.NotEqual(0UL, failedUser);
        Assert.Equal(
            (counts[PageClass.Cache], counts[PageClass.CachePrivate], counts[PageClass.User] - failedUser,
                counts[PageClass.Free], failed, counts[PageClass.Offline]),
            (Of(PictureClass.Cache), Of(PictureClass.CachePrivate), Of(PictureClass.User),
                Of(PictureClass.Free), Of(PictureClass.HwPoison), Of(PictureClass.Offline)));
        Assert.All(picture.Regions, r => Assert.Equal(r.Pages.Count, r.Totals.Aggregate(0UL, (sum, count) => sum + count)));
    }

    /// <summary>Terabytes have larger cells, not more of them.</summary>
    [Fact]
    public void AHugeMachineHasAPictureOfTheSameSize()
    {
        var machine = new SyntheticMachine(new());
        machine.AddRam(0x100000, 127 << 20);
        machine.AddPmem(TiB, 2 * TiB);
        using CrashDump dump = CrashDump.Open(new CoreSource(machine.Core()));
        MemoryPicture picture = PictureBuilder.Build(dump);
        Assert.InRange(picture.Regions.Sum(r => r.CellCount), 1000, 1 << 14);
        PictureRegion pmem = Assert.Single(picture.Regions, r => r.IsPmem);
        Assert.Equal(2 * TiB / 4096, pmem.Totals[(int)PictureClass.PmemUserData]);
    }

    /// <summary>Blocks that span slices of 32768 pages, or begin in the slice before, count in full; so does what has no struct page.</summary>
    [Fact]
    public void BlocksReachOverSlices()
    {
        var machine = new SyntheticMachine(new());
        machine.AddRam(0x100000, (3UL << 30) - 0x100000);
        machine.Place(1 << 18, PageKind.Hugetlb, 18);
        using CrashDump dump = CrashDump.Open(new CoreSource(machine.Core()));
        List<(ulong Done, ulong Total)> told = [];
        MemoryPicture picture = PictureBuilder.Build(dump, (done, total) => told.Add((done, total)));
        PictureRegion ram = Assert.Single(picture.Regions);
        Assert.Equal(1UL << 18, ram.Totals[(int)PictureClass.User]);
        Assert.Equal(ram.Pages.Count, ram.Totals.Aggregate(0UL, (sum, count) => sum + count));
        Assert.Equal((ram.Pages.Count, ram.Pages.Count), told[^1]);
    }

    /// <summary>Each page counts in its own cell, also where cells are smaller than 64 pages and begin anywhere.</summary>
    [Fact]
    public void CellsHaveTheirOwnPages()
    {
        var machine = new SyntheticMachine(new());
        machine.AddRam(0x100000, (48 << 20) + 0x3000);
        machine.PlaceMany(0x2c00 + 37, 100, PageKind.Anonymous);
        using CrashDump dump = CrashDump.Open(new CoreSource(machine.Core()));
        PictureRegion ram = Assert.Single(PictureBuilder.Build(dump).Regions);
        Assert.InRange(ram.CellShift, 0, 5);
        for (int cell = 0; cell < ram.CellCount; cell++)
        {
            PfnRange pages = new PfnRange(ram.Pages.Start + ((ulong)cell << ram.CellShift), ram.Pages.Start + ((ulong)(cell + 1) << ram.CellShift))
                .Intersect(ram.Pages);
            Assert.Equal(pages.Intersect(new(0x2c00 + 37, 0x2c00 + 137)).Count, ram[cell, PictureClass.User]);
            Assert.Equal(pages.Count, ram.PresentIn(cell));
        }
    }
}
