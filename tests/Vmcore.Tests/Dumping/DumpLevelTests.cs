using Vmcore.Compression;
using Vmcore.Dumping;
using Vmcore.Memmap;
using Vmcore.Testing;

namespace Vmcore.Tests.Dumping;

/// <summary>Each era, each level: the bitmaps, the pages and the counts of a written dump are those of the oracle.</summary>
public sealed class DumpLevelTests
{
    public static TheoryData<KernelEra> Eras => [.. Enum.GetValues<KernelEra>()];

    [Theory]
    [MemberData(nameof(Eras))]
    public void EachEraIsClassifiedAsItsOwnKeysSay(KernelEra era)
    {
        SyntheticMachine machine = Machines.EveryKind(new() { Era = era, KaslrOffset = 0x1e000000, PageOffsetBase = 0xffff8b5040000000 });
        CoreImage core = machine.Core(new() { Producer = CoreProducer.KexecLoad });
        foreach (int level in new[] { 0, 1, 2, 4, 8, 16, 24, 31, 63 })
            new DumpOracle(machine, core, level).CheckKdump(WrittenDump.Of(core, level), contents: level is 0 or 31);
    }

    [Theory]
    [InlineData(KernelEra.V6_1, 1)]
    [InlineData(KernelEra.V7_1, 9)]
    public void EveryLevelIsExact(KernelEra era, int step)
    {
        SyntheticMachine machine = Machines.EveryKind(new() { Era = era, CompoundInfoMask = era == KernelEra.V7_1 });
        machine.AddPmem(Machines.PmemBase, 160 * Machines.MiB).AddNamespace(0, 128 * Machines.MiB, new() { StaleReserve = true });
        CoreImage core = machine.Core();
        for (int level = 0; level < 64; level += step)
            new DumpOracle(machine, core, level).CheckKdump(WrittenDump.Of(core, level), contents: false);
    }

    [Theory]
    [InlineData(SyntheticMemoryModel.SparseExtremeNoVmemmap, 64, 16)]
    [InlineData(SyntheticMemoryModel.SparseExtremeNoVmemmap, 56, 32)]
    [InlineData(SyntheticMemoryModel.SparseStatic, 64, 16)]
    [InlineData(SyntheticMemoryModel.Flat, 64, 16)]
    [InlineData(SyntheticMemoryModel.Flat, 88, 16)]
    public void EachMemoryModelFindsItsStructPages(SyntheticMemoryModel model, int size, int sectionSize)
    {
        SyntheticMachine machine = Machines.EveryKind(new()
        {
            MemoryModel = model,
            StructPageSize = size,
            MemSectionSize = sectionSize,
            NodesShift = model == SyntheticMemoryModel.Flat ? 0 : 6,
        });
        CoreImage core = machine.Core();
        foreach (int level in new[] { 0, 31 })
            new DumpOracle(machine, core, level).CheckKdump(WrittenDump.Of(core, level));
    }

    [Theory]
    [InlineData(KernelEra.V4_19, 4, 64, 0ul, false, false, 16)]
    [InlineData(KernelEra.V5_15, 5, 64, 0ul, false, false, 32)]
    [InlineData(KernelEra.V6_1, 5, 72, 1ul << 51, true, false, 16)]
    [InlineData(KernelEra.V6_6, 4, 56, 1ul << 47, false, true, 32)]
    [InlineData(KernelEra.V6_12, 5, 96, 1ul << 51, true, true, 16)]
    [InlineData(KernelEra.V6_16, 4, 80, 0ul, true, false, 16)]
    public void TablesAndRecordsOfAnyShapeAreRead(KernelEra era, int levels, int size, ulong sme, bool gigabytes, bool basePages, int sectionSize)
    {
        SyntheticMachine machine = Machines.EveryKind(new()
        {
            Era = era,
            Levels = levels,
            StructPageSize = size,
            SmeMask = sme,
            GigabyteDirectMap = gigabytes,
            VmemmapBasePages = basePages,
            MemSectionSize = sectionSize,
            KaslrOffset = 0x2a00000,
            PageOffsetBase = levels == 5 ? 0xff1100b240000000 : 0xffff8b5040000000,
            VmemmapBase = levels == 5 ? 0xffd4007fc0000000 : 0xffffeb4040000000,
            KernelPhysicalStart = 0x1800000,
        });
        CoreImage core = machine.Core();
        foreach (int level in new[] { 0, 31 })
        {
            WrittenDump dump = WrittenDump.Of(core, level);
            new DumpOracle(machine, core, level).CheckKdump(dump);
            Assert.Equal(0ul, dump.Report.UnreadableStructPages);
        }
    }

    /// <summary>64 GiB cost little: what is left out is not read.</summary>
    [Fact]
    public void LargeMachinesAreCountedExactly()
    {
        var machine = new SyntheticMachine(new() { Era = KernelEra.V6_12 });
        machine.AddRam(0x100000, 63 * Machines.MiB).AddRepeatedRam(64 * Machines.GiB,
            64 * Machines.GiB, PageKind.Free, PageKind.Anonymous, PageKind.PageCache, PageKind.Free);
        CoreImage core = machine.Core();
        using CrashDump dump = CrashDump.Open(new CoreSource(core));
        using var sink = new NullSink();
        DumpReport report = Dumper.Write(new(dump, new() { Level = (DumpLevel)31, Codec = PageCodec.Lzo, Threads = 1 }), sink, NoObserver.Instance);
        IReadOnlyDictionary<ExpectedVerdict, ulong> counts = machine.Count(core, 31);
        Assert.Equal(counts[ExpectedVerdict.Free], report.Excluded[PageClass.Free]);
        Assert.Equal(counts[ExpectedVerdict.User], report.Excluded[PageClass.User]);
        Assert.Equal(counts[ExpectedVerdict.CacheNonPrivate], report.Excluded[PageClass.Cache]);
        Assert.Equal(counts[ExpectedVerdict.Keep], report.Remaining);
    }
}
