using CsCheck;
using Vmcore.Compression;
using Vmcore.Dumping;
using Vmcore.Formats.Kdump;
using Vmcore.IO;
using Vmcore.Testing;
using Vmcore.Verification;

namespace Vmcore.Tests.Dumping;

/// <summary>Pages with equal content share a block where that is asked for.</summary>
public sealed class EqualPagesTests
{
    public static TheoryData<PageCodec> Codecs => [PageCodec.None, PageCodec.Lzo, PageCodec.Zlib];

    [Theory, MemberData(nameof(Codecs))]
    public void EveryPageReadsAsWithoutIt(PageCodec codec)
    {
        // At level 0 all pages that nothing was placed on are equal: zero.
        CoreImage core = new SyntheticMachine().AddRam(0x100000, 64 << 20).PlaceMany(0x2000, 600, PageKind.KernelData).Core();
        WrittenDump plain = WrittenDump.Of(core, 0, codec);
        var options = new DumpOptions { Codec = codec, ShareEqualPages = true, Threads = 1 };
        WrittenDump shared = WrittenDump.Of(new CoreSource(core), options);
        Assert.Equal(0UL, plain.Report.Shared);
        Assert.True(shared.Report.Shared > 1000, $"{shared.Report.Shared} pages are shared");
        Assert.True(shared.Bytes.Length < plain.Bytes.Length);
        Assert.Equal(Contents(plain), Contents(shared));
        using (CrashDump dump = shared.Open())
            Assert.Empty(DumpVerifier.Verify(dump).Problems);
        Assert.Equal(shared.Bytes, WrittenDump.Of(new CoreSource(core), options with { Threads = 3 }).Bytes);
    }

    [Fact]
    public void PartsOfASplitDumpShareNoBlocksButOneTable()
    {
        CoreImage core = new SyntheticMachine().AddRam(0x100000, 64 << 20).PlaceMany(0x2000, 600, PageKind.KernelData).Core();
        const int Parts = 24;
        var options = new DumpOptions { Codec = PageCodec.Lzo, ShareEqualPages = true, Threads = 1, SplitBlockPages = 64 };
        using var dump = CrashDump.Open(new CoreSource(core));
        long plain = Allocated(dump, options with { ShareEqualPages = false });
        Assert.InRange(Allocated(dump, options) - plain, 0, 8 << 20);
        MemorySink[] sinks = [.. Enumerable.Range(0, Parts).Select(_ => new MemorySink())];
        Assert.True(Dumper.Write(new(dump, options), sinks, NoObserver.Instance).Shared > 1000);
        string folder = Directory.CreateTempSubdirectory().FullName;
        string[] files = [.. sinks.Select((_, i) => Path.Combine(folder, $"part{i}"))];
        for (int i = 0; i < Parts; i++)
            File.WriteAllBytes(files[i], sinks[i].ToArray());
        using (var parts = CrashDump.Open(files))
        {
            Assert.Empty(DumpVerifier.Verify(parts).Problems);
            byte[] before = new byte[4096], after = new byte[4096];
            for (ulong pfn = 0x2000; pfn < 0x2000 + 600; pfn++)
            {
                Assert.Equal(dump.Memory.ReadPage(pfn, before), parts.Memory.ReadPage(pfn, after));
                Assert.Equal(before, after);
            }
        }

        Directory.Delete(folder, recursive: true);

        static long Allocated(CrashDump dump, DumpOptions options)
        {
            NullSink[] sinks = [.. Enumerable.Range(0, Parts).Select(_ => new NullSink())];
            var plan = new DumpRequest(dump, options);
            long before = GC.GetAllocatedBytesForCurrentThread();
            Dumper.Write(plan, sinks, NoObserver.Instance);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }

    /// <summary>Their sharing outlives the joining: what comes of it is as large as the parts' blocks are, and every page is the same.</summary>
    [Theory, MemberData(nameof(Codecs))]
    public void PartsJoinedGoOnSharing(PageCodec codec)
    {
        CoreImage core = new SyntheticMachine().AddRam(0x100000, 64 << 20).PlaceMany(0x2000, 600, PageKind.KernelData).Core();
        byte[] page = [.. Enumerable.Range(0, 4096).Select(static i => (byte)(i * i >> 3))];
        IByteSource Edited() => new EditedCore(core).WritePhysical(0x3000_000, page).WritePhysical(0x3003_000, page).WritePhysical(0x3080_000, page);
        var options = new DumpOptions { Codec = codec, ShareEqualPages = true, Threads = 1, SplitBlockPages = 64 };
        using var raw = CrashDump.Open(Edited());
        MemorySink[] sinks = [.. Enumerable.Range(0, 3).Select(_ => new MemorySink())];
        DumpReport report = Dumper.Write(new(raw, options), sinks, NoObserver.Instance);
        Assert.True(report.Shared > 1000);
        using var joined = new MemorySink();
        using (var parts = KdumpFile.Open([.. sinks.Select((s, i) => new KdumpBytes(s.ToArray(), $"part{i}"))]))
        {
            HashSet<(int, long)> blocks = [];
            long bytes = 0;
            for (ulong pfn = 0; pfn < parts.MaxPfn; pfn++)
            {
                int part = parts.PartRanges.TakeWhile(r => r.End <= pfn).Count();
                if (parts.TryGetDescriptor(pfn, out PageDescriptor block) && blocks.Add((part, block.Offset)))
                    bytes += block.Length;
            }

            Assert.Equal(new ReassemblyReport(report.Remaining, 0), Reassembler.Write(parts, joined, NoObserver.Instance));
            Assert.InRange(joined.ToArray().Length, bytes, parts.Parts[0].DescriptorsOffset + ((long)report.Remaining * PageDescriptor.Size) + 4096 + bytes);
        }

        var written = new WrittenDump(joined.ToArray(), report);
        Assert.Equal(Contents(WrittenDump.Of(Edited(), options with { ShareEqualPages = false })), Contents(written));
        using CrashDump dump = written.Open();
        Assert.False(dump.IsIncomplete);
        Assert.Empty(DumpVerifier.Verify(dump).Problems);
    }

    [Fact]
    public void CopiedBlocksAreFoundWhereTheyWent() =>
        Gen.Select(Gen.Long[0, 2000], Gen.Long[1, 40]).Array[1, 200].Sample(blocks =>
        {
            var copied = new CopiedBlocks();
            Dictionary<long, HashSet<long>> places = [];
            long to = 100_000;
            foreach ((long from, long length) in blocks)
            {
                if (copied.TryFind(from, length, out long at))
                {
                    Assert.All(Enumerable.Range(0, (int)length), i => Assert.Contains(at + i, places[from + i]));
                    continue;
                }

                copied.Add(from, length, to);
                Assert.True(copied.TryFind(from, length, out at));
                for (long i = 0; i < length; i++)
                    (places.TryGetValue(from + i, out HashSet<long>? all) ? all : places[from + i] = []).Add(to + i);
                to += length;
            }
        });

    [Fact]
    public void CopiedBlocksAreBounded()
    {
        var copied = new CopiedBlocks();
        for (long i = 0; i < 3 * CopiedBlocks.RememberedRuns; i++)
            copied.Add(1_000_000 - (i * 10), 5, i * 100);
        Assert.True(copied.TryFind(1_000_000, 5, out long first));
        Assert.Equal(0, first);
        Assert.False(copied.TryFind(1_000_000 - (CopiedBlocks.RememberedRuns * 10), 5, out _));
        copied.Clear();
        Assert.False(copied.TryFind(1_000_000, 5, out _));
    }

    [Fact]
    public void AHashTellsBytesApart()
    {
        var seen = new HashSet<UInt128>();
        byte[] page = new byte[4096];
        Assert.True(seen.Add(PageHash.Of(page)));
        Assert.True(seen.Add(PageHash.Of(page.AsSpan(1))));
        for (int bit = 0; bit < page.Length * 8; bit++)
        {
            page[bit >> 3] ^= (byte)(1 << (bit & 7));
            Assert.True(seen.Add(PageHash.Of(page)), $"bit {bit}");
            page[bit >> 3] = 0;
        }
    }

    private static List<(ulong Pfn, uint Sum)> Contents(WrittenDump written)
    {
        List<(ulong, uint)> pages = [];
        using CrashDump dump = written.Open();
        WrittenDump.ForEachPage(dump, (pfn, page) =>
        {
            var hash = new HashCode();
            hash.AddBytes(page);
            pages.Add((pfn, (uint)hash.ToHashCode()));
        });
        return pages;
    }
}
