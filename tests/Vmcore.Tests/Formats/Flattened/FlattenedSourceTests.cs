using System.Buffers.Binary;
using System.Text;
using CsCheck;
using Vmcore.Compression;
using Vmcore.Formats.Flattened;
using Vmcore.Formats.Kdump;
using Vmcore.Memory;
using Vmcore.Testing;

namespace Vmcore.Tests.Formats.Flattened;

public sealed class FlattenedSourceTests
{
    private static byte[] Stream(bool end, params (long Offset, byte[] Bytes)[] records)
    {
        var stream = new List<byte>(new byte[4096]);
        byte[] head = new byte[32];
        Encoding.ASCII.GetBytes("makedumpfile").CopyTo(head, 0);
        head[23] = 1;
        head[31] = 1;
        for (int i = 0; i < head.Length; i++)
            stream[i] = head[i];
        foreach ((long offset, byte[] bytes) in records)
        {
            stream.AddRange(Header(offset, bytes.Length));
            stream.AddRange(bytes);
        }

        if (end)
            stream.AddRange(Header(-1, -1));
        return [.. stream];
    }

    private static byte[] Header(long offset, long length)
    {
        byte[] header = new byte[16];
        BinaryPrimitives.WriteInt64BigEndian(header, offset);
        BinaryPrimitives.WriteInt64BigEndian(header.AsSpan(8), length);
        return header;
    }

    private static byte[] Filled(byte value, int length)
    {
        byte[] bytes = new byte[length];
        bytes.AsSpan().Fill(value);
        return bytes;
    }

    private static byte[] All(FlattenedSource source)
    {
        byte[] bytes = new byte[source.Length];
        Assert.Equal(bytes.Length, source.Read(0, bytes));
        return bytes;
    }

    [Fact]
    public void RecordsOutOfOrderGapsAndOverlaps()
    {
        byte[] stream = Stream(true, (20, Filled(1, 10)), (0, Filled(2, 5)), (22, Filled(3, 3)), (28, Filled(4, 6)), (3, []));
        using FlattenedSource source = FlattenedSource.Open(new KdumpBytes(stream));
        Assert.False(source.IsTruncated);
        Assert.Null(source.TruncatedAt);
        byte[] expected = [2, 2, 2, 2, 2, .. new byte[15], 1, 1, 3, 3, 3, 1, 1, 1, 4, 4, 4, 4, 4, 4];
        Assert.Equal(expected, All(source));
        byte[] part = new byte[100];
        Assert.Equal(6, source.Read(28, part));
        Assert.Equal(0, source.Read(34, part));
        Assert.Equal(0, source.Read(long.MaxValue, part));
    }

    [Fact]
    public void AnEmptyStreamIsAnEmptyFile()
    {
        using FlattenedSource source = FlattenedSource.Open(new KdumpBytes(Stream(true)));
        Assert.Equal(0, source.Length);
        Assert.Equal(0, source.Read(0, new byte[1]));
        Assert.False(source.IsTruncated);
    }

    [Fact]
    public void AnyRecordsGiveWhatWritingThemOneAfterTheOtherGives() =>
        Gen.Select(Gen.Int[0, 300], Gen.Int[0, 40], Gen.Byte).List[0, 60].Sample(records =>
        {
            byte[] expected = new byte[400];
            int length = 0;
            foreach ((int offset, int size, byte value) in records)
            {
                expected.AsSpan(offset, size).Fill(value);
                if (size > 0)
                    length = Math.Max(length, offset + size);
            }

            byte[] stream = Stream(true, [.. records.Select(r => ((long)r.Item1, Filled(r.Item3, r.Item2)))]);
            using FlattenedSource source = FlattenedSource.Open(new KdumpBytes(stream));
            byte[] bytes = new byte[source.Length];
            return source.Length == length
                && source.Read(0, bytes) == length
                && bytes.AsSpan().SequenceEqual(expected.AsSpan(0, length));
        });

    [Fact]
    public void AnyReadIsThatPartOfTheWhole()
    {
        byte[] stream = Stream(true, (0, Filled(1, 10)), (10, Filled(2, 10)),
            (20, Filled(3, 7)), (40, Filled(4, 10)), (50, Filled(5, 10)), (12, Filled(6, 30)));
        using FlattenedSource source = FlattenedSource.Open(new KdumpBytes(stream));
        byte[] all = All(source);
        Gen.Select(Gen.Int[0, 60], Gen.Int[0, 60]).Sample(t =>
        {
            byte[] part = new byte[t.Item2];
            int read = source.Read(t.Item1, part);
            return read == Math.Min(t.Item2, 60 - t.Item1) && part.AsSpan(0, read).SequenceEqual(all.AsSpan(t.Item1, read));
        });
    }

    [Fact]
    public void FollowingRecordsOfOneLengthTakeOneEntry()
    {
        var records = new List<(long, byte[])>();
        for (int i = 0; i < 1000; i++)
            records.Add((i * 8, Filled((byte)i, i == 999 ? 3 : 8)));
        byte[] stream = Stream(true, [.. records]);
        FlattenedRun run = Assert.Single(FlattenedIndex.Build(new KdumpBytes(stream), out _));
        Assert.Equal(7995, run.End);
        using FlattenedSource source = FlattenedSource.Open(new KdumpBytes(stream));
        byte[] bytes = All(source);
        for (int i = 0; i < bytes.Length; i++)
            Assert.Equal((byte)(i / 8), bytes[i]);
    }

    [Fact]
    public void TruncatedAtAnyByteItIsUsableUpToThere()
    {
        (long, byte[])[] records = [(0, Filled(1, 10)), (30, Filled(2, 10)), (5, Filled(3, 10))];
        byte[] stream = Stream(true, records);
        for (int length = 0; length < stream.Length; length++)
        {
            var bytes = new KdumpBytes(stream) { Visible = length };
            if (length < 32)
            {
                Assert.Throws<DumpFormatException>(() => FlattenedSource.Open(bytes));
                Assert.True(bytes.IsDisposed);
                continue;
            }

            using FlattenedSource source = FlattenedSource.Open(bytes);
            Assert.True(source.IsTruncated);
            int inRecords = Math.Max(0, length - 4096);
            int first = Math.Clamp(inRecords - 16, 0, 10), second = Math.Clamp(inRecords - 42, 0, 10), third = Math.Clamp(inRecords - 68, 0, 10);
            byte[] expected = new byte[second > 0 ? 30 + second : Math.Max(first, third > 0 ? 5 + third : 0)];
            expected.AsSpan(0, first).Fill(1);
            if (second > 0)
                expected.AsSpan(30).Fill(2);
            if (third > 0)
                expected.AsSpan(5, third).Fill(3);
            Assert.Equal(expected, All(source));
        }
    }

    [Theory]
    [InlineData(-2, 5)]
    [InlineData(5, -2)]
    [InlineData(-1, 0)]
    [InlineData(5, -1)]
    [InlineData(long.MaxValue, 1)]
    [InlineData(1, long.MaxValue)]
    [InlineData(long.MinValue, long.MinValue)]
    public void ARecordThatMakesNoSenseEndsTheFile(long offset, long length)
    {
        byte[] good = Stream(false, (0, Filled(7, 10)));
        byte[] stream = [.. good, .. Header(offset, length)];
        using FlattenedSource source = FlattenedSource.Open(new KdumpBytes(stream));
        Assert.True(source.IsTruncated);
        Assert.Equal(good.Length, source.TruncatedAt);
        Assert.Equal(Filled(7, 10), All(source));
    }

    [Fact]
    public void ARecordFarAwayCostsNoMemory()
    {
        using FlattenedSource source = FlattenedSource.Open(new KdumpBytes(Stream(true, (0, [1]), (long.MaxValue - 1, [2]))));
        Assert.Equal(long.MaxValue, source.Length);
        byte[] bytes = new byte[8];
        Assert.Equal(8, source.Read(1L << 61, bytes));
        Assert.Equal(new byte[8], bytes);
        Assert.Equal(1, source.Read(long.MaxValue - 1, bytes));
        Assert.Equal(2, bytes[0]);
    }

    [Fact]
    public void OtherFilesAreNotFlattened()
    {
        byte[] stream = Stream(true);
        Assert.True(FlattenedSource.IsFlattened(new KdumpBytes(stream)));
        Assert.False(FlattenedSource.IsFlattened(new KdumpBytes(stream) { Visible = 15 }));
        Assert.False(FlattenedSource.IsFlattened(new KdumpBytes(new byte[64])));
        Assert.Throws<DumpFormatException>(() => FlattenedSource.Open(new KdumpBytes(new byte[64])));
        stream[23] = 2;
        Assert.Throws<DumpFormatException>(() => FlattenedSource.Open(new KdumpBytes(stream)));
    }

    [Fact]
    public void AFlattenedDumpIsADump()
    {
        byte[] file = new KdumpBuilder().Page(3, KdumpBuilder.Pattern(3), PageCodec.Zlib).Page(9, KdumpBuilder.Pattern(9)).Build();
        // As a writer does that knows its header last.
        byte[] stream = Stream(true, (0, new byte[4096]), (4096, file[4096..9000]), (9000, file[9000..]), (0, file[..4096]));
        using KdumpFile dump = KdumpFile.Open(FlattenedSource.Open(new KdumpBytes(stream)), KdumpTestCodecs.Create);
        byte[] page = new byte[4096];
        foreach (ulong pfn in (ulong[])[3, 9])
        {
            Assert.Equal(MemoryStatus.Ok, dump.ReadPage(pfn, page));
            Assert.Equal(KdumpBuilder.Pattern(pfn), page);
        }
    }
}
