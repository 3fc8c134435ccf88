using Vmcore.Compression;
using Vmcore.Dumping;
using Vmcore.Formats.Elf;
using Vmcore.Formats.Kdump;
using Vmcore.Memory;
using Vmcore.Testing;

namespace Vmcore.Tests.Dumping;

/// <summary>Parts of every version that has parts are joined, and stay of their version: what follows the sub header is where it was.</summary>
public sealed class ReassembleVersionsTests
{
    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void PartsAreJoined(int version)
    {
        KdumpBuilder builder = Builder(version);
        using var joined = new MemorySink();
        using (KdumpFile parts = KdumpFile.Open([new KdumpBytes(builder.BuildPart(30, 64), "b"), new KdumpBytes(builder.BuildPart(0, 30), "a")]))
            Assert.Equal(new ReassemblyReport(40, 0), Reassembler.Write(parts, joined, NoObserver.Instance));
        using KdumpFile whole = KdumpFile.Open(new KdumpBytes(joined.ToArray(), "joined"), PageCodecs.CreateDecompressor);
        Assert.Equal(version, whole.Header.Version);
        Assert.False(whole.SubHeader.IsSplit);
        Assert.False(whole.IsIncomplete);
        byte[] page = new byte[4096];
        for (ulong pfn = 5; pfn < 45; pfn++)
        {
            Assert.Equal(MemoryStatus.Ok, whole.ReadPage(pfn, page));
            Assert.Equal(KdumpBuilder.Pattern(pfn), page);
        }

        if (version >= 4)
            Assert.Equal(builder.Notes, whole.Notes.ToArray());
    }

    [Fact]
    public void EarlierOnesHaveNoParts()
    {
        using KdumpFile file = KdumpFile.Open(new KdumpBytes(Builder(1).Build(), "whole"), PageCodecs.CreateDecompressor);
        Assert.Contains("header_version", Assert.Throws<DumpFormatException>(() => Reassembler.Check(file)).Message, StringComparison.Ordinal);
    }

    private static KdumpBuilder Builder(int version)
    {
        byte[] note = ElfNotes.Build("TEST", 1, [.. Enumerable.Range(0, 64).Select(i => (byte)i)]);
        var builder = new KdumpBuilder { Version = version, Notes = version >= 4 ? note : [] };
        for (ulong pfn = 5; pfn < 45; pfn++)
            builder.Page(pfn, KdumpBuilder.Pattern(pfn), PageCodec.Zlib);
        return builder;
    }
}
