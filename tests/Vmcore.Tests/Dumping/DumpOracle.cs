using Vmcore.Dumping;
using Vmcore.Formats.Kdump;
using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Opening;
using Vmcore.Ranges;
using Vmcore.Testing;

namespace Vmcore.Tests.Dumping;

/// <summary>What a dump of a synthetic machine must be, bit for bit, by the machine's own answers.</summary>
internal sealed class DumpOracle
{
    private readonly SyntheticMachine _machine;
    private readonly IReadOnlyList<CoreSegment> _segments;
    private readonly bool[] _exists;
    private readonly bool[] _data;
    private readonly int _level;
    private readonly HashSet<ulong> _partial = [];

    public DumpOracle(SyntheticMachine machine, CoreImage core, int level, IReadOnlyList<CoreSegment>? segments = null)
    {
        _machine = machine;
        _segments = segments ?? core.Segments;
        _level = level;
        MaxPfn = _segments.Max(s => (s.Physical + s.MemorySize + 4095) >> 12);
        _exists = new bool[MaxPfn];
        _data = new bool[MaxPfn];
        foreach (CoreSegment s in _segments)
        {
            Array.Fill(_exists, true, (int)(s.Physical >> 12), (int)(((s.Physical + s.MemorySize + 4095) >> 12) - (s.Physical >> 12)));
            if (s.FileSize > 0)
                Array.Fill(_data, true, (int)(s.Physical >> 12), (int)(((s.Physical + s.FileSize + 4095) >> 12) - (s.Physical >> 12)));
            _partial.UnionWith(new[] { s.Physical, s.Physical + s.FileSize }.Where(a => (a & 4095) != 0).Select(a => a >> 12));
        }
    }

    public ulong MaxPfn { get; }

    /// <summary>Replaces the machine's own answer; for what the machine does not know, such as damage.</summary>
    public Func<ulong, ExpectedVerdict, ExpectedVerdict>? Override { get; init; }

    /// <summary>Replaces the machine's own pages.</summary>
    public Action<ulong, byte[]>? Content { get; init; }

    /// <summary>Checks a kdump-compressed dump: both bitmaps, every page's content, every count.</summary>
    public void CheckKdump(WrittenDump dump, bool contents = true)
    {
        using KdumpFile file = dump.OpenKdump();
        // What the dump does not know of is user data of pmem.
        Assert.InRange(file.MaxPfn, 1ul, MaxPfn);
        var counts = new ulong[(int)ExpectedVerdict.NoMemory + 1];
        byte[] page = new byte[4096], expected = new byte[4096], memory = new byte[512], dumped = new byte[512];
        ulong original = 0, metadata = 0;
        for (ulong pfn = 0; pfn < MaxPfn; pfn++)
        {
            if ((pfn & 4095) == 0)
            {
                int length = (int)Math.Min(512, (Math.Max(pfn, file.MaxPfn) - pfn + 7) / 8);
                Assert.True(file.ReadBitmap(KdumpBitmap.Memory, pfn, memory.AsSpan(0, length)));
                Assert.True(file.ReadBitmap(KdumpBitmap.Dumped, pfn, dumped.AsSpan(0, length)));
            }

            if (pfn >= file.MaxPfn)
            {
                original += _exists[pfn] ? 1u : 0;
                if (_data[pfn])
                {
                    Assert.Equal(ExpectedVerdict.PmemUserData, VerdictOf(pfn));
                    counts[(int)ExpectedVerdict.PmemUserData]++;
                }

                continue;
            }

            int at = (int)(pfn & 4095);
            bool exists = (memory[at >> 3] >> (at & 7) & 1) != 0, kept = (dumped[at >> 3] >> (at & 7) & 1) != 0;
            Same(_exists[pfn], exists, pfn, "bitmap 1");
            original += exists ? 1u : 0;
            if (!_data[pfn])
            {
                Same(false, kept, pfn, "bitmap 2, no data");
                continue;
            }

            ExpectedVerdict verdict = VerdictOf(pfn);
            counts[(int)verdict]++;
            bool stays = verdict is ExpectedVerdict.Keep or ExpectedVerdict.ZeroFilled;
            Same(stays, kept, pfn, verdict.ToString());
            metadata += stays && _machine.PmemMetadataPfns.Contains(pfn) ? 1u : 0;
            if (!kept || !contents)
                continue;
            Assert.Equal(MemoryStatus.Ok, file.ReadPage(pfn, page));
            Fill(pfn, expected);
            Assert.True(page.AsSpan().SequenceEqual(expected), $"Page 0x{pfn:x} differs.");
        }

        Assert.Equal(original, dump.Report.Original);
        Assert.Equal(MaxPfn, dump.Report.MaxPfn);
        Assert.Equal(MaxPfn - original, dump.Report.MemoryHole);
        Assert.Equal(metadata, dump.Report.MetadataKept);
        CheckCounts(counts, dump.Report);
    }

    /// <summary>Checks an ELF dump: what stays is whole, what goes is nowhere.</summary>
    /// <param name="dump">The dump.</param>
    /// <param name="counts">False if another filter before it has left pages out already.</param>
    public void CheckElf(WrittenDump dump, bool counts = true)
    {
        using CrashDump file = dump.Open();
        Assert.Equal(DumpFormat.Elf, file.Format);
        Assert.False(file.IsIncomplete);
        Assert.Empty(file.Problems);
        var expectedCounts = new ulong[(int)ExpectedVerdict.NoMemory + 1];
        byte[] page = new byte[4096], expected = new byte[4096];
        ulong[] exists = new ulong[64], present = new ulong[64];
        for (ulong pfn = 0; pfn < MaxPfn; pfn++)
        {
            if ((pfn & 4095) == 0)
                file.Unfiltered.GetPages(pfn, exists, present);
            Same(_exists[pfn], PageBits.Get(exists, (int)(pfn & 4095)), pfn, "covered");
            if (!_exists[pfn])
                continue;
            MemoryStatus status = file.Unfiltered.ReadPage(pfn, page);
            if (!_data[pfn])
            {
                Assert.Equal(MemoryStatus.Excluded, status);
                continue;
            }

            ExpectedVerdict verdict = VerdictOf(pfn);
            expectedCounts[(int)verdict]++;
            if (verdict == ExpectedVerdict.Keep)
            {
                Fill(pfn, expected);
                Assert.Equal(MemoryStatus.Ok, status);
                Assert.True(page.AsSpan().SequenceEqual(expected), $"Page 0x{pfn:x} differs.");
            }
            else
            {
                Assert.True(page.AsSpan().IndexOfAnyExcept((byte)0) < 0, $"Page 0x{pfn:x} was excluded ({verdict}) and is there.");
            }
        }

        if (counts)
            CheckCounts(expectedCounts, dump.Report);
        Assert.NotNull(dump.Report.ExcludedInElf);
    }

    private static void Same(bool expected, bool found, ulong pfn, string what) =>
        Assert.True(expected == found, $"Page 0x{pfn:x}: {what}: expected {expected}, found {found}.");

    private void Fill(ulong pfn, byte[] page)
    {
        _machine.FillPage(pfn, page);
        foreach (SyntheticNamespace space in _machine.Pmem.SelectMany(p => p.Namespaces))
        {
            // The struct pages of the reserve are never written; old content of the media there must not get into a dump.
            if (space.Options.StaleReserve && space.MemmapPfns.Count > 0 && space.MemmapPfns[0] == pfn && space.MappedStart % (128 << 20) == 0)
                page.AsSpan(0, 128).Clear();
        }

        Content?.Invoke(pfn, page);
        if (!_partial.Contains(pfn))
            return;
        CoreSegment[] near = [.. _segments.Where(s => s.Physical >> 12 <= pfn && pfn << 12 < s.Physical + s.FileSize)];
        for (int i = 0; i < page.Length; i++)
        {
            // Of a partial page there is what the PT_LOADs have; the rest is zero.
            ulong address = (pfn << 12) + (ulong)i;
            if (!Array.Exists(near, s => s.Physical <= address && address < s.Physical + s.FileSize))
                page[i] = 0;
        }
    }

    private ExpectedVerdict VerdictOf(ulong pfn)
    {
        ExpectedVerdict verdict = _machine.Verdict(pfn, _level);
        return Override is null ? verdict : Override(pfn, verdict);
    }

    private static void CheckCounts(ulong[] expected, DumpReport report)
    {
        Dictionary<ExpectedVerdict, ulong> want = [], got = [];
        foreach ((ExpectedVerdict verdict, PageClass page) in new[]
        {
            (ExpectedVerdict.ZeroFilled, PageClass.Zero), (ExpectedVerdict.CacheNonPrivate, PageClass.Cache),
            (ExpectedVerdict.CachePrivate, PageClass.CachePrivate),
            (ExpectedVerdict.User, PageClass.User), (ExpectedVerdict.Free, PageClass.Free), (ExpectedVerdict.HwPoison, PageClass.HwPoison),
            (ExpectedVerdict.Offline, PageClass.Offline), (ExpectedVerdict.PmemMetadata, PageClass.PmemMetadata),
            (ExpectedVerdict.PmemUserData, PageClass.PmemUserData),
        })
        {
            want[verdict] = expected[(int)verdict];
            got[verdict] = report.Excluded[page];
        }

        want[ExpectedVerdict.Keep] = expected[(int)ExpectedVerdict.Keep];
        got[ExpectedVerdict.Keep] = report.Remaining;
        Assert.Equal(want, got);
    }
}
