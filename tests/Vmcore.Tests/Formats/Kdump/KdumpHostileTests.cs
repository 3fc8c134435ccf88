using System.Buffers.Binary;
using Vmcore.Compression;
using Vmcore.Formats.Elf;
using Vmcore.Formats.Kdump;
using Vmcore.Memory;
using Vmcore.Testing;

namespace Vmcore.Tests.Formats.Kdump;

public sealed class KdumpHostileTests
{
    private static readonly ulong[] Pfns = [1, 2, 3, 10, 50];

    private static KdumpBuilder Recipe() => new KdumpBuilder { Notes = new byte[64], VmcoreInfo = (12, 20), EraseInfo = "erase x nullify\n" }
        .Page(1, KdumpBuilder.Pattern(1), PageCodec.Zlib)
        .Page(2, KdumpBuilder.Pattern(2))
        .Page(3, KdumpBuilder.Pattern(3), PageCodec.Zlib)
        .Page(10, KdumpBuilder.Pattern(10))
        .Page(50, KdumpBuilder.Pattern(50), PageCodec.Zlib)
        .Excluded(4);

    private static byte[] With(byte[] file, int offset, long value, int size)
    {
        byte[] copy = [.. file];
        Span<byte> raw = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(raw, value);
        raw[..size].CopyTo(copy.AsSpan(offset));
        return copy;
    }

    private static KdumpFile Open(byte[] file) => KdumpFile.Open(new KdumpBytes(file), KdumpTestCodecs.Create);

    [Fact]
    public void TruncatedAtAnyByteItIsRefusedOrGivesOnlyTruePages()
    {
        byte[] file = Recipe().Build();
        int headersEnd = Recipe().Bitmap1Offset;
        byte[] page = new byte[4096];
        for (int length = 0; length <= file.Length; length++)
        {
            var source = new KdumpBytes(file) { Visible = length };
            if (length < headersEnd)
            {
                Assert.Throws<DumpFormatException>(() => KdumpFile.Open(source, KdumpTestCodecs.Create));
                continue;
            }

            using KdumpFile dump = KdumpFile.Open(source, KdumpTestCodecs.Create);
            foreach (ulong pfn in Pfns)
            {
                MemoryStatus status = dump.ReadPage(pfn, page);
                PageState state = dump.GetPageState(pfn);
                if (dump.TryGetDescriptor(pfn, out PageDescriptor descriptor))
                    Assert.True(descriptor.Offset + descriptor.Length <= length);
                Assert.Equal(state == PageState.Present, status == MemoryStatus.Ok);
                Assert.Equal(state == PageState.Lost, status == MemoryStatus.Unreadable);
                if (status == MemoryStatus.Ok)
                    Assert.True(page.AsSpan().SequenceEqual(KdumpBuilder.Pattern(pfn)));
            }

            Assert.Equal(length == file.Length ? "erase x nullify\n" : "", dump.EraseInfo);
        }
    }

    [Fact]
    public void ADeviceThatFailsInTheBitmapLosesThePages()
    {
        byte[] file = Recipe().Build();
        using KdumpFile dump = KdumpFile.Open(new KdumpBytes(file).FailingAt(Recipe().Bitmap2Offset + 1), KdumpTestCodecs.Create);
        Assert.Equal(PageState.Excluded, dump.GetPageState(4));
        Assert.Equal(PageState.Lost, dump.GetPageState(10));
        Assert.Equal(PageState.Hole, dump.GetPageState(11));
    }

    [Theory]
    [InlineData(0, 0x20, 1, "signature")]
    [InlineData(8, -1, 4, "header_version")]
    [InlineData(428, 0, 4, "block_size")]
    [InlineData(428, 4097, 4, "block_size")]
    [InlineData(428, 2048, 4, "block_size")]
    [InlineData(428, 524288, 4, "block_size")]
    [InlineData(428, int.MinValue, 4, "block_size")]
    [InlineData(432, 0, 4, "sub_hdr_size")]
    [InlineData(432, -1, 4, "sub_hdr_size")]
    [InlineData(432, int.MaxValue, 4, "sub_hdr_size")]
    [InlineData(436, 0, 4, "max_mapnr")]
    [InlineData(460, -1, 4, "nr_cpus")]
    [InlineData(460, int.MaxValue, 4, "nr_cpus")]
    [InlineData(4096 + 96, -1, 8, "max_mapnr")]
    [InlineData(4096 + 96, 0x10001, 8, "max_mapnr")]
    [InlineData(4096 + 40, long.MaxValue, 8, "size_vmcoreinfo")]
    [InlineData(4096 + 40, -1, 8, "size_vmcoreinfo")]
    [InlineData(4096 + 32, long.MaxValue, 8, "offset_vmcoreinfo")]
    [InlineData(4096 + 32, -5, 8, "offset_vmcoreinfo")]
    [InlineData(4096 + 48, 0, 8, "offset_note")]
    [InlineData(4096 + 48, long.MinValue, 8, "offset_note")]
    [InlineData(4096 + 56, 0x7fffffff, 8, "size_note")]
    [InlineData(4096 + 56, -1, 8, "size_note")]
    [InlineData(4096 + 72, -1, 8, "size_eraseinfo")]
    [InlineData(4096 + 72, long.MaxValue, 8, "size_eraseinfo")]
    public void AFieldThatLiesIsNamed(int offset, long value, int size, string field)
    {
        byte[] file = With(Recipe().Build(), offset, value, size);
        var error = Assert.Throws<DumpFormatException>(() => Open(file));
        Assert.Contains(field, error.Message, StringComparison.Ordinal);
        Assert.StartsWith("test.kdump: offset 0x", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(5, 3)]
    [InlineData(0, 65)]
    public void ASplitRangeThatLiesIsNamed(ulong start, ulong end)
    {
        byte[] file = Recipe().BuildPart(start, end);
        var error = Assert.Throws<DumpFormatException>(() => Open(file));
        Assert.Contains("start_pfn", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ANoteOfAnySizeIsSteppedOver()
    {
        // What the driver of a network adapter puts in front of all others.
        byte[] notes = [.. ElfNotes.Build("LINUX", 0x700, new byte[70 << 20]), .. ElfNotes.Build("VMCOREINFO", 0, "A=1\n"u8)];
        using KdumpFile file = Open(new KdumpBuilder { Notes = notes }.Build());
        Assert.Equal(["VMCOREINFO"], file.NoteList.Select(n => n.Name));
        LargeNote large = Assert.Single(file.LargeNotes);
        Assert.Equal(("LINUX", 0x700u, 20L + (70 << 20)), (large.Name, large.Type, large.Length));
        Assert.InRange(file.Notes.Length, 1, 100);
    }

    [Theory]
    [InlineData(false, 416, "32-bit machine")]
    [InlineData(true, 416, "32-bit big-endian machine")]
    [InlineData(true, 428, "64-bit big-endian machine")]
    public void OtherMachinesAreRefusedByName(bool bigEndian, int blockSizeAt, string what)
    {
        byte[] file = Recipe().Build();
        file.AsSpan(408, 56).Clear();
        if (bigEndian)
            BinaryPrimitives.WriteInt32BigEndian(file.AsSpan(blockSizeAt), 4096);
        else
            BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(blockSizeAt), 4096);
        var error = Assert.Throws<DumpFormatException>(() => Open(file));
        Assert.Contains(what, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 0L, 8)]
    [InlineData(0, -1L, 8)]
    [InlineData(0, long.MaxValue, 8)]
    [InlineData(0, long.MinValue, 8)]
    [InlineData(0, 0x7fffL << 32, 8)]
    [InlineData(8, 0L, 4)]
    [InlineData(8, 4095L, 4)]
    [InlineData(8, 4097L, 4)]
    [InlineData(8, -1L, 4)]
    [InlineData(12, 3L, 4)]
    [InlineData(12, 8L, 4)]
    [InlineData(12, 0x10L, 4)]
    [InlineData(12, -1L, 4)]
    public void ADescriptorThatLiesLosesItsPageAlone(int field, long value, int size)
    {
        // Page 2 is stored raw, the second descriptor.
        byte[] file = With(Recipe().Build(), Recipe().DescriptorsOffset + 24 + field, value, size);
        using KdumpFile dump = Open(file);
        byte[] page = new byte[4096];
        Assert.Equal(PageState.Lost, dump.GetPageState(2));
        Assert.Equal(MemoryStatus.Unreadable, dump.ReadPage(2, page));
        Assert.False(dump.TryGetDescriptor(2, out _));
        Assert.Equal(MemoryStatus.Unreadable, new KdumpMemory(dump).Read(0x2010, page.AsSpan(0, 8)));
        Assert.Equal(MemoryStatus.Ok, dump.ReadPage(3, page));
        Assert.Equal(KdumpBuilder.Pattern(3), page);
    }

    [Fact]
    public void ABlockThatDoesNotGiveAPageIsUnreadable()
    {
        byte[] shorter = KdumpBuilder.Zlib(new byte[4095]);
        byte[] longer = KdumpBuilder.Zlib(new byte[4097]);
        byte[] file = new KdumpBuilder()
            .Block(1, shorter, 1).Block(2, longer, 1).Block(3, new byte[100], 1).Block(4, shorter, 2)
            .Page(5, KdumpBuilder.Pattern(5), PageCodec.Zlib).Build();
        using KdumpFile dump = Open(file);
        byte[] page = new byte[4096];
        for (ulong pfn = 1; pfn < 5; pfn++)
            Assert.Equal(MemoryStatus.Unreadable, dump.ReadPage(pfn, page));
        Assert.Equal(MemoryStatus.Ok, dump.ReadPage(5, page));
        Assert.Equal(KdumpBuilder.Pattern(5), page);
    }

    [Fact]
    public void AFailedPageIsNotKeptAsItsNeighbourInTheCache()
    {
        // Pages 1 and 513 share a place in the cache of 512 pages.
        byte[] file = new KdumpBuilder { MaxMapNr = 1024 }
            .Page(1, KdumpBuilder.Pattern(1)).Block(513, new byte[9], 1).Build();
        using KdumpFile dump = Open(file);
        var memory = new KdumpMemory(dump);
        byte[] bytes = new byte[16];
        for (int i = 0; i < 2; i++)
        {
            Assert.Equal(MemoryStatus.Ok, memory.Read(4096, bytes));
            Assert.Equal(KdumpBuilder.Pattern(1).AsSpan(0, 16).ToArray(), bytes);
            Assert.Equal(MemoryStatus.Unreadable, memory.Read(513 * 4096, bytes));
        }
    }

    [Fact]
    public void RandomDamageNeverEscapesAsAnotherException()
    {
        byte[] file = Recipe().Build();
        int interesting = Recipe().DescriptorsOffset + (24 * Pfns.Length);
        var random = new Random(20240229);
        byte[] page = new byte[262144];
        for (int round = 0; round < 3000; round++)
        {
            byte[] copy = [.. file];
            for (int i = random.Next(1, 6); i > 0; i--)
            {
                // Half of the damage goes where the fields are.
                int at = random.Next(2) == 0 ? random.Next(file.Length) : FieldAt(random, interesting);
                copy[at] = (byte)random.Next(256);
            }

            try
            {
                using KdumpFile dump = Open(copy);
                for (ulong pfn = 0; pfn < 66; pfn++)
                    dump.ReadPage(pfn, page.AsSpan(0, dump.BlockSize));
            }
            catch (DumpFormatException)
            {
                // A header beyond belief.
            }
        }
    }

    private static int FieldAt(Random random, int descriptorsEnd) => random.Next(3) switch
    {
        0 => random.Next(400, 464),
        1 => random.Next(4096, 4096 + 104),
        _ => random.Next(descriptorsEnd - (24 * Pfns.Length), descriptorsEnd),
    };
}
