using Vmcore.Compression;
using Vmcore.Formats.Kdump;
using Vmcore.Memory;
using Vmcore.Testing;

namespace Vmcore.Tests.Formats.Kdump;

public sealed class KdumpSplitTests
{
    private static readonly ulong[] Pfns = [0, 7, 8, 20, 21, 22, 40, 63];

    private static KdumpBuilder Recipe(int version = 6)
    {
        var recipe = new KdumpBuilder { Version = version };
        foreach (ulong pfn in Pfns)
            recipe.Page(pfn, KdumpBuilder.Pattern(pfn), pfn % 2 == 0 ? PageCodec.Zlib : PageCodec.None);
        return recipe.Excluded(9);
    }

    private static KdumpFile Open(params byte[][] files) =>
        KdumpFile.Open([.. files.Select((f, i) => new KdumpBytes(f, $"part{i}"))], KdumpTestCodecs.Create);

    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(6)]
    public void PartsInAnyOrderGiveEveryPage(int version)
    {
        KdumpBuilder recipe = Recipe(version);
        using KdumpFile dump = Open(recipe.BuildPart(21, 41), recipe.BuildPart(41, 64), recipe.BuildPart(0, 8), recipe.BuildPart(8, 21));
        Assert.Equal([new(0, 8), new(8, 21), new(21, 41), new(41, 64)], dump.PartRanges);
        byte[] page = new byte[4096];
        foreach (ulong pfn in Pfns)
        {
            Assert.Equal(MemoryStatus.Ok, dump.ReadPage(pfn, page));
            Assert.Equal(KdumpBuilder.Pattern(pfn), page);
        }

        Assert.Equal(PageState.Excluded, dump.GetPageState(9));
        Assert.Equal(PageState.Hole, dump.GetPageState(10));
    }

    [Fact]
    public void PagesOfAMissingPartAreLost()
    {
        KdumpBuilder recipe = Recipe();
        using KdumpFile dump = Open(recipe.BuildPart(0, 8), recipe.BuildPart(22, 64));
        byte[] page = new byte[4096];
        foreach (ulong pfn in Pfns)
        {
            bool here = pfn is < 8 or >= 22;
            Assert.Equal(here ? PageState.Present : PageState.Lost, dump.GetPageState(pfn));
            Assert.Equal(here ? MemoryStatus.Ok : MemoryStatus.PartMissing, dump.ReadPage(pfn, page));
        }

        Assert.Equal(PageState.Excluded, dump.GetPageState(9));
    }

    [Fact]
    public void APartThatRanFullIsIncomplete()
    {
        KdumpBuilder recipe = Recipe();
        using KdumpFile dump = Open(recipe.BuildPart(0, 21), recipe.BuildPart(21, 64, status: 8));
        Assert.True(dump.IsIncomplete);
        Assert.Equal(PageState.Present, dump.GetPageState(63));
    }

    [Fact]
    public void BitmapsComeFromAPartThatHasThem()
    {
        KdumpBuilder recipe = Recipe();
        byte[] first = recipe.BuildPart(0, 21);
        using KdumpFile dump = Open(first[..recipe.Bitmap2Offset], recipe.BuildPart(21, 64));
        Assert.Equal(PageState.Lost, dump.GetPageState(0));
        Assert.Equal(PageState.Excluded, dump.GetPageState(9));
        byte[] page = new byte[4096];
        Assert.Equal(MemoryStatus.Ok, dump.ReadPage(40, page));
        Assert.Equal(KdumpBuilder.Pattern(40), page);
    }

    [Fact]
    public void FilesThatDoNotBelongTogetherAreRefused()
    {
        KdumpBuilder recipe = Recipe();
        byte[] part = recipe.BuildPart(0, 21);
        Assert.Throws<DumpFormatException>(() => Open(part, recipe.Build()));
        Assert.Throws<DumpFormatException>(() => Open(recipe.Build(), recipe.Build()));
        Assert.Throws<DumpFormatException>(() => Open(part, recipe.BuildPart(20, 64)));
        Assert.Throws<DumpFormatException>(() => Open(part, part));
        byte[] other = recipe.BuildPart(21, 64);
        other[12 + 65] ^= 1;
        var error = Assert.Throws<DumpFormatException>(() => Open(part, other));
        Assert.Contains("another dump", error.Message, StringComparison.Ordinal);
    }
}
