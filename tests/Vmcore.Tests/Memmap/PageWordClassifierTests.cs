using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using CsCheck;
using Vmcore.Kernel.Identity;
using Vmcore.Memmap;
using Vmcore.Testing;

namespace Vmcore.Tests.Memmap;

/// <summary>64 pages at once are decided like one by one.</summary>
public sealed class PageWordClassifierTests
{
    public static TheoryData<KernelEra> Eras => [.. Enum.GetValues<KernelEra>()];

    [Theory]
    [MemberData(nameof(Eras))]
    public void PagesThatAreNotUnusualAreDecidedLikeOneByOne(KernelEra era)
    {
        EraProfile e = EraProfile.Of(era);
        StructPageLayout layout = Layout(era);
        // Few of each kind, so that all pairs of marks come together.
        ulong[] bits = [.. new[] { e.Lru, e.Private, e.SwapCache, e.SwapBacked, e.Head, e.HwPoison, e.Slab, e.Waiters }
            .Where(b => b >= 0).Select(b => 1ul << b)];
        Gen<ulong> flags = Gen.Frequency(
            (20, Gen.ULong.Select(u => bits.Where((_, i) => (u >> i & 1) != 0).Aggregate(0ul, (a, b) => a | b) | (u & 0xffff_0000_0000_0000))),
            (1, Gen.Const(ulong.MaxValue)));
        Gen<uint> mapCounts = OneOf(uint.MaxValue, 0u, 1u, 0x7fffffffu, 0x80000000u, 0xfffffffeu,
            e.BuddyType, e.OfflineType, e.SlabType, e.HugetlbType, e.UnacceptedType, e.BuddyType | 7);
        Gen<(ulong, uint, ulong, ulong)> page = Gen.Select(flags, mapCounts,
            OneOf(0ul, 0xffff888000000000, 0xffff888000000001, 0xffff888000000003), OneOf(0ul, 0xffffea0000000008, 0xffffea0000000001));
        Gen.Select(page.Array[PageWordClassifier.Pages], Gen.Int[0, 31]).Sample((pages, level) =>
        {
            byte[] structs = new byte[PageWordClassifier.Pages * layout.Size];
            for (int i = 0; i < pages.Length; i++)
            {
                Span<byte> one = structs.AsSpan(i * layout.Size, layout.Size);
                BinaryPrimitives.WriteUInt64LittleEndian(one[layout.Flags..], pages[i].Item1);
                BinaryPrimitives.WriteUInt32LittleEndian(one[layout.MapCount..], pages[i].Item2);
                BinaryPrimitives.WriteUInt64LittleEndian(one[layout.Mapping..], pages[i].Item3);
                BinaryPrimitives.WriteUInt64LittleEndian(one[layout.CompoundHead..], pages[i].Item4);
            }

            PageWord word = PageWordClassifier.TryCreate(layout, (DumpLevel)level)!.Classify(structs);
            Assert.Equal(BitOperations.PopCount(word.Unusual) + BitOperations.PopCount(word.Cache)
                + BitOperations.PopCount(word.CachePrivate) + BitOperations.PopCount(word.User),
                BitOperations.PopCount(word.Unusual | word.Cache | word.CachePrivate | word.User));
            var single = new PageClassifier(layout, (DumpLevel)level);
            for (int i = 0; i < pages.Length; i++)
            {
                ulong bit = 1ul << i;
                if ((word.Unusual & bit) != 0)
                    continue;
                PageClass found = (word.Cache & bit) != 0 ? PageClass.Cache
                    : (word.CachePrivate & bit) != 0 ? PageClass.CachePrivate
                    : (word.User & bit) != 0 ? PageClass.User
                    : PageClass.Kept;
                PageVerdict expected = single.Classify((ulong)i, structs.AsSpan(i * layout.Size));
                Assert.True(expected == new PageVerdict(found, 1), $"flags {pages[i].Item1:x}, mapcount {pages[i].Item2:x}, "
                    + $"mapping {pages[i].Item3:x}, head {pages[i].Item4:x}, level {level}: expected {expected}, found {found}.");
            }
        });
    }

    [Theory]
    [MemberData(nameof(Eras))]
    public void WhatMostPagesAreIsNotUnusual(KernelEra era)
    {
        EraProfile e = EraProfile.Of(era);
        StructPageLayout layout = Layout(era);
        byte[] structs = new byte[PageWordClassifier.Pages * layout.Size];
        for (int i = 0; i < PageWordClassifier.Pages; i++)
        {
            Span<byte> one = structs.AsSpan(i * layout.Size, layout.Size);
            BinaryPrimitives.WriteUInt64LittleEndian(one[layout.Flags..], (i % 4) switch
            {
                0 => 1ul << e.Lru,
                1 => 1ul << e.Lru | 1ul << e.Private,
                2 => 1ul << e.Lru | 1ul << e.SwapBacked,
                _ => 0,
            });
            BinaryPrimitives.WriteInt32LittleEndian(one[layout.MapCount..], i % 4 == 3 ? -1 : i);
            BinaryPrimitives.WriteUInt64LittleEndian(one[layout.Mapping..], i % 4 == 2 ? 0xffff888000000001 : 0xffff888000000000);
        }

        PageWord word = PageWordClassifier.TryCreate(layout, (DumpLevel)31)!.Classify(structs);
        Assert.Equal(new PageWord(0, 0x1111111111111111, 0x2222222222222222, 0x4444444444444444), word);
    }

    [Fact]
    public void TypesThatLookLikeACountOfMappingsAreLeftToTheOther()
    {
        Assert.NotNull(PageWordClassifier.TryCreate(Layout(KernelEra.V6_12), (DumpLevel)31));
        string text = new SyntheticMachine(new() { Era = KernelEra.V6_12 }).AddRam(0x100000, 63 << 20).Vmcoreinfo;
        foreach (string key in new[] { "PAGE_BUDDY_MAPCOUNT_VALUE", "PAGE_OFFLINE_MAPCOUNT_VALUE", "PAGE_SLAB_MAPCOUNT_VALUE", "PAGE_HUGETLB_MAPCOUNT_VALUE" })
        {
            // A count, and what a page without a type has.
            foreach (string value in new[] { "3", "-1", "4278190080" })
            {
                string changed = string.Join('\n',
                    text.Split('\n').Select(line => line.StartsWith($"NUMBER({key})", StringComparison.Ordinal) ? $"NUMBER({key})={value}" : line));
                Assert.Null(PageWordClassifier.TryCreate(StructPageLayout.From(VmcoreInfo.Parse(Encoding.ASCII.GetBytes(changed))), (DumpLevel)31));
            }
        }
    }

    private static Gen<T> OneOf<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    private static StructPageLayout Layout(KernelEra era) =>
        StructPageLayout.From(VmcoreInfo.Parse(Encoding.ASCII.GetBytes(new SyntheticMachine(new() { Era = era }).AddRam(0x100000, 63 << 20).Vmcoreinfo)));
}
