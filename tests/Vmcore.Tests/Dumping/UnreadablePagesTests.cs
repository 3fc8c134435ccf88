using Vmcore.Compression;
using Vmcore.Dumping;
using Vmcore.Formats.Elf;
using Vmcore.Formats.Flattened;
using Vmcore.Formats.Kdump;
using Vmcore.Formats.Notes;
using Vmcore.IO;
using Vmcore.Memory;
using Vmcore.Ranges;
using Vmcore.Testing;
using Vmcore.Verification;

namespace Vmcore.Tests.Dumping;

/// <summary>«Could not be read» is never zero: the dump knows the page and does not have it, says so, and is marked incomplete.</summary>
public sealed class UnreadablePagesTests
{
    private const ulong FirstPfn = 0x1800;
    private const int Pages = 0xf00;

    [Theory]
    [InlineData(DumpOutput.Kdump, PageCodec.None, false)]
    [InlineData(DumpOutput.Kdump, PageCodec.Zlib, false)]
    [InlineData(DumpOutput.Kdump, PageCodec.Zlib, true)]
    [InlineData(DumpOutput.Elf, PageCodec.None, false)]
    [InlineData(DumpOutput.Elf, PageCodec.None, true)]
    public void ThePageIsNotThere(DumpOutput output, PageCodec codec, bool flattened)
    {
        PfnRange[] bad = [new(FirstPfn + 5, FirstPfn + 6), new(FirstPfn + 100, FirstPfn + 103), new(FirstPfn + 0x700, FirstPfn + 0x701)];
        (byte[] bytes, DumpReport report) = Dump(bad, new() { Output = output, Codec = codec, Threads = 1 }, flattened);
        Assert.Equal(DumpEnd.Complete, report.End);
        Assert.Equal(5ul, report.Unreadable);
        Assert.Equal(bad, report.UnreadableRanges);
        using CrashDump whole = CrashDump.Open(new CoreSource(Machine().Core()));
        using CrashDump written = CrashDump.Open(new KdumpBytes(bytes, "written"));
        Assert.True(written.IsIncomplete);
        byte[] page = new byte[4096], expected = new byte[4096];
        for (ulong pfn = FirstPfn; pfn < FirstPfn + Pages; pfn++)
        {
            MemoryStatus status = written.Memory.ReadPage(pfn, page);
            if (Array.Exists(bad, r => r.Contains(pfn)))
            {
                Assert.NotEqual(MemoryStatus.Ok, status);
                Assert.NotEqual(MemoryStatus.Hole, status);
                continue;
            }

            Assert.Equal(MemoryStatus.Ok, status);
            whole.Memory.ReadPage(pfn, expected);
            Assert.Equal(expected, page);
        }

        Assert.Equal(5ul, CountsNote.TryRead(written.NoteArea.Span, written.Notes)!.Unreadable);
        Assert.Equal(bad, LostNote.Read(written.NoteArea.Span, written.Notes, out ulong pages));
        Assert.Equal(5ul, pages);
        VerifyReport verified = DumpVerifier.Verify(written);
        Assert.Contains(verified.Problems, p => p.ToString()!.Contains("5 pages that could not be read", StringComparison.Ordinal));
    }

    /// <summary>Filtered once more, the page is still lost, and not a page of zero.</summary>
    [Fact]
    public void ItStaysLost()
    {
        PfnRange[] bad = [new(FirstPfn + 5, FirstPfn + 6)];
        (byte[] once, _) = Dump(bad, new() { Codec = PageCodec.Zlib, Threads = 1 }, flattened: false);
        WrittenDump twice = WrittenDump.Of(new KdumpBytes(once, "once"), new() { Codec = PageCodec.Zlib, Threads = 1 });
        Assert.Equal(1ul, twice.Report.Unreadable);
        using KdumpFile file = twice.OpenKdump();
        Assert.Equal(PageState.Lost, file.GetPageState(FirstPfn + 5));
        Assert.True(file.IsIncomplete);
    }

    /// <summary>More places than there is room for headers: good pages between them go too, and no bad one is named.</summary>
    [Fact]
    public void AnElfDumpWithManyOfThemNamesNone()
    {
        PfnRange[] bad = [.. Enumerable.Range(0, 300).Select(i => new PfnRange(FirstPfn + ((ulong)i * 7), FirstPfn + ((ulong)i * 7) + 1))];
        (byte[] bytes, DumpReport report) = Dump(bad, new() { Output = DumpOutput.Elf, Threads = 1 }, flattened: false);
        Assert.Equal(300ul, report.Unreadable);
        using CrashDump written = CrashDump.Open(new KdumpBytes(bytes, "written"));
        byte[] page = new byte[4096];
        Assert.All(bad, r => Assert.NotEqual(MemoryStatus.Ok, written.Memory.ReadPage(r.Start, page)));
        Assert.Equal(MemoryStatus.Ok, written.Memory.ReadPage(FirstPfn + 0xe00, page));
        Assert.Equal(62, LostNote.Read(written.NoteArea.Span, written.Notes, out ulong pages).Count);
        Assert.Equal(300ul, pages);
    }

    [Fact]
    public void HolesAreCutOutOfSegments()
    {
        List<ElfSegment> segments = [new(ElfConstants.LoadSegment, 7, 0x1000, 0xffff888000001000, 0x1000, 0x9000, 0xa000, 0)];
        List<ElfSegment> cut = ElfLostPages.Cut(segments, [new(4, 5), new(1, 2), new(9, 10)], most: 10, pageShift: 12);
        Assert.Equal(
            [(0x1000ul, 0ul, 0x1000ul, 0x1000ul), (0x2000, 0x2000, 0x3000, 0x2000), (0x5000, 0x4000, 0x6000, 0x5000)],
            cut.Select(s => (s.PhysicalAddress, s.FileSize, s.MemorySize, s.Offset)));
        Assert.Equal([0xffff888000001000, 0xffff888000002000, 0xffff888000005000], cut.Select(s => s.VirtualAddress));
        Assert.Equal(2, ElfLostPages.Cut(segments, [new(4, 5), new(2, 3), new(6, 7)], most: 2, pageShift: 12).Count);
    }

    private static SyntheticMachine Machine() =>
        new SyntheticMachine().AddRam(0x100000, 39 * Machines.MiB).PlaceMany(FirstPfn, Pages, PageKind.KernelData);

    private static (byte[] Bytes, DumpReport Report) Dump(PfnRange[] bad, DumpOptions options, bool flattened)
    {
        CoreImage core = Machine().Core();
        using CrashDump dump = CrashDump.Open(new Failing(core, bad));
        using var memory = new MemorySink();
        using var stream = new MemoryStream();
        using IByteSink sink = flattened ? new FlattenedSink(stream, "flat", leaveOpen: true) : memory;
        DumpReport report = Dumper.Write(new(dump, options), sink, NoObserver.Instance);
        return (flattened ? stream.ToArray() : memory.ToArray(), report);
    }

    /// <summary>A device that fails where some pages of memory lie.</summary>
    internal sealed class Failing : IByteSource
    {
        private readonly CoreSource _inner;
        private readonly (long Start, long End)[] _bad;

        internal Failing(CoreImage core, PfnRange[] bad)
        {
            _inner = new(core);
            _bad = [.. bad.SelectMany(r => core.Segments.Where(s => Has(s, r.Start << 12))
                .Select(s => ((long)(s.Offset + ((r.Start << 12) - s.Physical)), (long)(s.Offset + ((r.End << 12) - s.Physical)))))];
        }

        public string Name => "failing";

        public long Length => _inner.Length;

        public int Read(long offset, Span<byte> buffer)
        {
            int read = _inner.Read(offset, buffer);
            foreach ((long start, long end) in _bad)
            {
                if (offset < end && offset + read > start)
                    read = (int)Math.Max(0, start - offset);
            }

            return read;
        }

        public void Dispose() => _inner.Dispose();

        private static bool Has(CoreSegment segment, ulong address) => segment.Physical <= address && address < segment.Physical + segment.FileSize;
    }
}
