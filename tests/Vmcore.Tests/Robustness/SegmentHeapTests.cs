using System.Buffers.Binary;
using Vmcore.Formats.Elf;
using Vmcore.IO;

namespace Vmcore.Tests.Robustness;

/// <summary>Files of nothing but PT_LOADs: work, memory and output stay in proportion to the file.</summary>
public class SegmentHeapTests
{
    private const int Data = 1 << 20;

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void AHundredThousandSegmentsOverTheSamePages(int way)
    {
        Outcome outcome = HostileRun.One(Core(100_000, Data, i => (0, 0, Data, Data)), way, noCanary: true);
        // As ELF it would be written 100,000 times, or cut 100,000 times.
        if (way == 0)
            Assert.Equal((ulong)Data / 4096, outcome.Report!.Remaining);
        else
            Assert.IsType<MissingInformationException>(outcome.Error);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void SegmentsThatOverlapByAllButAPageShareTheirContent(int way)
    {
        // 60 segments of 1 MiB, each a page further on: 1.2 MiB of memory.
        Outcome outcome = HostileRun.One(Core(60, 2 * Data, i => ((ulong)i * 4096, (ulong)i * 4096, Data, Data)), way, noCanary: true);
        Assert.Equal(((ulong)Data / 4096) + 59, outcome.Report!.Remaining);
        Assert.InRange(outcome.Report.BytesWritten, 0, 3L * Data);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void SegmentsThatNameTheSameBytesForATerabyte(int way)
    {
        Outcome outcome = HostileRun.One(Core(50_000, Data, i => (0, (ulong)i << 24, Data, Data)), way, noCanary: true);
        Assert.Contains(outcome.Problems, p => p.ToString().Contains("same bytes", StringComparison.Ordinal));
        if (outcome.Report is { } report)
            Assert.InRange(report.Remaining, 1UL, 5UL * Data / 4096);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void AHundredThousandSegmentsOfOnePage(int way)
    {
        Outcome outcome = HostileRun.One(Core(100_000, 100_000 * 4096, i => ((ulong)i * 4096, (ulong)i * 8192, 4096, 4096)), way, noCanary: true);
        Assert.Equal(100_000UL, outcome.Report!.Remaining);
        Assert.Equal(100_000UL, outcome.Report.Original);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void FileSizesFarBeyondTheFile(int way)
    {
        Outcome outcome = HostileRun.One(Core(1, Data, _ => (0, 0, 8UL << 30, 8UL << 30)), way, noCanary: true);
        Assert.Equal((8UL << 30) / 4096, outcome.Report!.Original);
        Assert.InRange(outcome.Report.Remaining, 0UL, (ulong)Data / 4096);
        Assert.InRange(outcome.Report.BytesWritten, 0, 4L << 20);
    }

    [Fact]
    public void AThousandSegmentsThatClaimPetabytesAreCutToWhatCanBe()
    {
        HostileSource source = Core(1000, Data, i => (0, (ulong)i << 42, i == 0 ? Data : 0UL, 1UL << 42));
        using CrashDump dump = CrashDump.Open(source);
        Assert.InRange(dump.Memory.Extents.PageCount, 1UL, (1UL << 45) / 4096 * 2);
        Assert.Contains(dump.Problems, p => p.ToString().Contains("beyond 0x200000000000 in all", StringComparison.Ordinal));
        Assert.InRange(dump.Problems.Count, 1, 110);
    }

    [Theory]
    [InlineData((1UL << 52) - 4096, 4096UL, true)]
    [InlineData(1UL << 52, 4096UL, false)]
    [InlineData(ulong.MaxValue - 4095, 8192UL, false)]
    [InlineData(ulong.MaxValue - 4095, 4095UL, false)]
    [InlineData(4096UL, ulong.MaxValue, false)]
    [InlineData(1UL << 51, 1UL << 51, false)]
    public void PhysicalRangesAtAndBeyondTheEndOfTheAddressSpace(ulong physical, ulong memory, bool believed)
    {
        HostileSource source = Core(2, Data, i => i == 0 ? (0, 0, Data, Data) : (0UL, physical, 0UL, memory));
        using CrashDump dump = CrashDump.Open(source);
        Assert.Equal((Data + (believed ? memory : 0)) / 4096, dump.Memory.Extents.PageCount);
    }

    [Fact]
    public void AHundredThousandNoteSegmentsOverTheSameBytes()
    {
        HostileSource source = Core(100_001, 4 << 20, i => (0, 0, 4 << 20, 4 << 20));
        for (int i = 1; i <= 100_000; i++)
            source.WriteNumber(64 + (56 * i), ElfConstants.NoteSegment, 4);
        Outcome outcome = HostileRun.One(source, 0, noCanary: true);
        Assert.InRange(outcome.Problems.Count, 1, 110);
    }

    [Fact]
    public void MillionsOfTinyNotes()
    {
        HostileSource source = Core(2, 32 << 20, i => (0, 0, 32 << 20, 32 << 20));
        source.WriteNumber(64 + 56, ElfConstants.NoteSegment, 4);
        byte[] note = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (byte)'x', 0, 0, 0];
        byte[] all = new byte[32 << 20];
        for (int i = 0; i < all.Length; i += note.Length)
            note.CopyTo(all, i);
        source.Write((int)source.Length - all.Length, all);
        using CrashDump dump = CrashDump.Open(source);
        Assert.Equal(ReadLimits.Default.Notes, dump.Notes.Count);
        Assert.Contains(dump.Problems, p => p.ToString().Contains("notes; the rest is ignored", StringComparison.Ordinal));
    }

    /// <summary>A core file without notes.</summary>
    /// <param name="count">PT_LOADs.</param>
    /// <param name="dataLength">Bytes behind the headers.</param>
    /// <param name="segment">Offset behind the headers, physical address, file size and memory size of each.</param>
    private static HostileSource Core(int count, int dataLength, Func<int, (ulong Offset, ulong Physical, ulong FileSize, ulong MemorySize)> segment)
    {
        int headers = 64 + (56 * count) + 64, data = (headers + 4095) & ~4095;
        byte[] core = new byte[data + dataLength];
        new Random(3).NextBytes(core.AsSpan(data));
        "\u007fELF\u0002\u0001\u0001"u8.CopyTo(core);
        BinaryPrimitives.WriteUInt16LittleEndian(core.AsSpan(16), 4);
        BinaryPrimitives.WriteUInt16LittleEndian(core.AsSpan(18), 62);
        BinaryPrimitives.WriteUInt64LittleEndian(core.AsSpan(32), 64);
        BinaryPrimitives.WriteUInt64LittleEndian(core.AsSpan(40), (ulong)(64 + (56 * count)));
        BinaryPrimitives.WriteUInt16LittleEndian(core.AsSpan(54), 56);
        BinaryPrimitives.WriteUInt16LittleEndian(core.AsSpan(56), (ushort)Math.Min(count, 0xffff));
        BinaryPrimitives.WriteUInt32LittleEndian(core.AsSpan(64 + (56 * count) + 44), (uint)count);
        for (int i = 0; i < count; i++)
        {
            (ulong offset, ulong physical, ulong fileSize, ulong memorySize) = segment(i);
            Span<byte> entry = core.AsSpan(64 + (56 * i));
            BinaryPrimitives.WriteUInt32LittleEndian(entry, ElfConstants.LoadSegment);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], offset + (ulong)data);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[24..], physical);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[32..], fileSize);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[40..], memorySize);
        }

        return new(core);
    }
}
