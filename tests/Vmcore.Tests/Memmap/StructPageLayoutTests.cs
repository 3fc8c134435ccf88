using System.Buffers.Binary;
using System.Text;
using Vmcore.Kernel.Identity;
using Vmcore.Memmap;
using Vmcore.Testing;

namespace Vmcore.Tests.Memmap;

/// <summary>Where each era keeps what, by its keys.</summary>
public sealed class StructPageLayoutTests
{
    [Theory]
    [InlineData(KernelEra.V4_19, 17, 16, 2, -1, false, false, false, false)]
    [InlineData(KernelEra.V5_4, 17, 16, 2, -1, false, false, true, false)]
    [InlineData(KernelEra.V6_1, 17, 16, 2, -1, false, false, true, false)]
    [InlineData(KernelEra.V6_3, 17, 16, 2, -1, false, false, true, false)]
    [InlineData(KernelEra.V6_6, 0, -1, -1, 8, false, false, true, false)]
    [InlineData(KernelEra.V6_9, 0, -1, -1, -1, true, false, true, false)]
    [InlineData(KernelEra.V6_10, 0, -1, -1, -1, true, true, true, false)]
    [InlineData(KernelEra.V6_11, 0, -1, -1, -1, true, true, true, false)]
    [InlineData(KernelEra.V6_12, 0, -1, -1, -1, true, true, true, false)]
    [InlineData(KernelEra.V6_16, 0, -1, -1, -1, true, true, true, true)]
    [InlineData(KernelEra.V7_1, 0, -1, -1, -1, true, true, true, true)]
    public void EachEraHasItsOwn(KernelEra era, int order, int destructor, int number, int flag, bool hugetlb, bool slab, bool offline, bool unaccepted)
    {
        foreach (int size in new[] { 56, 64, 72 })
        {
            StructPageLayout layout = StructPageLayout.From(Info(new() { Era = era, StructPageSize = size }));
            EraProfile profile = EraProfile.Of(era);
            Assert.Equal(size, layout.Size);
            Assert.Equal(size + order, layout.CompoundOrder);
            Assert.Equal(destructor < 0 ? -1 : size + destructor, layout.CompoundDestructor);
            Assert.Equal(number, layout.HugetlbDestructor);
            Assert.Equal(flag, layout.HugetlbFlag);
            Assert.Equal(hugetlb, layout.HugetlbType.IsKnown);
            Assert.Equal(slab, layout.SlabType.IsKnown);
            Assert.Equal(offline, layout.OfflineType.IsKnown);
            Assert.Equal(unaccepted, layout.UnacceptedType.IsKnown);
            Assert.Equal(slab ? 0 : 1ul << profile.Slab, layout.Slab);
            Assert.Equal(1ul << profile.Lru, layout.Lru);
            Assert.Equal(1ul << profile.Private, layout.PrivateFlag);
            Assert.Equal(1ul << profile.SwapCache, layout.SwapCache);
            Assert.Equal(1ul << profile.SwapBacked, layout.SwapBacked);
            Assert.Equal(1ul << profile.HwPoison, layout.HwPoison);
            Assert.Equal(1ul << profile.Head, layout.HeadMask);
            Assert.Equal(8, layout.CompoundHead);
            Assert.Equal(11, layout.FreeAreas);
            Assert.True(layout.BuddyType.Matches(profile.BuddyType));
            Assert.False(layout.BuddyType.Matches(uint.MaxValue));
            Assert.False(layout.BuddyType.Matches(profile.OfflineType));
        }
    }

    [Theory]
    [InlineData("SIZE(page)")]
    [InlineData("OFFSET(page.flags)")]
    [InlineData("OFFSET(page.mapping)")]
    [InlineData("OFFSET(page._mapcount)")]
    public void WhatEveryKernelExportsMustBeThere(string key)
    {
        string text = Text(new());
        Assert.Contains(key, Assert.Throws<MissingInformationException>(() => From(Replace(text, key, null))).Message, StringComparison.Ordinal);
        Assert.Contains(key, Assert.Throws<MissingInformationException>(() => From(Replace(text, key, "-8"))).Message, StringComparison.Ordinal);
        Assert.Contains(key, Assert.Throws<MissingInformationException>(() => From(Replace(text, key, "100000"))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(8)]
    [InlineData(31)]
    [InlineData(65)]
    [InlineData(264)]
    public void ImpossibleSizesAreRefused(int size) =>
        Assert.Throws<MissingInformationException>(() => From(Replace(Text(new()), "SIZE(page)", $"{size}")));

    /// <summary>Old kernels export less; the tools of today know what held then.</summary>
    [Fact]
    public void DefaultsOfOldKernelsHold()
    {
        string text = Text(new() { Era = KernelEra.V4_19 });
        foreach (string key in new[] { "NUMBER(PG_lru)", "NUMBER(PG_private)", "NUMBER(PG_swapcache)", "NUMBER(PG_swapbacked)", "NUMBER(PG_slab)",
            "NUMBER(PG_hwpoison)", "LENGTH(zone.free_area)", "NUMBER(PG_head_mask)", "OFFSET(page.compound_head)", "OFFSET(page.private)" })
            text = Replace(text, key, null);
        StructPageLayout layout = From(text);
        Assert.Equal((1ul << 5, 1ul << 11, 1ul << 15, 0ul, 1ul << 7, 0ul),
            (layout.Lru, layout.PrivateFlag, layout.SwapCache, layout.SwapBacked, layout.Slab, layout.HwPoison));
        Assert.Equal((11, 0ul, -1, -1), (layout.FreeAreas, layout.HeadMask, layout.CompoundHead, layout.Private));
        Assert.Equal(1ul << 17, From(Replace(text, "NUMBER(PG_swapcache)", "9", add: true)).SwapBacked);
    }

    [Theory]
    [InlineData("-129", 0xffffff7fu, true)]
    [InlineData("-129", 0xffffff7eu, false)]
    [InlineData("-268435456", 0xf0000000u, true)]
    [InlineData("4026531840", 0xf0000000u, true)]
    [InlineData("-268435456", 0xf0000007u, true)]
    [InlineData("-268435456", 0xf1000000u, false)]
    [InlineData("99999999999", 0xf0000000u, false)]
    public void TypesAreWordsOrTopBytes(string exported, uint mapCount, bool matches) =>
        Assert.Equal(matches, PageType.From(long.Parse(exported, System.Globalization.CultureInfo.InvariantCulture)).Matches(mapCount));

    /// <summary>The word is the head's address with bit 0 set, or since 7.1 a mask.</summary>
    [Theory]
    [InlineData(0UL, 0xffffea0000001040UL)] // no tail
    [InlineData(0xffffea0000001000UL, 0xffffea0000001040UL)] // bit 0 is not set: something else is kept there
    [InlineData(0xffffea0000001001UL, 0xffffea0000001000UL)]
    [InlineData(0xfffffffffffff001UL, 0xffffea0000001000UL)] // a mask: 64 pages
    [InlineData(0xffffffffffffff81UL, 0xffffea0000001000UL)] // a mask: two pages
    [InlineData(0xfffffc0000000001UL, 0xfffffc0000000000UL)] // an address, though a power of two from the end
    public void TheHeadOfATailIsFound(ulong word, ulong expected)
    {
        foreach (KernelEra era in new[] { KernelEra.V6_1, KernelEra.V7_1 })
        {
            StructPageLayout layout = StructPageLayout.From(Info(new() { Era = era }));
            byte[] page = new byte[layout.Size];
            BinaryPrimitives.WriteUInt64LittleEndian(page.AsSpan(layout.CompoundHead), word);
            Assert.Equal(expected, layout.HeadOf(0xffffea0000001040, page));
        }
    }

    private static VmcoreInfo Info(MachineOptions options) => VmcoreInfo.Parse(Encoding.ASCII.GetBytes(Text(options)));

    private static StructPageLayout From(string text) => StructPageLayout.From(VmcoreInfo.Parse(Encoding.ASCII.GetBytes(text)));

    private static string Text(MachineOptions options) => new SyntheticMachine(options).AddRam(0x100000, 63 << 20).Vmcoreinfo;

    private static string Replace(string text, string key, string? value, bool add = false)
    {
        string[] lines = [.. text.Split('\n').Where(l => !l.StartsWith(key + "=", StringComparison.Ordinal))];
        Assert.True(add || lines.Length < text.Split('\n').Length, $"{key} is not exported.");
        return string.Join('\n', lines) + (value is null ? "" : $"\n{key}={value}\n");
    }
}
