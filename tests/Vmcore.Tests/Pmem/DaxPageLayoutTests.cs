using System.Buffers.Binary;
using System.Globalization;
using Vmcore.Kernel.Btf;
using Vmcore.Kernel.Identity;
using Vmcore.Kernel.Types;
using Vmcore.Memmap;
using Vmcore.Pmem.Usage;
using Vmcore.Tests.Kernel;

namespace Vmcore.Tests.Pmem;

/// <summary>What struct pages of pmem mean, by kernel: the two eras differ in what is idle, shared and pinned.</summary>
public sealed class DaxPageLayoutTests
{
    private const ulong PageMap = 0xffff888012345600, Mapping = 0xffff888023456700;
    private const int Reserved = 1 << 12;

    [Theory]
    [InlineData(0UL, 0UL, 1, DaxPageState.Idle, false)]
    [InlineData(Mapping, 7UL, 1, DaxPageState.Mapped, false)]
    [InlineData(Mapping, 7UL, 2, DaxPageState.Mapped, true)]
    [InlineData(1UL, 3UL, 1, DaxPageState.Shared, false)]
    [InlineData(0UL, 0UL, 3, DaxPageState.InUse, true)]
    [InlineData(0x1234567UL, 0UL, 1, DaxPageState.Foreign, false)]
    [InlineData(0xdead000000000400UL, 0UL, 1, DaxPageState.Foreign, false)]
    public void EachPageForItself(ulong mapping, ulong index, int references, object state, bool pinned)
    {
        DaxPageLayout layout = Layout(folios: false);
        Assert.False(layout.HasFolios);
        DaxPage page = layout.Read(Page(mapping, index, references, -1), 0);
        Assert.Equal(((DaxPageState)state, pinned, false), (page.State, page.IsPinned, page.IsPoisoned));
    }

    [Theory]
    [InlineData(0UL, 0UL, 0, -1, 0, DaxPageState.Idle, false)]
    [InlineData(Mapping, 7UL, 2, 1, 0, DaxPageState.Mapped, false)]
    [InlineData(Mapping, 7UL, 3, 1, 0, DaxPageState.Mapped, true)]
    [InlineData(Mapping, 7UL, 9, -1, 9, DaxPageState.Mapped, false)]
    [InlineData(0UL, 4UL, 1, 0, 0, DaxPageState.Shared, false)]
    [InlineData(0UL, 0UL, 1, 0, 0, DaxPageState.InUse, false)]
    public void Folios(ulong mapping, ulong index, int references, int maps, int order, object state, bool pinned)
    {
        DaxPageLayout layout = Layout(folios: true);
        Assert.True(layout.HasFolios);
        DaxPage page = layout.Read(Page(mapping, index, references, maps), order);
        Assert.Equal(((DaxPageState)state, pinned), (page.State, page.IsPinned));
    }

    [Fact]
    public void APoisonedPageAndAnUninitialisedOneAreTold()
    {
        DaxPageLayout layout = Layout(folios: false);
        byte[] poisoned = Page(Mapping, 0, 1, -1);
        BinaryPrimitives.WriteUInt64LittleEndian(poisoned, Reserved | (1 << 23));
        Assert.True(layout.Read(poisoned, 0).IsPoisoned);
        byte[] ones = new byte[64];
        ones.AsSpan().Fill(0xff);
        Assert.Equal(DaxPageState.Foreign, layout.Read(ones, 0).State);
        Assert.Equal(DaxPageState.Foreign, layout.Read(new byte[64], 0).State);
    }

    private static byte[] Page(ulong mapping, ulong index, int references, int maps)
    {
        byte[] page = new byte[64];
        BinaryPrimitives.WriteUInt64LittleEndian(page, Reserved);
        BinaryPrimitives.WriteUInt64LittleEndian(page.AsSpan(8), PageMap);
        BinaryPrimitives.WriteUInt64LittleEndian(page.AsSpan(24), mapping);
        BinaryPrimitives.WriteUInt64LittleEndian(page.AsSpan(32), index);
        BinaryPrimitives.WriteInt32LittleEndian(page.AsSpan(48), maps);
        BinaryPrimitives.WriteInt32LittleEndian(page.AsSpan(52), references);
        return page;
    }

    private static DaxPageLayout Layout(bool folios)
    {
        VmcoreInfo info = VmcoreInfo.Parse(System.Text.Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"""
            SIZE(page)=64
            OFFSET(page.flags)=0
            OFFSET(page._refcount)=52
            OFFSET(page.mapping)=24
            OFFSET(page.lru)=8
            OFFSET(page._mapcount)=48
            OFFSET(page.private)=40
            OFFSET(page.compound_head)=8
            NUMBER(PG_hwpoison)=23
            """)));
        var builder = new BtfBuilder();
        builder.Composite(BtfKind.Struct, "page", 64,
            folios ? [("mapping", 0, 24 * 8), ("__folio_index", 0, 32 * 8)] : [("mapping", 0, 24 * 8), ("index", 0, 32 * 8), ("pgmap", 0, 64)]);
        if (folios)
            builder.Composite(BtfKind.Struct, "folio", 256, ("pgmap", 0, 64));
        return DaxPageLayout.From(info, StructPageLayout.From(info), KernelTypes.From(BtfTypes.TryParse(builder.Build(), out _)!), new FakeVirtualMemory());
    }
}
