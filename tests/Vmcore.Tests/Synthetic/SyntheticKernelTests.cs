using System.Text;
using Vmcore.Testing;

namespace Vmcore.Tests.Synthetic;

/// <summary>Walks synthetic vmcores from the ELF header to single struct pages.</summary>
public sealed class SyntheticKernelTests
{
    private const ulong At = 0x3000;

    public static TheoryData<KernelEra> Eras => [.. Enum.GetValues<KernelEra>()];

    [Theory]
    [MemberData(nameof(Eras))]
    public void EachEraEncodesPagesAsItsKeysSay(KernelEra era)
    {
        var walker = new CoreWalker(SampleMachines.EveryKind(new() { Era = era, KaslrOffset = 0x2a00000 }).Core());
        Assert.True(walker.Info.Values.Sum(v => v.Length) < 4096);
        Assert.Equal(walker.Number("NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)"), walker.MapCount(At));
        Assert.Equal(10ul, walker.PageWord(At, 40));
        Assert.Equal(9, Order(walker, At + 0x400));
        Assert.Equal(9, Order(walker, At + 0x600));
        Assert.True(IsHugetlb(walker, At + 0x600));
        Assert.False(IsHugetlb(walker, At + 0x400));
        Assert.Equal(1ul << (int)walker.Number("NUMBER(PG_lru)"), walker.PageWord(At + 0x800, 0) & (1ul << (int)walker.Number("NUMBER(PG_lru)")));
        bool slabFlag = walker.Info.TryGetValue("NUMBER(PG_slab)", out _);
        Assert.True(slabFlag
            ? (walker.PageWord(At + 0xa60, 0) >> (int)walker.Number("NUMBER(PG_slab)") & 1) == 1
            : walker.MapCount(At + 0xa60) == walker.Number("NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)"));
        Assert.Equal(era >= KernelEra.V5_4, walker.Info.ContainsKey("NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)"));
        if (era >= KernelEra.V5_4)
            Assert.Equal(walker.Number("NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)"), walker.MapCount(At + 0xab0));
        if (era >= KernelEra.V6_16)
            Assert.Equal(walker.Number("NUMBER(PAGE_UNACCEPTED_MAPCOUNT_VALUE)"), walker.MapCount(At + 0xc00));
    }

    [Theory]
    [InlineData(4, 64, 0ul, false, false)]
    [InlineData(5, 64, 0ul, false, false)]
    [InlineData(5, 72, 1ul << 51, true, false)]
    [InlineData(4, 56, 1ul << 47, false, true)]
    public void PagesAreFoundByWalking(int levels, int size, ulong sme, bool gigabytes, bool basePages)
    {
        SyntheticMachine machine = SampleMachines.EveryKind(new()
        {
            Levels = levels,
            StructPageSize = size,
            SmeMask = sme,
            GigabyteDirectMap = gigabytes,
            VmemmapBasePages = basePages,
            KaslrOffset = 0x1e000000,
            PageOffsetBase = levels == 5 ? 0xff1100b240000000 : 0xffff8b5040000000,
            KernelPhysicalStart = 0x1800000,
        });
        var walker = new CoreWalker(machine.Core());
        ulong uts = walker.Hex("SYMBOL(init_uts_ns)") + (ulong)walker.Number("OFFSET(uts_namespace.name)");
        byte[] release = walker.ReadPhysical(walker.Walk(uts + 130)!.Value, walker.Info["OSRELEASE"].Length)!;
        Assert.Equal(walker.Info["OSRELEASE"], Encoding.ASCII.GetString(release));
        foreach (ulong physical in new ulong[] { 0x100000, 0x1234567, 0x7ffffff, 0xc000000, 0xfffffff })
            Assert.Equal(physical, walker.Walk(machine.PageOffset + physical));
        Assert.Equal(-129, walker.MapCount(At));
        Assert.Equal(0xful, walker.SectionWord(0) & 0x3f);
        Assert.Equal(walker.PageAddress(At + 0x400) | 1, walker.PageWord(At + 0x401, 8));
        for (ulong pfn = 0; pfn < 0x10000; pfn += 0x137)
            Assert.NotNull(walker.Walk(walker.PageAddress(pfn)));
    }

    [Fact]
    public void CompoundInfoOfNewKernelsIsAMask()
    {
        var walker = new CoreWalker(SampleMachines.EveryKind(new() { Era = KernelEra.V7_1, CompoundInfoMask = true }).Core());
        foreach (ulong tail in new ulong[] { 1, 2, 511 })
        {
            ulong info = walker.PageWord(At + 0x400 + tail, (ulong)walker.Number("OFFSET(page.compound_info)"));
            Assert.Equal(1ul, info & 1);
            Assert.Equal(walker.PageAddress(At + 0x400), walker.PageAddress(At + 0x400 + tail) & info & ~1ul);
        }
    }

    [Fact]
    public void OverlapsAndPlacesWithoutRamAreRefused()
    {
        SyntheticMachine machine = new SyntheticMachine().AddRam(0x100000, 64 << 20).Place(0x800, PageKind.Free, 3).Place(0x804, PageKind.Slab);
        Assert.Throws<InvalidOperationException>(() => machine.Core());
        SyntheticMachine outside = new SyntheticMachine().AddRam(0x100000, 64 << 20).Place(0x80000, PageKind.Slab);
        Assert.Throws<InvalidOperationException>(() => outside.Core());
        Assert.Throws<ArgumentException>(() => new SyntheticMachine().Place(3, PageKind.Free, 1));
    }

    private static int Order(CoreWalker walker, ulong head)
    {
        Assert.NotEqual(0ul, walker.PageWord(head, 0) & (ulong)walker.Number("NUMBER(PG_head_mask)"));
        Assert.Equal(1ul, walker.PageWord(head + 1, 8) & 1);
        if (walker.Info.ContainsKey("OFFSET(page.compound_order)"))
            return (byte)walker.VirtualWord(walker.PageAddress(head + 1) + (ulong)walker.Number("OFFSET(page.compound_order)"));
        if (walker.Info.ContainsKey("OFFSET(folio._folio_order)"))
            return (byte)walker.VirtualWord(walker.PageAddress(head) + (ulong)walker.Number("OFFSET(folio._folio_order)"));
        return (byte)walker.PageWord(head + 1, 0);
    }

    private static bool IsHugetlb(CoreWalker walker, ulong head)
    {
        if (walker.Info.ContainsKey("NUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)"))
            return walker.MapCount(head) == walker.Number("NUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)");
        if (walker.Info.ContainsKey("NUMBER(PG_hugetlb)"))
            return (walker.PageWord(head + 1, 0) >> (int)walker.Number("NUMBER(PG_hugetlb)") & 1) == 1;
        ulong destructor = walker.Info.ContainsKey("OFFSET(page.compound_dtor)")
            ? walker.PageAddress(head + 1) + (ulong)walker.Number("OFFSET(page.compound_dtor)")
            : walker.PageAddress(head) + (ulong)walker.Number("OFFSET(folio._folio_dtor)");
        return (byte)walker.VirtualWord(destructor) == walker.Number("NUMBER(HUGETLB_PAGE_DTOR)");
    }
}
