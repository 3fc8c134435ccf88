using System.Globalization;
using Vmcore.Compression;
using Vmcore.Dumping;
using Vmcore.Formats.Flattened;
using Vmcore.Formats.Kdump;
using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Testing;

namespace Vmcore.Tests.Dumping;

/// <summary>A dump of a dump is the dump that a direct one would have been.</summary>
public sealed class RefilterTests
{
    private static readonly SyntheticMachine s_machine = CreateMachine();
    private static readonly CoreImage s_core = s_machine.Core();
    private static readonly WrittenDump s_whole = WrittenDump.Of(s_core, 0, PageCodec.Lzo);

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(31)]
    [InlineData(32)]
    [InlineData(63)]
    public void FilteringAWholeDumpIsFilteringTheCore(int level)
    {
        WrittenDump again = WrittenDump.Of(s_whole.Open(), new() { Level = (DumpLevel)level, Codec = PageCodec.Zstd });
        Same(WrittenDump.Of(s_core, level), again);
        again.AssertNoPmemUserData();
        using CrashDump open = again.Open();
        Assert.Equal(level, open.Kdump!.SubHeader.DumpLevel);
    }

    [Fact]
    public void FilteringTwiceIsFilteringOnce()
    {
        WrittenDump twice = s_whole;
        foreach (int level in new[] { 16, 2, 24, 31 })
            twice = WrittenDump.Of(twice.Open(), new() { Level = (DumpLevel)level, Codec = PageCodec.Snappy });
        Same(WrittenDump.Of(s_core, 31), twice);
        WrittenDump same = WrittenDump.Of(twice.Open(), new() { Level = (DumpLevel)31 });
        Same(twice, same);

        // What is gone does not come back, and the header still says so.
        WrittenDump lower = WrittenDump.Of(twice.Open(), new());
        Same(twice, lower);
        using KdumpFile file = lower.OpenKdump();
        Assert.Equal(31, file.SubHeader.DumpLevel);
        Assert.Equal(lower.Report.Original, lower.Report.MissingInInput + lower.Report.Excluded.Excluded + lower.Report.Remaining);
    }

    [Fact]
    public void ElfDumpsAreFilteredToo()
    {
        WrittenDump elf = WrittenDump.Of(s_core, 0, output: DumpOutput.Elf);
        Same(WrittenDump.Of(s_core, 31), WrittenDump.Of(elf.Open(), new() { Level = (DumpLevel)31 }));
        WrittenDump elfTwice = WrittenDump.Of(elf.Open(), new() { Level = (DumpLevel)31, Output = DumpOutput.Elf });
        new DumpOracle(s_machine, s_core, 31).CheckElf(elfTwice, counts: false);
        using CrashDump kdump = s_whole.Open();
        Assert.Throws<MissingInformationException>(() => WrittenDump.Of(kdump, new() { Output = DumpOutput.Elf }));
    }

    /// <summary>Pages of zero are no longer in an ELF dump of level 1, but what a block is stands in the structure of its first page.</summary>
    [Theory]
    [InlineData(KernelEra.V5_10)]
    [InlineData(KernelEra.V6_12)]
    public void BlocksGoThoughTheirFirstPageWentBefore(KernelEra era)
    {
        const ulong Free = 0x2000, User = 0x2400, Hugetlb = 0x40000, InHugetlb = 0x48000;
        var machine = new SyntheticMachine(new() { Era = era });
        machine.AddRam(0x100000, 63 * Machines.MiB).AddRam(Machines.GiB, Machines.GiB + (256 * Machines.MiB));
        machine.Place(Free, PageKind.Free, 9).Place(User, PageKind.AnonHuge, 9).Place(Hugetlb, PageKind.Hugetlb, 18);
        CoreImage core = machine.Core();
        EditedCore edited = new(core);
        foreach (ulong pfn in new[] { Free, User, Hugetlb, InHugetlb })
            edited.WritePhysical(pfn << 12, new byte[4096]);
        WrittenDump direct = WrittenDump.Of(edited, new() { Level = (DumpLevel)31 });
        WrittenDump elf = WrittenDump.Of(edited, new() { Level = DumpLevel.Zero, Output = DumpOutput.Elf });
        WrittenDump again = WrittenDump.Of(elf.Open(), new() { Level = (DumpLevel)31 });
        Assert.Equal(direct.Report.Remaining, again.Report.Remaining);
        Assert.Equal(again.Report.Original, again.Report.MissingInInput + again.Report.Excluded.Excluded + again.Report.Remaining);
        using KdumpFile a = direct.OpenKdump(), b = again.OpenKdump();
        byte[] one = new byte[(a.MaxPfn + 7) / 8], two = new byte[one.Length];
        Assert.True(a.ReadBitmap(KdumpBitmap.Dumped, 0, one) && b.ReadBitmap(KdumpBitmap.Dumped, 0, two));
        for (int i = 0; i < one.Length; i++)
            Assert.True((two[i] & ~one[i]) == 0, $"Pages from 0x{8 * i:x} on came back.");
    }

    [Fact]
    public void FlattenedDumpsAreInputToo()
    {
        using var stream = new MemoryStream();
        using (CrashDump dump = CrashDump.Open(new CoreSource(s_core)))
        using (var sink = new FlattenedSink(stream, leaveOpen: true))
            Dumper.Write(new(dump, new() { Codec = PageCodec.Zlib }), sink, NoObserver.Instance);
        using CrashDump flat = CrashDump.Open(new KdumpBytes(stream.ToArray(), "flat"));
        Same(WrittenDump.Of(s_core, 31), WrittenDump.Of(flat, new() { Level = (DumpLevel)31 }));
    }

    private static void Same(WrittenDump expected, WrittenDump found)
    {
        using KdumpFile a = expected.OpenKdump(), b = found.OpenKdump();
        Assert.Equal(a.MaxPfn, b.MaxPfn);
        byte[] one = new byte[(a.MaxPfn + 7) / 8], two = new byte[one.Length];
        foreach (KdumpBitmap which in Enum.GetValues<KdumpBitmap>())
        {
            Assert.True(a.ReadBitmap(which, 0, one) && b.ReadBitmap(which, 0, two));
            Assert.True(one.AsSpan().SequenceEqual(two), which.ToString());
        }

        byte[] page = new byte[4096], other = new byte[4096];
        for (ulong pfn = 0; pfn < a.MaxPfn; pfn++)
        {
            if ((two[pfn >> 3] >> (int)(pfn & 7) & 1) == 0)
                continue;
            Assert.Equal(MemoryStatus.Ok, a.ReadPage(pfn, page));
            Assert.Equal(MemoryStatus.Ok, b.ReadPage(pfn, other));
            Assert.True(page.AsSpan().SequenceEqual(other), pfn.ToString("x", CultureInfo.InvariantCulture));
        }
    }

    private static SyntheticMachine CreateMachine()
    {
        SyntheticMachine machine = Machines.EveryKind(new() { Era = KernelEra.V6_12, Levels = 5 });
        PmemRegion region = machine.AddPmem(Machines.PmemBase, 256 * Machines.MiB);
        region.AddNamespace(0, 128 * Machines.MiB, new() { StaleReserve = true, FakeInfoBlocksInData = true });
        region.AddNamespace(128 * Machines.MiB, 64 * Machines.MiB, new() { Mode = SyntheticPmemMode.Raw });
        return machine;
    }
}
