using Vmcore.Compression;
using Vmcore.Dumping;
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
        Assert.NotNull(written.Info);
    }
}
