using Vmcore.Compression;
using Vmcore.Dumping;
using Vmcore.IO;
using Vmcore.Memmap;
using Vmcore.Testing;

namespace Vmcore.Tests.Dumping;

/// <summary>What a dump gives up to be done in time. No clock decides here: there is either ample time or none.</summary>
public sealed class TimeLimitTests
{
    private static readonly CoreImage s_core = new SyntheticMachine().AddRam(0x100000, 64 << 20)
        .PlaceMany(0x2000, 600, PageKind.KernelData).PlaceMany(0x2800, 300, PageKind.Anonymous).PlaceMany(0x3000, 300, PageKind.PageCache).Core();

    [Fact]
    public void WithTimeEnoughNothingChanges()
    {
        var options = new DumpOptions { Level = DumpLevel.Zero, Codec = PageCodec.Zlib };
        WrittenDump free = WrittenDump.Of(new CoreSource(s_core), options);
        WrittenDump limited = WrittenDump.Of(new CoreSource(s_core), options with { TimeLimit = TimeSpan.FromDays(1) });
        Assert.Null(limited.Report.GivenUp);
        Assert.Equal(free.Bytes, limited.Bytes);
    }

    [Theory]
    [InlineData(DumpOutput.Kdump, PageCodec.Zlib)]
    [InlineData(DumpOutput.Elf, PageCodec.None)]
    public void WithoutTimeTheDumpIsReadableAndSaysWhatItLacks(DumpOutput output, PageCodec codec)
    {
        using var dump = CrashDump.Open(new CoreSource(s_core));
        using var sink = new MemorySink();
        DumpReport report = Dumper.Write(new(dump, new() { Codec = codec, Output = output, TimeLimit = TimeSpan.FromTicks(1) }), sink, NoObserver.Instance);
        Assert.Equal(DumpEnd.TimeLimit, report.End);
        Assert.NotNull(report.GivenUp);
        Assert.Equal(DumpLevel.None, report.GivenUp.AskedLevel);
        Assert.Equal(DumpLevel.Zero | DumpLevel.Free | DumpLevel.User | DumpLevel.Cache | DumpLevel.CachePrivate, report.GivenUp.Level);
        using var written = CrashDump.Open(new KdumpBytes(sink.ToArray(), "written"));
        Assert.True(written.IsIncomplete);
        Assert.NotNull(written.VmcoreInfo);
    }

    [Fact]
    public void CountingEndsWithTheTime()
    {
        CoreImage core = new SyntheticMachine().AddRam(0x100000, 64 << 20)
            .AddRepeatedRam(64ul << 30, 128ul << 30, PageKind.KernelData, PageKind.Anonymous, PageKind.PageCache, PageKind.KernelData).Core();
        var source = new CountingSource(core);
        using var dump = CrashDump.Open(source);
        var options = new DumpOptions { Level = (DumpLevel)31, Output = DumpOutput.Kdump, Threads = 1, SizeLimit = 64 << 20 };
        source.BytesRead = 0;
        using var whole = new MemorySink();
        Dumper.Write(new(dump, options), whole, NoObserver.Instance);
        long all = source.BytesRead;
        source.BytesRead = 0;
        using var cut = new MemorySink();
        DumpReport report = Dumper.Write(new(dump, options with { TimeLimit = TimeSpan.FromTicks(1) }), cut, NoObserver.Instance);
        Assert.Equal(DumpEnd.TimeLimit, report.End);
        Assert.True(source.BytesRead < all / 4, $"{source.BytesRead} bytes are read in no time, {all} with all the time there is");
    }

    private sealed class CountingSource(CoreImage core) : IByteSource
    {
        public string Name => "counted";

        public long Length => core.Length;

        public long BytesRead { get; set; }

        public int Read(long offset, Span<byte> buffer)
        {
            int read = core.Read(offset, buffer);
            BytesRead += read;
            return read;
        }

        public void Dispose()
        {
        }
    }
}
