using System.Buffers.Binary;
using Vmcore.Compression;
using Vmcore.Dumping;
using Vmcore.Formats.Flattened;
using Vmcore.Formats.Kdump;
using Vmcore.IO;
using Vmcore.Memmap;
using Vmcore.Opening;
using Vmcore.Testing;

namespace Vmcore.Tests.Dumping;

/// <summary>Formats, codecs, threads: all say the same.</summary>
public sealed class DumpOutputTests
{
    private static readonly SyntheticMachine s_machine = CreateMachine();
    private static readonly CoreImage s_core = s_machine.Core(new() { Producer = CoreProducer.KexecLoad });

    [Theory]
    [InlineData(PageCodec.None, KdumpStatus.None)]
    [InlineData(PageCodec.Zlib, KdumpStatus.Zlib)]
    [InlineData(PageCodec.Lzo, KdumpStatus.Lzo)]
    [InlineData(PageCodec.Snappy, KdumpStatus.Snappy)]
    [InlineData(PageCodec.Zstd, KdumpStatus.Zstd)]
    public void EachCodecGivesThePagesBack(PageCodec codec, KdumpStatus status)
    {
        foreach (int level in new[] { 0, 1, 31 })
        {
            WrittenDump dump = WrittenDump.Of(s_core, level, codec);
            new DumpOracle(s_machine, s_core, level).CheckKdump(dump);
            using KdumpFile file = dump.OpenKdump();
            Assert.Equal(status, file.Header.Status);
            Assert.Equal(level, file.SubHeader.DumpLevel);
            Assert.Equal(1700000000, file.Header.TimestampSeconds);
            Assert.Equal(2, file.Header.CpuCount);
            Assert.Equal("6.1.0-synthetic", file.Header.Utsname.Release);
            Assert.Contains("OSRELEASE=6.1.0-synthetic", System.Text.Encoding.ASCII.GetString(file.VmcoreInfo.Span), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void ZeroPagesShareOneBlock()
    {
        WrittenDump dump = WrittenDump.Of(s_core, 1, PageCodec.Lzo);
        using KdumpFile file = dump.OpenKdump();
        var zero = new HashSet<long>();
        for (ulong pfn = 0x2af0; pfn < 0x2af9; pfn++)
        {
            Assert.True(file.TryGetDescriptor(pfn, out PageDescriptor descriptor));
            Assert.Equal(4096u, descriptor.Length);
            zero.Add(descriptor.Offset);
        }

        Assert.Single(zero);
        using KdumpFile all = WrittenDump.Of(s_core, 0).OpenKdump();
        Assert.True(all.TryGetDescriptor(0x2af0, out PageDescriptor first)
            && all.TryGetDescriptor(0x2af1, out PageDescriptor second) && first.Offset != second.Offset);
    }

    [Theory]
    [InlineData(DumpOutput.Kdump, PageCodec.Lzo, 31)]
    [InlineData(DumpOutput.Kdump, PageCodec.Zstd, 0)]
    [InlineData(DumpOutput.Elf, PageCodec.None, 31)]
    public void ThreadsMakeNoDifference(DumpOutput output, PageCodec codec, int level)
    {
        byte[]? alone = null;
        foreach (int threads in new[] { 1, 2, 5 })
        {
            byte[] bytes = WrittenDump.Of(new CoreSource(s_core), new() { Level = (DumpLevel)level, Codec = codec, Output = output, Threads = threads }).Bytes;
            alone ??= bytes;
            Assert.True(alone.AsSpan().SequenceEqual(bytes), $"{threads} threads write something else.");
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(16)]
    [InlineData(31)]
    [InlineData(63)]
    public void ElfHasWhatStaysAndNothingElse(int level)
    {
        WrittenDump dump = WrittenDump.Of(s_core, level, output: DumpOutput.Elf);
        new DumpOracle(s_machine, s_core, level).CheckElf(dump);
        dump.AssertNoPmemUserData();
        if ((level & 8) != 0)
            Assert.False(dump.Contains(PageText.Anonymous));
    }

    /// <summary>The tool of today writes runs of fewer than 256 excluded pages with their content.</summary>
    [Fact]
    public void ShortRunsOfExcludedPagesAreZeroInElf()
    {
        var machine = new SyntheticMachine();
        machine.AddRam(0x100000, 39 * Machines.MiB);
        ulong at = 0x1800;
        foreach (int run in new[] { 1, 2, 255, 256, 257, 300 })
        {
            machine.PlaceMany(at, run, PageKind.Anonymous).Place(at + (ulong)run, PageKind.KernelData);
            at += (ulong)run + 1;
        }

        CoreImage core = machine.Core();
        WrittenDump dump = WrittenDump.Of(core, 8, output: DumpOutput.Elf);
        new DumpOracle(machine, core, 8).CheckElf(dump);
        Assert.False(dump.Contains(PageText.Anonymous));
        using CrashDump file = dump.Open();
        Assert.Equal(256ul + 257 + 300, dump.Report.ExcludedInElf);
        Assert.Equal(core.Segments.Count + 3, file.Loads.Count);
        Assert.True(WrittenDump.Of(core, 0, output: DumpOutput.Elf).Contains(PageText.Anonymous));
    }

    [Theory]
    [InlineData(DumpOutput.Kdump, 31)]
    [InlineData(DumpOutput.Elf, 31)]
    [InlineData(DumpOutput.Elf, 0)]
    public void FlattenedStreamsAreTheSameFile(DumpOutput output, int level)
    {
        var options = new DumpOptions { Level = (DumpLevel)level, Codec = PageCodec.Lzo, Output = output, Threads = 2 };
        WrittenDump direct = WrittenDump.Of(new CoreSource(s_core), options);
        using var stream = new MemoryStream();
        using (CrashDump dump = CrashDump.Open(new CoreSource(s_core)))
        using (var sink = new FlattenedSink(stream, leaveOpen: true))
            Dumper.Write(new(dump, options), sink, NoObserver.Instance);
        byte[] flat = stream.ToArray();
        Assert.True(flat.AsSpan().IndexOf("SYN-PMEM-"u8) < 0);
        using FlattenedSource file = FlattenedSource.Open(new KdumpBytes(flat, "flat"));
        Assert.Equal(direct.Bytes.Length, file.Length);
        byte[] bytes = new byte[file.Length];
        Assert.Equal(bytes.Length, file.Read(0, bytes));
        if (output == DumpOutput.Elf)
            Assert.True(bytes.AsSpan().SequenceEqual(direct.Bytes));

        // A kdump file has its pages in the order of their worth, a stream in that of their addresses.
        using (CrashDump left = direct.Open(), right = new WrittenDump(bytes, direct.Report).Open())
        {
            Dictionary<ulong, byte[]> pages = [];
            WrittenDump.ForEachPage(left, (pfn, page) => pages.Add(pfn, [.. page]));
            int count = 0;
            WrittenDump.ForEachPage(right, (pfn, page) =>
            {
                Assert.True(page.AsSpan().SequenceEqual(pages[pfn]), $"0x{pfn:x}");
                count++;
            });
            Assert.Equal(pages.Count, count);
        }

        using CrashDump again = CrashDump.Open(new KdumpBytes(flat, "flat"));
        Assert.True(again.IsFlattened);
        Assert.False(again.IsIncomplete);
        Assert.Equal(output == DumpOutput.Elf ? DumpFormat.Elf : DumpFormat.Kdump, again.Format);
    }

    /// <summary>A device has old bytes where nothing is written: none of them may be taken for the dump's.</summary>
    [Theory]
    [InlineData(DumpOutput.Kdump, PageCodec.Lzo, 31)]
    [InlineData(DumpOutput.Kdump, PageCodec.None, 0)]
    [InlineData(DumpOutput.Elf, PageCodec.None, 0)]
    [InlineData(DumpOutput.Elf, PageCodec.None, 31)]
    public void ADeviceGetsAllOfIt(DumpOutput output, PageCodec codec, int level)
    {
        var options = new DumpOptions { Level = (DumpLevel)level, Codec = codec, Output = output, Threads = 2 };
        WrittenDump file = WrittenDump.Of(new CoreSource(s_core), options);
        using CrashDump dump = CrashDump.Open(new CoreSource(s_core));
        using var device = new StaleSink(gapsReadAsZero: false, file.Bytes.Length + 4096);
        Dumper.Write(new(dump, options), device, NoObserver.Instance);
        var onDevice = new WrittenDump(device.Bytes, file.Report);
        using CrashDump left = file.Open(), right = onDevice.Open();
        Assert.False(right.IsIncomplete);
        Dictionary<ulong, byte[]> pages = [];
        WrittenDump.ForEachPage(left, (pfn, page) => pages.Add(pfn, [.. page]));
        int count = 0;
        WrittenDump.ForEachPage(right, (pfn, page) =>
        {
            Assert.True(page.AsSpan().SequenceEqual(pages[pfn]), $"0x{pfn:x}");
            count++;
        });
        Assert.Equal(pages.Count, count);
    }

    /// <summary>Nor where the dump ends early: not for descriptors that were to come, and not for pages. By way of a stream it is the same.</summary>
    [Theory]
    [InlineData(DumpOutput.Kdump, PageCodec.Lzo)]
    [InlineData(DumpOutput.Kdump, PageCodec.None)]
    [InlineData(DumpOutput.Elf, PageCodec.None)]
    public void ADumpThatIsCutShowsNothingOfTheDevice(DumpOutput output, PageCodec codec)
    {
        var options = new DumpOptions { Codec = codec, Output = output, Threads = 1 };
        WrittenDump whole = WrittenDump.Of(new CoreSource(s_core), options);
        int length = whole.Bytes.Length;
        using CrashDump raw = CrashDump.Open(new CoreSource(s_core)), complete = whole.Open();
        Dictionary<ulong, byte[]> pages = [];
        WrittenDump.ForEachPage(complete, (pfn, page) => pages.Add(pfn, [.. page]));
        foreach (int limit in new[] { 4096, 30_000, length / 4, length / 2, length - 1 })
        {
            using var device = new StaleSink(gapsReadAsZero: false, length + 4096);
            using var rearranged = new StaleSink(gapsReadAsZero: false, length + 4096);
            using var stream = new MemoryStream();
            DumpReport report = Dumper.Write(new(raw, options with { SizeLimit = limit }), device, NoObserver.Instance);
            using (var flat = new FlattenedSink(stream, leaveOpen: true))
                Dumper.Write(new(raw, options with { SizeLimit = limit }), flat, NoObserver.Instance);
            stream.Position = 0;
            FlattenedRearranger.Rearrange(stream, "STDIN", rearranged);
            Assert.Equal(DumpEnd.SizeLimit, report.End);
            foreach (StaleSink sink in new[] { device, rearranged })
            {
                int count = 0;
                using CrashDump cut = new WrittenDump(sink.Bytes, report).Open();
                Assert.True(cut.IsIncomplete);
                WrittenDump.ForEachPage(cut, (pfn, page) =>
                {
                    Assert.True(page.AsSpan().SequenceEqual(pages[pfn]), $"0x{pfn:x}");
                    count++;
                });
                Assert.True(limit < length / 4 || count > 0);
                if (output != DumpOutput.Kdump)
                {
                    Assert.All(cut.Loads, load => Assert.True(load.FileSize == 0 || (long)(load.Offset + load.FileSize) <= Math.Max(limit, 8192)));
                    Assert.True(limit < length / 4 || cut.Loads.All(load => load.Offset <= (ulong)limit || load.MemorySize == 0));
                    continue;
                }

                using KdumpFile file = new WrittenDump(sink.Bytes, report).OpenKdump();
                for (ulong pfn = 0; pfn < file.MaxPfn; pfn++)
                    Assert.True(!file.TryGetDescriptor(pfn, out PageDescriptor descriptor) || descriptor.Length <= 4096, $"0x{pfn:x}: {descriptor}");
            }
        }
    }

    /// <summary>Pages of zero that are stored as they are take no room in a file, and are reported as written.</summary>
    [Theory]
    [InlineData(DumpOutput.Kdump)]
    [InlineData(DumpOutput.Elf)]
    public void StoredZeroesBecomeHoles(DumpOutput output)
    {
        var machine = new SyntheticMachine();
        machine.AddRam(0x100000, 39 * Machines.MiB);
        machine.PlaceMany(0x1800, 2000, PageKind.ZeroFilled);
        CoreImage core = machine.Core();
        using CrashDump dump = CrashDump.Open(new CoreSource(core));
        using var sink = new MemorySink();
        DumpReport report = Dumper.Write(new(dump, new() { Output = output, Threads = 2 }), sink, NoObserver.Instance);
        Assert.True(report.BytesWritten - sink.BytesWritten > 1980 * 4096, $"{report.BytesWritten} {sink.BytesWritten}");
        var written = new WrittenDump(sink.ToArray(), report);
        if (output == DumpOutput.Elf)
            new DumpOracle(machine, core, 0).CheckElf(written);
        else
            new DumpOracle(machine, core, 0).CheckKdump(written);
    }

    [Theory]
    [InlineData(DumpOutput.Kdump)]
    [InlineData(DumpOutput.Elf)]
    public void AFullTargetLeavesAnIncompleteDumpThatOpens(DumpOutput output)
    {
        int whole = WrittenDump.Of(s_core, 31, output: output).Bytes.Length;
        foreach (long? capacity in new long?[] { null, whole / 2, (whole / 2) + 1000 })
        {
            using CrashDump dump = CrashDump.Open(new CoreSource(s_core));
            using var sink = new MemorySink(capacity);
            var options = new DumpOptions { Level = (DumpLevel)31, Output = output, Threads = 2, SizeLimit = capacity is null ? whole / 2 : null };
            DumpReport report = Dumper.Write(new(dump, options), sink, NoObserver.Instance);
            Assert.Equal(capacity is null ? DumpEnd.SizeLimit : DumpEnd.NoSpace, report.End);
            using CrashDump cut = CrashDump.Open(new KdumpBytes(sink.ToArray(), "cut"));
            Assert.True(cut.IsIncomplete);
            int good = 0;
            WrittenDump.ForEachPage(cut, (pfn, page) => good += page.AsSpan().SequenceEqual(s_machine.PageContent(pfn)) ? 1 : 0);
            Assert.True(good > 100);
        }
    }

    [Theory]
    [InlineData(DumpOutput.Kdump)]
    [InlineData(DumpOutput.Elf)]
    public void ACancelledDumpIsMarkedAndOpens(DumpOutput output)
    {
        foreach (DumpStep step in new[] { DumpStep.ExcludingPages, DumpStep.CopyingData })
        {
            using CrashDump dump = CrashDump.Open(new CoreSource(s_core));
            using var sink = new MemorySink();
            using var cancel = new CancellationTokenSource();
            DumpReport report = Dumper.Write(new(dump, new() { Output = output, Threads = 2 }), sink, new CancelAt(step, cancel), cancel.Token);
            Assert.Equal(DumpEnd.Cancelled, report.End);
            using CrashDump cut = CrashDump.Open(new KdumpBytes(sink.ToArray(), "cut"));
            Assert.True(cut.IsIncomplete);
            WrittenDump.ForEachPage(cut, (pfn, page) => Assert.True(page.AsSpan().IndexOf("SYN-PMEM-"u8) < 0, $"0x{pfn:x}"));
        }
    }

    /// <summary>From the first byte on the header says that the dump is not whole.</summary>
    [Theory]
    [InlineData(DumpOutput.Kdump)]
    [InlineData(DumpOutput.Elf)]
    public void AKilledDumperLeavesTheMark(DumpOutput output)
    {
        using CrashDump dump = CrashDump.Open(new CoreSource(s_core));
        using var sink = new RecordingSink();
        Dumper.Write(new(dump, new() { Level = (DumpLevel)31, Output = output, Threads = 1 }), sink, NoObserver.Instance);
        int flag = output == DumpOutput.Elf ? 48 : 424;
        uint[] marks = [.. sink.Writes.Where(w => w.Offset == 0).Select(w => BinaryPrimitives.ReadUInt32LittleEndian(w.Bytes.AsSpan(flag)))];
        uint bit = output == DumpOutput.Elf ? 1 : (uint)KdumpStatus.Incomplete;
        Assert.True(marks.Length >= 2);
        Assert.All(marks[..^1], m => Assert.Equal(bit, m & bit));
        Assert.Equal(0u, marks[^1] & bit);
        Assert.Equal(0, sink.Writes[^1].Offset);
    }

    private static SyntheticMachine CreateMachine()
    {
        SyntheticMachine machine = Machines.EveryKind(new() { KaslrOffset = 0x1e000000 });
        machine.AddPmem(Machines.PmemBase, 160 * Machines.MiB).AddNamespace(0, 128 * Machines.MiB, new() { StaleReserve = true, FakeInfoBlocksInData = true });
        return machine;
    }

    private sealed class CancelAt(DumpStep step, CancellationTokenSource cancel) : IDumpObserver
    {
        public void Started(DumpStep now)
        {
        }

        public void Progress(DumpStep now, ulong done, ulong total)
        {
            if (now == step)
                cancel.Cancel();
        }

        public void Finished(DumpStep now, TimeSpan elapsed)
        {
        }
    }

    private sealed class RecordingSink : IByteSink
    {
        public List<(long Offset, byte[] Bytes)> Writes { get; } = [];

        public string Name => "recording";

        public long BytesWritten => 0;

        public bool GapsReadAsZero => true;

        public void Write(long offset, ReadOnlySpan<byte> bytes) => Writes.Add((offset, bytes[..Math.Min(bytes.Length, 512)].ToArray()));

        public void Complete(long length)
        {
        }

        public void Dispose()
        {
        }
    }
}
