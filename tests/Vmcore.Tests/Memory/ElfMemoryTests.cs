using CsCheck;
using Vmcore.Formats.Elf;
using Vmcore.Memory;
using Vmcore.Ranges;
using Vmcore.Testing;
using Vmcore.Tests.Formats.Elf;

namespace Vmcore.Tests.Memory;

/// <summary>The memory in core files against a byte-by-byte model.</summary>
public sealed class ElfMemoryTests
{
    [Fact]
    public void OverlapsPartsAndTailsAreThoseOfTheModel() =>
        Gen.Select(Gen.Int[0, 0x6000], Gen.Int[0, 0x2800], Gen.Int[0, 0x1800]).Array[1, 6].Sample(
            loads =>
            {
                var bytes = new ElfBytes { Data = [.. Enumerable.Range(0, 0x20000).Select(i => (byte)((i * 31) ^ (i >> 8)))] };
                ulong at = 0;
                foreach ((int physical, int file, int more) in loads)
                {
                    bytes.Load((ulong)physical, at, (ulong)file, (ulong)(file + more));
                    at += (ulong)file;
                }

                Check(bytes, new ElfMemory(ElfCoreFile.Open(new KdumpBytes(bytes.Build())), 12));
            },
            iter: 60);

    [Fact]
    public void TheFirstSegmentOfTheFileWins()
    {
        var bytes = new ElfBytes { Data = [.. Enumerable.Repeat((byte)1, 0x3000), .. Enumerable.Repeat((byte)2, 0x1000)] };
        bytes.Load(0x4000, 0x3000, 0x1000).Load(0x3000, 0, 0x3000);
        ElfMemory memory = Open(bytes);
        byte[] page = new byte[4096];
        Assert.Equal(MemoryStatus.Ok, memory.ReadPage(4, page));
        Assert.Equal(2, page[0]);
        byte[] all = new byte[0x3000];
        Assert.Equal(MemoryStatus.Ok, memory.Read(0x3000, all));
        Assert.Equal([1, 2, 2, 1], new[] { all[0xfff], all[0x1000], all[0x1fff], all[0x2000] });
    }

    [Fact]
    public void PartialPagesHaveWhatThereIs()
    {
        ElfMemory memory = Open(new ElfBytes { Data = [.. Enumerable.Repeat((byte)7, 0x1000)] }.Load(0x1c00, 0, 0x800));
        byte[] page = new byte[4096];
        Assert.Equal(MemoryStatus.Ok, memory.ReadPage(1, page));
        Assert.Equal((0, 7), (page[0xbff], page[0xc00]));
        Assert.Equal(MemoryStatus.Ok, memory.ReadPage(2, page));
        Assert.Equal((7, 0), (page[0x3ff], page[0x400]));
        Assert.Equal(0, memory.ReadPages(1, new byte[8192]));
        Assert.Equal(3ul, memory.MaxPfn);
        Assert.Equal(MemoryStatus.Hole, memory.ReadPage(3, page));
        Assert.Equal(MemoryStatus.Hole, memory.Read(0x1bff, page.AsSpan(0, 2)));
    }

    [Fact]
    public void TailsThatTheFileLacksAreExcluded()
    {
        ElfMemory memory = Open(new ElfBytes { Data = new byte[0x1000] }.Load(0x1000, 0, 0x1000, 0x3000));
        byte[] page = new byte[4096];
        Assert.Equal(MemoryStatus.Ok, memory.ReadPage(1, page));
        Assert.Equal(MemoryStatus.Excluded, memory.ReadPage(2, page));
        Assert.Equal(MemoryStatus.Excluded, memory.Read(0x1ff8, page.AsSpan(0, 16)));
        ulong[] exists = new ulong[1], present = new ulong[1];
        memory.GetPages(0, exists, present);
        Assert.Equal((0b1110ul, 0b10ul), (exists[0], present[0]));
    }

    [Fact]
    public void TruncatedFilesLackThePagesBehindTheCutOnly()
    {
        byte[] bytes = new ElfBytes { Data = [.. Enumerable.Repeat((byte)9, 0x4000)] }.Load(0x1000, 0, 0x4000).Build();
        var memory = new ElfMemory(ElfCoreFile.Open(new KdumpBytes(bytes) { Visible = bytes.Length - 0x1800 }), 12);
        byte[] pages = new byte[0x4000];
        Assert.Equal(2, memory.ReadPages(1, pages));
        Assert.False(memory.HasLostPages);

        // What the cut took was left out by nobody.
        Assert.Equal(MemoryStatus.Unreadable, memory.ReadPage(3, pages.AsSpan(0, 4096)));
        Assert.Equal(MemoryStatus.Unreadable, memory.ReadPage(4, pages.AsSpan(0, 4096)));
        Assert.Equal(MemoryStatus.Unreadable, memory.Read(0x3000, pages.AsSpan(0, 4096)));
        Assert.True(memory.HasLostPages);
    }

    [Fact]
    public void WhatWasNeverInTheFileIsNotLostByACut()
    {
        byte[] bytes = new ElfBytes { Data = new byte[0x4000] }.Load(0x1000, 0, 0x4000, 0x6000).Build();
        var memory = new ElfMemory(ElfCoreFile.Open(new KdumpBytes(bytes) { Visible = bytes.Length - 0x1000 }), 12);
        byte[] page = new byte[4096];
        Assert.Equal(MemoryStatus.Excluded, memory.ReadPage(5, page));
        Assert.Equal(MemoryStatus.Excluded, memory.Read(0x6ff8, page.AsSpan(0, 8)));
        Assert.Equal(MemoryStatus.Hole, memory.ReadPage(7, page));
        Assert.False(memory.HasLostPages);
        Assert.Equal(MemoryStatus.Unreadable, memory.Read(0x4000, page.AsSpan(0, 8)));
        Assert.True(memory.HasLostPages);
    }

    [Fact]
    public void WhatAnotherSegmentHasIsNotLost()
    {
        byte[] bytes = new ElfBytes { Data = [.. Enumerable.Repeat((byte)5, 0x4000)] }.Load(0x1000, 0x2000, 0x2000).Load(0x2000, 0, 0x1000).Build();
        var memory = new ElfMemory(ElfCoreFile.Open(new KdumpBytes(bytes) { Visible = bytes.Length - 0x1000 }), 12);
        byte[] page = new byte[4096];
        Assert.Equal(MemoryStatus.Ok, memory.ReadPage(2, page));
        Assert.Equal(5, page[0]);
        Assert.False(memory.HasLostPages);
    }

    private static ElfMemory Open(ElfBytes bytes) => new(ElfCoreFile.Open(new KdumpBytes(bytes.Build())), 12);

    private static void Check(ElfBytes bytes, ElfMemory memory)
    {
        const int Size = 0xb000;
        int[] content = new int[Size];
        bool[] covered = new bool[Size];
        Array.Fill(content, -1);
        foreach (ElfSegment load in bytes.Segments.Where(s => s.MemorySize > 0))
        {
            Array.Fill(covered, true, (int)load.PhysicalAddress, (int)load.MemorySize);
            for (int i = 0; i < (int)load.FileSize; i++)
            {
                ref int place = ref content[(int)load.PhysicalAddress + i];
                if (place < 0)
                    place = bytes.Data[(int)load.Offset - 0x4000 + i];
            }
        }

        ulong[] exists = new ulong[1], present = new ulong[1];
        memory.GetPages(0, exists, present);
        byte[] page = new byte[4096];
        for (int pfn = 0; pfn < Size / 4096; pfn++)
        {
            ReadOnlySpan<int> want = content.AsSpan(pfn * 4096, 4096);
            bool has = want.IndexOfAnyExcept(-1) >= 0, covers = covered.AsSpan(pfn * 4096, 4096).Contains(true);
            Assert.Equal(covers, PageBits.Get(exists, pfn));
            Assert.Equal(has, PageBits.Get(present, pfn));
            Assert.Equal(has ? MemoryStatus.Ok : covers ? MemoryStatus.Excluded : MemoryStatus.Hole, memory.ReadPage((ulong)pfn, page));
            for (int i = 0; i < 4096; i++)
                Assert.Equal(Math.Max(want[i], 0), page[i]);
            bool whole = !want.Contains(-1);
            Assert.Equal(whole ? MemoryStatus.Ok : covered[(pfn * 4096) + want.IndexOf(-1)] ? MemoryStatus.Excluded : MemoryStatus.Hole,
                memory.Read((ulong)pfn << 12, page));
            if (memory.ReadPages((ulong)pfn, page) == 1)
                Assert.True(whole);
        }
    }
}
