using Vmcore.Dumping;
using Vmcore.Formats.Notes;
using Vmcore.Memmap;
using Vmcore.Ranges;
using Vmcore.Testing;
using Vmcore.Tests.Dumping;
using Vmcore.Tests.Synthetic;

namespace Vmcore.Tests.Pmem;

/// <summary>Each source alone says what is pmem.</summary>
public sealed class PmemSourceTests
{
    private const ulong MiB = Machines.MiB;

    [Theory]
    [InlineData(CoreProducer.FileLoad, PmemSegments.WholeRegions)]
    [InlineData(CoreProducer.FileLoad, PmemSegments.WholeRegionsUnmarked)]
    [InlineData(CoreProducer.KexecLoad, PmemSegments.WholeRegionsUnmarked)]
    [InlineData(CoreProducer.Qemu, PmemSegments.WholeRegions)]
    public void FlagsOrSectionsTell(CoreProducer producer, PmemSegments segments)
    {
        foreach (KernelEra era in new[] { KernelEra.V4_19, KernelEra.V6_12 })
        {
            (SyntheticMachine machine, PmemRegion region) = Machines.WithPmem(640 * MiB, new() { Era = era });
            region.AddNamespace(0, 128 * MiB, new() { Mode = SyntheticPmemMode.Raw });
            region.AddNamespace(128 * MiB, 256 * MiB);
            region.AddNamespace(384 * MiB, 128 * MiB, new() { Mode = SyntheticPmemMode.Sector });
            CoreImage core = machine.Core(new() { Producer = producer, Pmem = segments });
            WrittenDump dump = WrittenDump.Of(core, 0);
            new DumpOracle(machine, core, 0).CheckKdump(dump, contents: false);
            dump.AssertNoPmemUserData();
        }
    }

    /// <summary>A section of boot memory that pmem shares tells nothing of the pmem in it.</summary>
    [Theory]
    [InlineData(CoreProducer.FileLoad)]
    [InlineData(CoreProducer.Qemu)]
    public void SectionsSharedWithRamDoNotHidePmem(CoreProducer producer)
    {
        var machine = new SyntheticMachine();
        machine.AddRam(0x100000, 63 * MiB).AddRam(Machines.PmemBase, 130 * MiB);
        PmemRegion region = machine.AddPmem(Machines.PmemBase + (130 * MiB), 400 * MiB);
        region.AddNamespace(0, 382 * MiB);
        CoreImage core = machine.Core(new() { Producer = producer, Pmem = PmemSegments.WholeRegionsUnmarked });
        WrittenDump dump = WrittenDump.Of(core, 1);
        dump.AssertNoPmemUserData();
        new DumpOracle(machine, core, 1).CheckKdump(dump, contents: false);
    }

    [Fact]
    public void RangesOfTheUserTellWhatNothingElseDoes()
    {
        (SyntheticMachine machine, PmemRegion region) = Machines.WithPmem(64 * MiB);
        region.AddNamespace(0, 48 * MiB, new() { Mode = SyntheticPmemMode.Raw });
        CoreImage core = machine.Core(new() { Pmem = PmemSegments.WholeRegionsUnmarked });
        WrittenDump dump = WrittenDump.Of(new CoreSource(core), new(), new() { PmemRanges = [new(Machines.PmemBase, Machines.PmemBase + (64 * MiB))] });
        new DumpOracle(machine, core, 0).CheckKdump(dump, contents: false);
        dump.AssertNoPmemUserData();

        // Nobody knows: then it is RAM.
        Assert.True(WrittenDump.Of(core, 0).Contains(PageText.PmemCanary));
    }

    [Theory]
    [InlineData(0x10u)]
    [InlineData(0x0080_0000u)]
    public void WithoutVmcoreinfoTheFlagIsEnough(uint flag)
    {
        (SyntheticMachine machine, _) = Machines.WithNamespace(128 * MiB, new() { FakeInfoBlocksInData = true });
        CoreImage core = machine.Core(new() { Vmcoreinfo = false, PmemFlag = flag });
        foreach (DumpOutput output in Enum.GetValues<DumpOutput>())
        {
            WrittenDump dump = WrittenDump.Of(core, 0, output: output);
            dump.AssertNoPmemUserData();
            // No page of it can be proven to be metadata.
            var oracle = new DumpOracle(machine, core, 0) { Override = (pfn, v) => machine.IsPmem(pfn) ? ExpectedVerdict.PmemUserData : v };
            if (output == DumpOutput.Elf)
                oracle.CheckElf(dump);
            else
                oracle.CheckKdump(dump with { Report = dump.Report });
        }

        using CrashDump open = CrashDump.Open(new CoreSource(core));
        Assert.Throws<MissingInformationException>(() => new DumpRequest(open, new() { Level = DumpLevel.Free }));
        Assert.Contains(open.Pmem.Findings, f => f.ToString().Contains("left out", StringComparison.Ordinal));
    }

    [Fact]
    public void VmcoreinfoFromElsewhereIsAsGood()
    {
        (SyntheticMachine machine, _) = Machines.WithNamespace(128 * MiB);
        CoreImage core = machine.Core(new() { Vmcoreinfo = false });
        WrittenDump dump = WrittenDump.Of(new CoreSource(core), new() { Level = (DumpLevel)31 }, new()
        {
            VmcoreInfo = System.Text.Encoding.ASCII.GetBytes(machine.Vmcoreinfo),
        });
        new DumpOracle(machine, core, 31).CheckKdump(dump);
        using CrashDump again = dump.Open();
        Assert.Equal("6.1.0-synthetic", again.VmcoreInfo?.OsRelease);
    }

    /// <summary>QEMU, and a guest that gave no vmcoreinfo: only the info blocks are left.</summary>
    [Fact]
    public void InfoBlocksAreTheLastResort()
    {
        (SyntheticMachine machine, PmemRegion region) = Machines.WithPmem(256 * MiB);
        region.AddNamespace(0, 128 * MiB);
        region.AddNamespace(128 * MiB, 128 * MiB, new() { Mode = SyntheticPmemMode.DevDax, Map = SyntheticPmemMap.Mem });
        CoreImage core = machine.Core(new() { Vmcoreinfo = false, Producer = CoreProducer.Qemu });
        WrittenDump dump = WrittenDump.Of(core, 0);
        dump.AssertNoPmemUserData();
        new DumpOracle(machine, core, 0) { Override = (pfn, v) => machine.IsPmem(pfn) ? ExpectedVerdict.PmemUserData : v }.CheckKdump(dump);
        using CrashDump open = CrashDump.Open(new CoreSource(core));
        Assert.Contains(open.Pmem.Findings, f => f.ToString().Contains($"0x{Machines.PmemBase + 4096:x}", StringComparison.Ordinal));
    }

    /// <summary>dax/kmem: a section of a flagged PT_LOAD that is online is RAM.</summary>
    [Fact]
    public void RamThatPmemProvidesIsRam()
    {
        (SyntheticMachine machine, PmemRegion region) = Machines.WithPmem(512 * MiB);
        region.AddNamespace(0, 128 * MiB);
        region.AddNamespace(128 * MiB, 128 * MiB, new() { Mode = SyntheticPmemMode.DevDax, Map = SyntheticPmemMap.Mem, Align = 4096 });
        CoreImage core = machine.Core();
        var walker = new CoreWalker(core);
        ulong number = (Machines.PmemBase + (128 * MiB)) >> 27;
        ulong entry = walker.Walk(walker.VirtualWord(walker.Hex("SYMBOL(mem_section)") + (number / 256 * 8)) + (number % 256 * 16))!.Value;
        EditedCore edited = new EditedCore(core).WritePhysical64(entry, walker.PhysicalWord(entry) | 4);
        using CrashDump dump = CrashDump.Open(edited);
        var kmem = new PfnRange(number << 15, (number + 1) << 15);
        Assert.True(dump.Pmem.Pages.Intersect(kmem).IsEmpty);
        Assert.Equal((512ul - 128) * 256, dump.Pmem.Pages.PageCount);
        var window = new PlanWindow();
        new Classifiers(new DumpRequest(dump, new() { Level = (DumpLevel)31 })).Create().Classify(number, window);
        Assert.Equal(PlanWindow.Pages, PageBits.Count(window.Kept));
        new Classifiers(new DumpRequest(dump, new() { Level = (DumpLevel)31 })).Create().Classify(number + 1, window);
        Assert.Equal(0, PageBits.Count(window.Kept));
    }

    [Fact]
    public void TheNoteTellsWhenTheSegmentsAreGone()
    {
        (SyntheticMachine machine, PmemRegion region) = Machines.WithPmem(384 * MiB);
        region.AddNamespace(0, 256 * MiB);
        region.AddNamespace(256 * MiB, 64 * MiB, new() { Mode = SyntheticPmemMode.Raw });
        CoreImage core = machine.Core();
        using CrashDump raw = CrashDump.Open(new CoreSource(core));
        WrittenDump dump = WrittenDump.Of(core, 0);
        using CrashDump filtered = dump.Open();
        Assert.Equal([new PfnRange(Machines.PmemBase >> 12, (Machines.PmemBase + (384 * MiB)) >> 12)], raw.Pmem.Pages);
        Assert.Equal(raw.Pmem.Pages.ToArray(), filtered.Pmem.Pages.ToArray());
        Assert.Equal(raw.Pmem.Metadata.ToArray(), filtered.Pmem.Metadata.ToArray());
        Assert.Equal(raw.Pmem.Namespaces.Select(n => n.Range), filtered.Pmem.Namespaces.Select(n => n.Range));
        CountsNote? note = CountsNote.TryRead(filtered.NoteArea.Span, filtered.Notes);
        Assert.Equal(0u, note!.Level);
        Assert.Equal((ulong)machine.PmemMetadataPfns.Count, note.MetadataKept);
        Assert.Equal(dump.Report.Excluded[PageClass.PmemUserData], PageCounts.From(note.LeftOut)[PageClass.PmemUserData]);
    }
}
