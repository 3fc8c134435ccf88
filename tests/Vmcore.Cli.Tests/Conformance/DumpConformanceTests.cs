using Vmcore.Pmem;

namespace Vmcore.Cli.Tests.Conformance;

/// <summary>Dumps of real crashes, at every level that people use, with every codec, in
/// every format: is everything in that must be, and nothing else?</summary>
public sealed class DumpConformanceTests
{
    private static readonly int[] s_levels = [0, 1, 8, 16, 31, 32, 63];

    /// <summary>Flags of /proc/kpageflags.</summary>
    private const ulong Lru = 1 << 5, Slab = 1 << 7, Buddy = 1 << 10, Anon = 1 << 12, Huge = 1 << 17, PageTable = 1 << 26, Reserved = 1UL << 32;

    public static TheoryData<string, int> CrashesAndLevels()
    {
        TheoryData<string, int> data = [];
        foreach (string crash in RealCrash.All)
        {
            foreach (int level in s_levels)
                data.Add(crash, level);
        }

        return data;
    }

    public static TheoryData<string> Crashes() => [.. RealCrash.All];

    // At the level that everybody uses all of them; at the others two, by turns, so that each meets each level with some crash: which pages
    // stay has nothing to do with how they are compressed.
    private static string[] Codecs(string crash, int level)
    {
        string[] all = ["", "-c", "-l", "-p", "-z"];
        int turn = Array.IndexOf(s_levels, level) + (2 * Array.IndexOf(RealCrash.All.ToArray(), crash));
        return level == 31 ? all : [all[turn % all.Length], all[(turn + 1) % all.Length]];
    }

    [Theory]
    [MemberData(nameof(CrashesAndLevels))]
    public void EveryPageIsAsInTheVmcore(string name, int level)
    {
        RealCrash crash = RealCrash.Get(name);
        using RawVmcore raw = new(crash.Path);
        HashSet<ulong> metadata = DumpCheck.Metadata(crash, raw);
        using TemporaryFolder folder = new();
        string levelText = level.ToString(System.Globalization.CultureInfo.InvariantCulture);
        ulong[]? first = null;
        foreach (string codec in Codecs(name, level))
        {
            string[] options = codec.Length > 0 ? [codec, "-d", levelText] : ["-d", levelText];
            ulong[] pages = CheckBothForms(options, crash, raw, metadata, (level & 32) == 0, folder);
            first ??= pages;
            Assert.Equal(first, pages);
        }

        // An ELF file has the same pages, but for those that are zero.
        ulong[] inElf = CheckBothForms(["-E", "-d", levelText], crash, raw, metadata, (level & 32) == 0, folder);
        byte[] page = new byte[RawVmcore.PageSize];
        for (ulong pfn = 0; pfn < raw.MaxPfn; pfn++)
        {
            bool there = DumpCheck.Get(inElf, pfn);
            if (there == DumpCheck.Get(first!, pfn))
                continue;
            page.AsSpan().Clear();
            raw.Read(pfn, page);
            Assert.False(there || page.AsSpan().ContainsAnyExcept((byte)0), $"pfn 0x{pfn:x} {(there ? "is only" : "is not")} in the ELF file");
        }
    }

    [Theory]
    [MemberData(nameof(Crashes))]
    public void MetadataHasTheHashThatTheMediaHad(string name)
    {
        RealCrash crash = RealCrash.Get(name);
        using TemporaryFolder folder = new();
        string output = folder.File("dump");
        Tool.Dump("-l", "-d", "31", crash.Path, output);
        foreach (string path in (string[])[crash.Path, output])
        {
            using CrashDump dump = CrashDump.Open(path);
            Assert.Equal(crash.InfoBlocks.Count, dump.Pmem.Namespaces.Count);
            foreach (MetadataTruth truth in crash.Metadata)
                Assert.Equal(truth.Sha256, MetadataHash.Compute(dump.Memory, new(truth.Start, truth.End), dump.Pmem.Metadata));
        }
    }

    [Theory]
    [MemberData(nameof(Crashes))]
    public void Level31KeepsAndDropsWhatTheKernelSaid(string name)
    {
        RealCrash crash = RealCrash.Get(name);
        Assert.NotNull(crash.PageFlags);
        using RawVmcore raw = new(crash.Path);
        using TemporaryFolder folder = new();
        Tool.Dump("-l", "-d", "31", crash.Path, folder.File("dump"));
        using CrashDump dump = CrashDump.Open(folder.File("dump"));
        ulong[] exists = new ulong[(raw.MaxPfn + 63) / 64], present = new ulong[exists.Length];
        dump.Unfiltered.GetPages(0, exists, present);
        (string Class, ulong Flag, bool Keep)[] classes =
        [
            ("slab", Slab, true), ("page table", PageTable, true), ("reserved", Reserved, true),
            ("free", Buddy, false), ("anonymous", Anon, false), ("hugetlb", Huge, false), ("on the LRU", Lru, false),
        ];
        foreach ((string what, ulong flag, bool keep) in classes)
        {
            int all = 0, wrong = 0;
            for (ulong pfn = 0; pfn < Math.Min((ulong)crash.PageFlags.Length, raw.MaxPfn); pfn++)
            {
                if ((crash.PageFlags[pfn] & flag) == 0 || !raw.Has(pfn) || raw.IsPmem(pfn))
                    continue;

                // Since slab is a page type, the kernel's own flags call some slab pages anonymous too.
                if (flag == Anon && (crash.PageFlags[pfn] & Slab) != 0)
                    continue;
                all++;
                if (DumpCheck.Get(present, pfn) != keep)
                    wrong++;
            }

            // The flags are some seconds older than the crash; a process that ended in between has a few page tables.
            Assert.True(wrong <= Math.Max(all * 4 / 100, 8), $"{what}: {wrong} of {all} pages are {(keep ? "lost" : "kept")}");
            Assert.True(all > 0 || flag == Huge, $"no page is {what}");
        }
    }

    private static ulong[] CheckBothForms(string[] options, RealCrash crash, RawVmcore raw,
        HashSet<ulong> metadata, bool metadataExpected, TemporaryFolder folder)
    {
        string output = folder.File("dump"), flat = folder.File("flat"), again = folder.File("again");
        Tool.Dump([.. options, "-f", crash.Path, output]);
        ToolResult flattened = Tool.Dump([.. options, "-F", crash.Path]);
        File.WriteAllBytes(flat, flattened.OutputBytes);
        ulong[] pages;
        using (CrashDump dump = CrashDump.Open(output))
            pages = DumpCheck.Pages(dump, raw, metadata, metadataExpected);
        // The others are the same stream around other bytes; that they are right follows from what is put together below.
        if (options[0] is "-l" or "-E")
        {
            using CrashDump dump = CrashDump.Open(flat);
            Assert.True(dump.IsFlattened);
            Assert.Equal(pages, DumpCheck.Pages(dump, raw, metadata, metadataExpected));
        }

        if (File.Exists(Tool.Debian))
        {
            File.Delete(again);
            ToolResult reassembled = Tool.RunWithInput(Tool.Debian, flat, "-R", again);
            Assert.True(reassembled.ExitCode == 0, reassembled.Output + reassembled.Error);
            // A kdump file has its pages in the order of their worth, a stream in that of their addresses: as streams both are the same bytes.
            bool isElf = options[0] == "-E";
            byte[] straight = isElf ? File.ReadAllBytes(output) : Tool.Dump([.. options, "-F", output]).OutputBytes;
            byte[] joined = isElf ? File.ReadAllBytes(again) : Tool.Dump([.. options, "-F", again]).OutputBytes;
            Assert.True(straight.AsSpan().SequenceEqual(joined), "the flattened dump, put together, is not the dump");
        }

        return pages;
    }
}
