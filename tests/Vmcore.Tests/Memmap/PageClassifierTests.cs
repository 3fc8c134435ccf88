using System.Buffers.Binary;
using System.Text;
using CsCheck;
using Vmcore.Kernel.Identity;
using Vmcore.Memmap;
using Vmcore.Testing;

namespace Vmcore.Tests.Memmap;

/// <summary>The table of rules, row by row, and which row comes first.</summary>
public sealed class PageClassifierTests
{
    private const ulong Anon = 0xffff888000000001, File = 0xffff888000000000;

    [Flags]
    private enum Mark
    {
        None = 0,
        Lru = 1,
        Private = 2,
        SwapCache = 4,
        SwapBacked = 8,
        Head = 16,
        HwPoison = 32,
        Slab = 64,
        Anonymous = 128,
        Buddy = 256,
        Offline = 512,
        Hugetlb = 1024,
        Tail = 2048,
        Unaccepted = 4096,
        Waiters = 8192,
    }

    public static TheoryData<KernelEra> Eras =>
        [KernelEra.V4_19, KernelEra.V6_1, KernelEra.V6_3, KernelEra.V6_6, KernelEra.V6_9, KernelEra.V6_10, KernelEra.V6_12, KernelEra.V7_1];

    [Theory]
    [MemberData(nameof(Eras))]
    public void EachRowDecides(KernelEra era)
    {
        foreach ((Mark mark, int level, PageClass expected) in new[]
        {
            (Mark.None, 31, PageClass.Kept),
            (Mark.Lru, 2, PageClass.Cache),
            (Mark.Lru, 4, PageClass.Cache),
            (Mark.Lru, 29 & ~4, PageClass.Kept),
            (Mark.Lru | Mark.Private, 2, PageClass.Kept),
            (Mark.Lru | Mark.Private, 4, PageClass.CachePrivate),
            (Mark.Lru | Mark.Private, 6, PageClass.CachePrivate),
            (Mark.Lru | Mark.Anonymous, 6, PageClass.Kept),
            (Mark.Lru | Mark.Anonymous, 8, PageClass.User),
            (Mark.SwapCache | Mark.SwapBacked, 2, PageClass.Cache),
            (Mark.SwapCache, 2, PageClass.Kept),
            (Mark.Buddy, 16, PageClass.Free),
            (Mark.Buddy, 15, PageClass.Kept),
            (Mark.Slab | Mark.Anonymous, 31, PageClass.Kept),
            (Mark.Waiters | Mark.Anonymous, 8, PageClass.User),
            (Mark.HwPoison, 0, PageClass.HwPoison),
            (Mark.HwPoison | Mark.Anonymous, 8, PageClass.User),
            (Mark.HwPoison | Mark.Anonymous, 7, PageClass.HwPoison),
            (Mark.HwPoison | Mark.Lru, 31, PageClass.Cache),
            (Mark.HwPoison | Mark.Offline, 0, PageClass.HwPoison),
            (Mark.Head | Mark.Hugetlb, 8, PageClass.User),
            (Mark.Head | Mark.Hugetlb, 23, PageClass.Kept),
            (Mark.Head, 31, PageClass.Kept),
            (Mark.Tail | Mark.Lru | Mark.Anonymous | Mark.HwPoison, 31, PageClass.Kept),
            (Mark.Tail | Mark.Buddy, 31, PageClass.Kept),
            (Mark.Offline, 0, era >= KernelEra.V5_4 ? PageClass.Offline : PageClass.Kept),
            (Mark.Offline, 31, era >= KernelEra.V5_4 ? PageClass.Offline : PageClass.Kept),
            (Mark.Unaccepted, 16, era >= KernelEra.V6_16 ? PageClass.Free : PageClass.Kept),
            (Mark.Unaccepted, 15, PageClass.Kept),
        })
        {
            PageVerdict verdict = Classify(era, mark, level, order: 0);
            Assert.True(expected == verdict.Class, $"{mark} at level {level}: expected {expected}, found {verdict.Class}.");
            ulong pages = mark == Mark.Unaccepted && verdict.Class == PageClass.Free ? 1024ul : 1;
            Assert.Equal(pages, verdict.Pages);
        }
    }

    [Theory]
    [MemberData(nameof(Eras))]
    public void BlocksAreAsLargeAsTheirOrder(KernelEra era)
    {
        Assert.Equal(new PageVerdict(PageClass.Free, 1024), Classify(era, Mark.Buddy, 16, order: 10));
        Assert.Equal(new PageVerdict(PageClass.Kept, 1), Classify(era, Mark.Buddy, 16, order: 11));
        Assert.Equal(new PageVerdict(PageClass.Kept, 1), Classify(era, Mark.Buddy, 16, order: 3, pfn: 4));
        Assert.Equal(new PageVerdict(PageClass.User, 512), Classify(era, Mark.Head | Mark.Anonymous | Mark.Lru, 8, order: 9));
        Assert.Equal(new PageVerdict(PageClass.User, 1 << 18), Classify(era, Mark.Head | Mark.Hugetlb, 8, order: 18));
        Assert.Equal(new PageVerdict(PageClass.Cache, 16), Classify(era, Mark.Head | Mark.Lru, 2, order: 4));

        // An order that cannot be takes nothing along.
        Assert.Equal(new PageVerdict(PageClass.User, 1), Classify(era, Mark.Head | Mark.Anonymous, 8, order: 9, pfn: 0x100));
        Assert.Equal(new PageVerdict(PageClass.User, 1), Classify(era, Mark.Head | Mark.Anonymous, 8, order: 40));
        Assert.Equal(new PageVerdict(PageClass.User, 1), Classify(era, Mark.Head | Mark.Anonymous, 8, order: 9, next: false));
    }

    [Fact]
    public void StructuresOfAllOnesAreKept()
    {
        byte[] ones = new byte[128];
        Array.Fill(ones, (byte)0xff);
        Assert.Equal(new PageVerdict(PageClass.Kept, 1), new PageClassifier(Layout(KernelEra.V6_12), (DumpLevel)31).Classify(0, ones));
    }

    [Fact]
    public void AnyBytesHaveAVerdict()
    {
        PageClassifier[] all = [.. Enum.GetValues<KernelEra>().Select(e => new PageClassifier(Layout(e), (DumpLevel)31))];
        Gen.Select(Gen.Byte.Array[128], Gen.ULong[0, 1ul << 40]).Sample(t =>
            all.All(c => c.Classify(t.Item2, t.Item1) is { Pages: > 0 and <= 1ul << PageClassifier.LargestOrder } v
            && (v.Pages == 1 || v.Class != PageClass.Kept)));
    }

    private static PageVerdict Classify(KernelEra era, Mark mark, int level, int order, ulong pfn = 1 << 20, bool next = true)
    {
        EraProfile e = EraProfile.Of(era);
        byte[] pages = new byte[128];
        ulong flags = 0;
        void Flag(Mark which, int bit) => flags |= (mark & which) != 0 && bit >= 0 ? 1ul << bit : 0;
        Flag(Mark.Lru, e.Lru);
        Flag(Mark.Private, e.Private);
        Flag(Mark.SwapCache, e.SwapCache);
        Flag(Mark.SwapBacked, e.SwapBacked);
        Flag(Mark.Head, e.Head);
        Flag(Mark.HwPoison, e.HwPoison);
        Flag(Mark.Slab, e.Slab);
        Flag(Mark.Waiters, e.Waiters);
        uint mapCount = (mark & Mark.Buddy) != 0 ? e.BuddyType
            : (mark & Mark.Offline) != 0 ? e.OfflineType
            : (mark & Mark.Unaccepted) != 0 && e.UnacceptedType != 0 ? e.UnacceptedType
            : (mark & Mark.Hugetlb) != 0 && e.HugetlbType != 0 ? e.HugetlbType
            : (mark & Mark.Slab) != 0 && e.SlabType != 0 ? e.SlabType
            : uint.MaxValue;
        Word(pages, 0, flags);
        Word(pages, 8, (mark & Mark.Tail) != 0 ? 0xffffea0000000001 : 0xffffea0000000008);
        Word(pages, 24, (mark & Mark.Anonymous) != 0 ? Anon : File);
        Word(pages, 40, (ulong)order);
        BinaryPrimitives.WriteUInt32LittleEndian(pages.AsSpan(48), mapCount);
        bool hugetlb = (mark & Mark.Hugetlb) != 0;
        if (e.OrderInBytes)
            Word(pages, 64 + 16, (hugetlb ? 2ul : 1) | ((ulong)order << 8));
        else
            Word(pages, 64, (uint)order | (hugetlb && e.HugetlbBit >= 0 ? 1ul << e.HugetlbBit : 0));
        return new PageClassifier(Layout(era), (DumpLevel)level).Classify(pfn, pages.AsSpan(0, next ? 128 : 64));
    }

    private static StructPageLayout Layout(KernelEra era) =>
        StructPageLayout.From(VmcoreInfo.Parse(Encoding.ASCII.GetBytes(new SyntheticMachine(new() { Era = era }).AddRam(0x100000, 63 << 20).Vmcoreinfo)));

    private static void Word(byte[] bytes, int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(at), value);
}
