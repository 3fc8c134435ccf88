using Vmcore.Dumping;
using Vmcore.Memmap;
using Vmcore.Ranges;
using Vmcore.Testing;
using Vmcore.Tests.Dumping;

namespace Vmcore.Tests.Memmap;

/// <summary>One page, looked up by itself, is what the dumper takes it for.</summary>
public sealed class PageLookupTests
{
    [Fact]
    public void ALookUpAgreesWithTheDumper()
    {
        using CrashDump dump = CrashDump.Open(new CoreSource(Machines.EveryKind().Core()));
        var plan = new DumpRequest(dump, new() { Level = DumpLevel.All & ~DumpLevel.Zero });
        WindowClassifier classifier = new Classifiers(plan).Create();
        var window = new PlanWindow();
        ulong[] found = new ulong[Enum.GetValues<PageClass>().Length];
        foreach (ulong number in plan.Windows())
        {
            classifier.Classify(number, window);
            ulong first = number * PlanWindow.Pages;
            for (int i = 0; i < PlanWindow.Pages; i++)
            {
                if (!PageBits.Get(window.Exists, i) || dump.Pmem.Pages.Contains(first + (ulong)i))
                    continue;
                PageLookup page = PageLookup.Find(dump.Memmap, dump.PageLayout, dump.Pmem.Pages, first + (ulong)i);
                Assert.Equal(PageBits.Get(window.Kept, i), page.Class == PageClass.Kept);
                Assert.True(page.Block.Contains(first + (ulong)i));
                found[(int)page.Class]++;
            }
        }

        foreach (PageClass page in (PageClass[])[PageClass.Kept, PageClass.Cache, PageClass.CachePrivate,
            PageClass.User, PageClass.Free, PageClass.HwPoison, PageClass.Offline])
            Assert.True(found[(int)page] > 0, $"no page is {page}");
    }

    [Fact]
    public void APageInsideABlockIsWhatTheBlockIs()
    {
        var machine = new SyntheticMachine(new());
        machine.AddRam(0x100000, 255 << 20);
        machine.Place(0xc000, PageKind.Free, 10).Place(0xc400, PageKind.Hugetlb);
        using CrashDump dump = CrashDump.Open(new CoreSource(machine.Core()));
        PageLookup Of(ulong pfn) => PageLookup.Find(dump.Memmap, dump.PageLayout, dump.Pmem.Pages, pfn);
        Assert.Equal(new(PageKnowledge.Class, PageClass.Free, new(0xc000, 0xc400)), Of(0xc123));
        Assert.Equal(new(PageKnowledge.Class, PageClass.Free, new(0xc000, 0xc400)), Of(0xc000));
        Assert.Equal(new(PageKnowledge.Class, PageClass.User, new(0xc400, 0xc600)), Of(0xc5ff));
        Assert.Equal(PageKnowledge.NoStruct, Of(1UL << 30).Knowledge);
        Assert.Equal(PageKnowledge.NoMemmap, PageLookup.Find(null, null, PfnRangeSet.Empty, 1).Knowledge);
    }
}
