using CsCheck;
using Vmcore.Dumping;
using Vmcore.Formats.Kdump;
using Vmcore.Memmap;
using Vmcore.Testing;
using Vmcore.Tests.Synthetic;

namespace Vmcore.Tests.Dumping;

/// <summary>Damage and gaps: the dump goes on, keeps what it cannot judge, and counts it.</summary>
public sealed class DumpFaultTests
{
    private const ulong First = 0x2940;

    /// <summary>The tool of today dies here.</summary>
    [Theory]
    [InlineData(64)]
    [InlineData(72)]
    [InlineData(56)]
    public void StructPagesThatAreNotThereKeepTheirPages(int size)
    {
        SyntheticMachine machine = Machines.EveryKind(new() { StructPageSize = size });
        CoreImage core = machine.Core();
        var walker = new CoreWalker(core);
        ulong address = walker.PageAddress(First + 64) & ~4095ul;
        ulong physical = walker.Walk(address)!.Value;
        EditedCore edited = new EditedCore(core).Hole(physical, physical + 4096);
        WrittenDump dump = WrittenDump.Of(edited, new() { Level = (DumpLevel)31 });
        bool Hit(ulong pfn) => walker.PageAddress(pfn) + (ulong)size > address && walker.PageAddress(pfn) < address + 4096;
        ulong[] hit = [.. Enumerable.Range((int)First, 200).Select(p => (ulong)p).Where(Hit)];
        Assert.InRange(hit.Length, 57, 75);
        Assert.All(hit, pfn => Assert.Equal(ExpectedVerdict.User, machine.Verdict(pfn, 31)));
        new DumpOracle(machine, core, 31, edited.Segments) { Override = (pfn, verdict) => hit.Contains(pfn) ? ExpectedVerdict.Keep : verdict }.CheckKdump(dump);
        Assert.Equal((ulong)hit.Length, dump.Report.UnreadableStructPages);
        Assert.Equal(0ul, dump.Report.Unreadable);
    }

    /// <summary>Nothing is mapped there: no struct page, no fault.</summary>
    [Fact]
    public void HolesOfTheMemmapAreNoFaults()
    {
        SyntheticMachine machine = Machines.EveryKind(new() { VmemmapBasePages = true });
        CoreImage core = machine.Core();
        var walker = new CoreWalker(core);
        ulong[] entries = [.. Enumerable.Range(0, 3).Select(i => walker.LeafEntry(walker.PageAddress(First) + ((ulong)i << 12)))];
        var edited = new EditedCore(core);
        foreach (ulong entry in entries)
            edited.WritePhysical64(entry, 0);
        WrittenDump dump = WrittenDump.Of(edited, new() { Level = (DumpLevel)31 });
        Assert.Equal(0ul, dump.Report.UnreadableStructPages);
        using KdumpFile file = dump.OpenKdump();
        Assert.True(Enumerable.Range((int)First, 192).All(p => file.GetPageState((ulong)p) != PageState.Excluded));
    }

    [Fact]
    public void EveryTruncationIsAnErrorOrADump()
    {
        CoreImage core = new SyntheticMachine().AddRam(0x100000, 39 * Machines.MiB).PlaceMany(0x1800, 20, PageKind.Anonymous).Core();
        for (long length = 0; length < core.Length; length += length < 8192 ? 311 : core.Length / 40)
        {
            try
            {
                using CrashDump dump = CrashDump.Open(new EditedCore(core).Truncate(length));
                Assert.True(dump.IsIncomplete || dump.Problems.Count > 0);
                foreach (DumpLevel level in new[] { DumpLevel.None, (DumpLevel)31 })
                {
                    if (level != 0 && dump.ClassificationProblem is not null)
                        continue;
                    using var sink = new NullSink();
                    Assert.Equal(DumpEnd.Complete, Dumper.Write(new(dump, new() { Level = level, Threads = 1 }), sink, NoObserver.Instance).End);
                }
            }
            catch (VmcoreException e)
            {
                Assert.Contains("edited", e.Message, StringComparison.Ordinal);
            }
        }
    }

    /// <summary>Words of the memmap, of page tables, of sections: any of them may be anything.</summary>
    [Fact]
    public void DamagedKernelStructuresEndNothing()
    {
        SyntheticMachine machine = new SyntheticMachine(new() { RfcList = true })
            .AddRam(0x100000, 39 * Machines.MiB).Place(0x1800, PageKind.Free, 9).Place(0x1a00, PageKind.AnonHuge, 9);
        machine.AddPmem(Machines.PmemBase, 160 * Machines.MiB).AddNamespace(0, 128 * Machines.MiB);
        CoreImage core = machine.Core();
        ulong[] kernel = [.. core.Pfns().Where(p => p < 0x2800 && machine.Verdict(p, 1) == ExpectedVerdict.Keep && p is < 0x1800 or >= 0x1c00)];
        Gen<ulong> value = Gen.OneOf(Gen.ULong, Gen.Const(ulong.MaxValue), Gen.Const(0ul),
            Gen.ULong[0, 1ul << 34].Select(a => (a << 12) | 0x63), Gen.ULong[0, 64].Select(a => 0xffffea0000000000 | (a << 20) | 3));
        Gen.Select(Gen.Int[0, kernel.Length - 1], Gen.Int[0, 511], value).Array[1, 30].Sample(
            changes =>
            {
                var edited = new EditedCore(core);
                foreach ((int page, int word, ulong v) in changes)
                    edited.WritePhysical64((kernel[page] << 12) + ((ulong)word * 8), v);
                try
                {
                    using CrashDump dump = CrashDump.Open(edited);
                    using var sink = new NullSink();
                    DumpReport report = Dumper.Write(new(dump, new() { Level = (DumpLevel)31, Threads = 1 }), sink, NoObserver.Instance);
                    Assert.Equal(DumpEnd.Complete, report.End);
                    Assert.Equal(report.Original, report.Remaining + report.Excluded.Excluded + report.MissingInInput);
                }
                catch (VmcoreException)
                {
                    // The only kind that bad input may raise.
                }
            },
            iter: 60,
            threads: 2);
    }

    [Fact]
    public void ImpossibleOrdersOfFreeBlocksKeepThem()
    {
        SyntheticMachine machine = Machines.EveryKind();
        CoreImage core = machine.Core();
        var walker = new CoreWalker(core);
        foreach (ulong order in new ulong[] { 11, 63, 64, 1ul << 32, ulong.MaxValue })
        {
            EditedCore edited = new EditedCore(core).WritePhysical64(walker.Walk(walker.PageAddress(0x2000) + 40)!.Value, order);
            WrittenDump dump = WrittenDump.Of(edited, new() { Level = DumpLevel.Free });
            new DumpOracle(machine, core, 16) { Override = (pfn, verdict) => pfn is >= 0x2000 and < 0x2400 ? ExpectedVerdict.Keep : verdict }
                .CheckKdump(dump, contents: false);
            Assert.Equal(1ul, dump.Report.BadFreeBlocks);
        }
    }
}
