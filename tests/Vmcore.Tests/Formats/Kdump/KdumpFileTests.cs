using System.Text;
using Vmcore.Compression;
using Vmcore.Formats.Elf;
using Vmcore.Formats.Kdump;
using Vmcore.Memory;
using Vmcore.Ranges;
using Vmcore.Testing;

namespace Vmcore.Tests.Formats.Kdump;

public sealed class KdumpFileTests
{
    private static readonly byte[] VmcoreInfo = Encoding.ASCII.GetBytes("OSRELEASE=6.1.0-test\nPAGESIZE=4096\n");

    private static KdumpBuilder Recipe(int version, int blockSize = 4096) => new KdumpBuilder
    {
        Version = version,
        BlockSize = blockSize,
        Notes = [.. ElfNotes.Build("VMCOREINFO", 0, VmcoreInfo), .. new byte[5000]],
        VmcoreInfo = (24, VmcoreInfo.Length),
        EraseInfo = "erase key.payload size 32\n",
        MaxMapNr = 300_000,
        Compress = KdumpTestCodecs.Compress,
    }
        .Page(0, KdumpBuilder.Pattern(0, blockSize), PageCodec.Zlib)
        .Page(1, Filled(0x11, blockSize), PageCodec.Lzo)
        .Page(2, KdumpBuilder.Pattern(2, blockSize))
        .Excluded(3)
        .Page(63, Filled(0x22, blockSize), PageCodec.Snappy)
        .Page(64, Filled(0x33, blockSize), PageCodec.Zstd)
        .Excluded(131_071)
        .Page(131_072, KdumpBuilder.Pattern(131_072, blockSize), PageCodec.Zlib)
        .Page(299_999, KdumpBuilder.Pattern(299_999, blockSize));

    private static byte[] Filled(byte value, int size)
    {
        byte[] page = new byte[size];
        page.AsSpan().Fill(value);
        return page;
    }

    private static KdumpFile Open(byte[] file) => KdumpFile.Open(new KdumpBytes(file), KdumpTestCodecs.Create);

    private static byte[] Read(KdumpFile dump, ulong pfn)
    {
        byte[] page = new byte[dump.BlockSize];
        Assert.Equal(MemoryStatus.Ok, dump.ReadPage(pfn, page));
        return page;
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    public void EveryVersionGivesThePagesAndTheFieldsItHas(int version)
    {
        using KdumpFile dump = Open(Recipe(version).Build());

        Assert.Equal(version, dump.Header.Version);
        Assert.Equal("x86_64", dump.Header.Utsname.Machine);
        Assert.Equal("6.1.0-test", dump.Header.Utsname.Release);
        Assert.Equal(1_700_000_000, dump.Header.TimestampSeconds);
        Assert.Equal(2, dump.Header.CpuCount);
        Assert.Equal(300_000UL, dump.MaxPfn);
        Assert.Equal(0x1000000UL, dump.SubHeader.PhysBase);
        Assert.Equal(version >= 1 ? 31 : 0, dump.SubHeader.DumpLevel);
        Assert.False(dump.SubHeader.IsSplit);
        Assert.Equal(version >= 3 ? VmcoreInfo : [], dump.VmcoreInfo.ToArray());
        Assert.Equal(version >= 4 ? ["VMCOREINFO"] : [], dump.NoteList.Select(n => n.Name));
        Assert.Equal(version >= 4 ? VmcoreInfo : [], dump.NoteList.Count == 0 ? [] : dump.NoteList[0].Descriptor(dump.Notes.Span).ToArray());
        Assert.Equal(version >= 5 ? "erase key.payload size 32\n" : "", dump.EraseInfo);
        AssertPages(dump);
    }

    [Theory]
    [InlineData(16384)]
    [InlineData(65536)]
    public void LargerPagesWork(int blockSize)
    {
        using KdumpFile dump = Open(Recipe(6, blockSize).Build());
        AssertPages(dump);
    }

    [Fact]
    public void DiskdumpSignatureIsKnown()
    {
        byte[] file = new KdumpBuilder { Version = 0, Diskdump = true }.Page(5, KdumpBuilder.Pattern(5)).Build();
        using KdumpFile dump = Open(file);
        Assert.True(dump.Header.IsDiskdump);
        Assert.Equal(KdumpBuilder.Pattern(5), Read(dump, 5));
    }

    [Fact]
    public void OneBitmapServesForBoth()
    {
        KdumpBuilder recipe = new KdumpBuilder { TwoBitmaps = false, Version = 0 }
            .Page(5, KdumpBuilder.Pattern(5)).Page(9, KdumpBuilder.Pattern(9), PageCodec.Zlib);
        using KdumpFile dump = Open(recipe.Build());
        Assert.False(dump.HasTwoBitmaps);
        Assert.Equal(KdumpBuilder.Pattern(5), Read(dump, 5));
        Assert.Equal(KdumpBuilder.Pattern(9), Read(dump, 9));
        Assert.Equal(PageState.Hole, dump.GetPageState(6));
        byte[] memory = new byte[8], dumped = new byte[8];
        Assert.True(dump.ReadBitmap(KdumpBitmap.Memory, 0, memory));
        Assert.True(dump.ReadBitmap(KdumpBitmap.Dumped, 0, dumped));
        Assert.Equal(memory, dumped);
    }

    [Fact]
    public void BitmapsAreCopiedAndCutAtTheLastPage()
    {
        byte[] file = Recipe(6).Build();
        // Rubbish after the last page belongs to no page.
        file.AsSpan(Recipe(6).Bitmap1Offset + (300_000 / 8), 100).Fill(0xff);
        using KdumpFile dump = Open(file);
        byte[] bits = new byte[9];
        Assert.True(dump.ReadBitmap(KdumpBitmap.Memory, 0, bits));
        Assert.Equal(new byte[] { 0x0f, 0, 0, 0, 0, 0, 0, 0x80, 0x01 }, bits);
        Assert.True(dump.ReadBitmap(KdumpBitmap.Dumped, 0, bits));
        Assert.Equal(new byte[] { 0x07, 0, 0, 0, 0, 0, 0, 0x80, 0x01 }, bits);
        Assert.True(dump.ReadBitmap(KdumpBitmap.Memory, 299_992, bits));
        Assert.Equal(new byte[] { 0x80, 0, 0, 0, 0, 0, 0, 0, 0 }, bits);
        Assert.True(dump.ReadBitmap(KdumpBitmap.Memory, 1UL << 60, bits));
        Assert.Equal(new byte[9], bits);
        Assert.Throws<ArgumentOutOfRangeException>(() => dump.ReadBitmap(KdumpBitmap.Memory, 4, bits));
    }

    [Fact]
    public void PfnBeyond32BitsIsFound()
    {
        // The bitmaps of this machine would take a gigabyte, so only the fields are checked.
        var header = new KdumpHeader { BlockSize = 4096, SubHeaderBlocks = 1, BitmapBlocks = 2 * (1U << 18), MaxMapNr = uint.MaxValue };
        var sub = new KdumpSubHeader { MaxMapNr = 1UL << 33, IsSplit = true, StartPfn = 1UL << 32, EndPfn = 1UL << 33 };
        byte[] file = new byte[8192];
        header.WriteTo(file);
        sub.WriteTo(file.AsSpan(4096));
        using KdumpFile dump = Open(file);
        Assert.Equal(1UL << 33, dump.MaxPfn);
        Assert.Equal(new PfnRange(1UL << 32, 1UL << 33), Assert.Single(dump.PartRanges));
        // The bitmaps are cut off: nobody knows.
        Assert.Equal(PageState.Lost, dump.GetPageState(5));
        Assert.Equal(PageState.Hole, dump.GetPageState(1UL << 33));
        Assert.False(dump.ReadBitmap(KdumpBitmap.Dumped, 0, new byte[8]));
    }

    [Fact]
    public void OpeningReadsNoBitmap()
    {
        var source = new KdumpBytes(Recipe(6).Build());
        using KdumpFile dump = KdumpFile.Open(source, KdumpTestCodecs.Create);
        Assert.InRange(source.BytesRead, 464, 8192);
    }

    [Fact]
    public void MemoryReadsCrossPages()
    {
        using KdumpFile dump = Open(Recipe(6).Build());
        var memory = new KdumpMemory(dump);
        byte[] expected = [.. KdumpBuilder.Pattern(0), .. Filled(0x11, 4096), .. KdumpBuilder.Pattern(2)];
        byte[] bytes = new byte[3 * 4096];
        Assert.Equal(MemoryStatus.Ok, memory.Read(0, bytes));
        Assert.Equal(expected, bytes);
        byte[] part = new byte[5000];
        Assert.Equal(MemoryStatus.Ok, memory.Read(4000, part));
        Assert.Equal(expected.AsSpan(4000, 5000).ToArray(), part);
        Assert.Equal(MemoryStatus.Ok, memory.Read(12, part.AsSpan(0, 100)));
        Assert.Equal(expected.AsSpan(12, 100).ToArray(), part.AsSpan(0, 100).ToArray());
        Assert.Equal(MemoryStatus.Excluded, memory.Read(0x2ffc, part.AsSpan(0, 8)));
        Assert.Equal(MemoryStatus.Hole, memory.Read(0x4000, part.AsSpan(0, 8)));
        Assert.Equal(MemoryStatus.Hole, memory.Read(ulong.MaxValue - 3, part.AsSpan(0, 8)));
        Assert.Equal(MemoryStatus.Ok, memory.Read(0x4000, []));
    }

    [Fact]
    public void ManyThreadsReadTheSamePages()
    {
        var recipe = new KdumpBuilder { MaxMapNr = 1024 };
        for (ulong pfn = 0; pfn < 1024; pfn += 3)
            recipe.Page(pfn, KdumpBuilder.Pattern(pfn), pfn % 2 == 0 ? PageCodec.Zlib : PageCodec.None);
        using KdumpFile dump = Open(recipe.Build());
        var memory = new KdumpMemory(dump);
        Parallel.For(0, 4096, i =>
        {
            ulong pfn = (ulong)(i * 7 % 1024);
            byte[] page = new byte[4096];
            bool present = pfn % 3 == 0;
            Assert.Equal(present ? MemoryStatus.Ok : MemoryStatus.Hole, dump.ReadPage(pfn, page));
            byte[] part = new byte[64];
            Assert.Equal(present ? MemoryStatus.Ok : MemoryStatus.Hole, memory.Read((pfn << 12) + 32, part));
            if (!present)
                return;
            Assert.Equal(KdumpBuilder.Pattern(pfn), page);
            Assert.Equal(page.AsSpan(32, 64).ToArray(), part);
        });
    }

    [Fact]
    public void DisposeReleasesTheSources()
    {
        var source = new KdumpBytes(Recipe(6).Build());
        KdumpFile.Open(source, KdumpTestCodecs.Create).Dispose();
        Assert.True(source.IsDisposed);
        var broken = new KdumpBytes(new byte[100]);
        Assert.Throws<DumpFormatException>(() => KdumpFile.Open(broken, KdumpTestCodecs.Create));
        Assert.True(broken.IsDisposed);
    }

    private static void AssertPages(KdumpFile dump)
    {
        Assert.Equal(KdumpBuilder.Pattern(0, dump.BlockSize), Read(dump, 0));
        Assert.Equal(Filled(0x11, dump.BlockSize), Read(dump, 1));
        Assert.Equal(KdumpBuilder.Pattern(2, dump.BlockSize), Read(dump, 2));
        Assert.Equal(Filled(0x22, dump.BlockSize), Read(dump, 63));
        Assert.Equal(Filled(0x33, dump.BlockSize), Read(dump, 64));
        Assert.Equal(KdumpBuilder.Pattern(131_072, dump.BlockSize), Read(dump, 131_072));
        Assert.Equal(KdumpBuilder.Pattern(299_999, dump.BlockSize), Read(dump, 299_999));
        byte[] page = new byte[dump.BlockSize];
        foreach (ulong pfn in (ulong[])[3, 131_071])
        {
            Assert.Equal(PageState.Excluded, dump.GetPageState(pfn));
            Assert.Equal(MemoryStatus.Excluded, dump.ReadPage(pfn, page));
            Assert.False(dump.TryGetDescriptor(pfn, out _));
        }

        foreach (ulong pfn in (ulong[])[4, 62, 65, 299_998, 300_000, ulong.MaxValue])
        {
            Assert.Equal(PageState.Hole, dump.GetPageState(pfn));
            Assert.Equal(MemoryStatus.Hole, dump.ReadPage(pfn, page));
        }

        Assert.Equal(PageState.Present, dump.GetPageState(64));
        Assert.True(dump.TryGetDescriptor(64, out PageDescriptor descriptor));
        Assert.Equal(PageCodec.Zstd, descriptor.Codec);
        Assert.Equal(2U, descriptor.Length);
    }
}
