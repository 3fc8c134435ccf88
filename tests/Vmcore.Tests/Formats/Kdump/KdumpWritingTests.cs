using System.Buffers.Binary;
using CsCheck;
using Vmcore.Compression;
using Vmcore.Formats.Kdump;
using Vmcore.Testing;

namespace Vmcore.Tests.Formats.Kdump;

public sealed class KdumpWritingTests
{
    private static readonly KdumpUtsname Uts = new("Linux", "host", "6.12.0", "#1 SMP", "aarch64", "(none)");

    [Fact]
    public void HeaderBytesAreThoseOfTheFormat()
    {
        var header = new KdumpHeader
        {
            Utsname = Uts,
            TimestampSeconds = 0x65432100,
            TimestampMicroseconds = 4096,
            Status = KdumpStatus.Zstd | KdumpStatus.Incomplete,
            BlockSize = 65536,
            SubHeaderBlocks = 2,
            BitmapBlocks = 6,
            MaxMapNr = 0xfedcba98,
            CpuCount = 4,
        };
        byte[] bytes = new byte[500];
        bytes.AsSpan().Fill(0xcc);
        header.WriteTo(bytes);
        Assert.Equal("KDUMP   "u8.ToArray(), bytes[..8]);
        Assert.Equal(6, I32(bytes, 8));
        Assert.Equal("Linux\0"u8.ToArray(), bytes[12..18]);
        Assert.Equal("aarch64\0"u8.ToArray(), bytes[272..280]);
        Assert.Equal(new byte[6], bytes[402..408]);
        Assert.Equal(0x65432100, BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(408)));
        // Some readers would take the microseconds for the block size of a 32-bit layout.
        Assert.Equal(0, BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(416)));
        Assert.Equal(0x28, I32(bytes, 424));
        Assert.Equal(65536, I32(bytes, 428));
        Assert.Equal(2, I32(bytes, 432));
        Assert.Equal(6, I32(bytes, 436));
        Assert.Equal(0xfedcba98, (uint)I32(bytes, 440));
        Assert.Equal(4, I32(bytes, 460));
        Assert.Equal(0xcc, bytes[464]);
    }

    [Fact]
    public void SubHeaderBytesAreThoseOfTheFormat()
    {
        var sub = new KdumpSubHeader
        {
            PhysBase = 0xffff_ffff_f000_0000,
            DumpLevel = 63,
            IsSplit = true,
            StartPfn = 5,
            EndPfn = 0x1_2345_6789,
            VmcoreInfoOffset = 0x1100,
            VmcoreInfoSize = 0x20,
            NotesOffset = 0x1068,
            NotesSize = 0x200,
            EraseInfoOffset = 0x9000,
            EraseInfoSize = 0x30,
            MaxMapNr = 0x2_0000_0000,
        };
        byte[] bytes = new byte[KdumpSubHeader.Size];
        sub.WriteTo(bytes);
        ulong[] words = [.. Enumerable.Range(0, 13).Select(i => BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(8 * i)))];
        Assert.Equal([0xffff_ffff_f000_0000, 63 | (1UL << 32), 5, uint.MaxValue, 0x1100,
            0x20, 0x1068, 0x200, 0x9000, 0x30, 5, 0x1_2345_6789, 0x2_0000_0000], words);
    }

    [Fact]
    public void WhatIsWrittenIsReadBack()
    {
        var layout = new KdumpLayout(4096, 70_000, 300, 3);
        var header = new KdumpHeader
        {
            Utsname = Uts,
            TimestampSeconds = 77,
            Status = KdumpStatus.Lzo,
            SubHeaderBlocks = layout.SubHeaderBlocks,
            BitmapBlocks = layout.BitmapBlocks,
            MaxMapNr = 70_000,
            CpuCount = 8,
        };
        var sub = new KdumpSubHeader { DumpLevel = 31, NotesOffset = layout.NotesOffset, NotesSize = 300, MaxMapNr = 70_000, EndPfn = 70_000 };
        byte[] file = new byte[layout.DataOffset];
        header.WriteTo(file);
        sub.WriteTo(file.AsSpan((int)layout.SubHeaderOffset));
        var source = new KdumpBytes(file);
        Assert.True(KdumpHeader.IsKdump(source));
        KdumpHeader readHeader = KdumpHeader.Parse(source);
        Assert.Equal(header, readHeader);
        Assert.Equal(sub, KdumpSubHeader.Parse(source, readHeader));
    }

    [Fact]
    public void NamesAreCutAndCleaned()
    {
        byte[] bytes = new byte[KdumpUtsname.Size];
        new KdumpUtsname(new string('a', 100), "tab\tname", "", "", "", "").WriteTo(bytes);
        KdumpUtsname read = KdumpUtsname.Parse(bytes);
        Assert.Equal(new string('a', 64), read.Sysname);
        Assert.Equal("tab?name", read.Nodename);
        bytes.AsSpan().Fill((byte)'z');
        Assert.Equal(new string('z', 65), KdumpUtsname.Parse(bytes).Domainname);
    }

    [Fact]
    public void LayoutOfASmallDump()
    {
        var layout = new KdumpLayout(4096, 0x8000 + 1, 4096 - 104 + 1, 10);
        Assert.Equal(2, layout.SubHeaderBlocks);
        Assert.Equal(4U, layout.BitmapBlocks);
        Assert.Equal(4096, layout.SubHeaderOffset);
        Assert.Equal(4200, layout.NotesOffset);
        Assert.Equal(3 * 4096, layout.Bitmap1Offset);
        Assert.Equal(2 * 4096, layout.BitmapLength);
        Assert.Equal(5 * 4096, layout.Bitmap2Offset);
        Assert.Equal(7 * 4096, layout.DescriptorsOffset);
        Assert.Equal((7 * 4096) + 240, layout.DataOffset);
        Assert.Equal(2U, new KdumpLayout(4096, 0x8000, 0, 0).BitmapBlocks);
    }

    [Theory]
    [InlineData(5000, 10UL, 0L, 0UL)]
    [InlineData(4096, 10UL, -1L, 0UL)]
    [InlineData(4096, 10UL, 1L << 32, 0UL)]
    [InlineData(4096, 10UL, 0L, 11UL)]
    [InlineData(4096, ulong.MaxValue, 0L, 0UL)]
    public void ImpossibleLayoutsAreRefused(int blockSize, ulong maxMapNr, long noteSize, ulong descriptors) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new KdumpLayout(blockSize, maxMapNr, noteSize, descriptors));

    [Fact]
    public void LayoutOf24TiBDoesNotOverflow()
    {
        ulong pages = (24UL << 40) / 4096;
        var layout = new KdumpLayout(4096, pages, 1 << 20, pages);
        Assert.Equal((long)(pages / 8), layout.BitmapLength);
        Assert.Equal(layout.DescriptorsOffset + ((long)pages * 24), layout.DataOffset);
    }

    [Fact]
    public void DescriptorsSurviveTheRoundTrip() =>
        Gen.Select(Gen.Long, Gen.UInt, Gen.UInt, Gen.ULong).Sample(t =>
        {
            var descriptor = new PageDescriptor(t.Item1, t.Item2, t.Item3, t.Item4);
            byte[] bytes = new byte[PageDescriptor.Size];
            descriptor.WriteTo(bytes);
            return PageDescriptor.Parse(bytes) == descriptor
                && BinaryPrimitives.ReadInt64LittleEndian(bytes) == t.Item1
                && BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(12)) == t.Item3;
        });

    [Fact]
    public void OnlySingleCodecBitsAreCodecs()
    {
        PageCodec?[] codecs = [.. Enumerable.Range(0, 0x81).Select(f => new PageDescriptor(1, 1, (uint)f, 0).Codec)];
        Assert.Equal(5, codecs.Count(c => c is not null));
        Assert.Equal(PageCodec.None, codecs[0]);
        Assert.Equal(PageCodec.Zlib, codecs[1]);
        Assert.Equal(PageCodec.Lzo, codecs[2]);
        Assert.Equal(PageCodec.Snappy, codecs[4]);
        Assert.Equal(PageCodec.Zstd, codecs[0x20]);
        Assert.Equal(new PageDescriptor(9, 7U, 0x20, 0), new PageDescriptor(9, 7, PageCodec.Zstd));
    }

    private static int I32(byte[] bytes, int offset) => BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(offset));
}
