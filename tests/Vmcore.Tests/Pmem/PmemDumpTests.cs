using Vmcore.Compression;
using Vmcore.Dumping;
using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Testing;
using Vmcore.Tests.Dumping;
using Vmcore.Tests.Synthetic;
using MemmapState = Vmcore.Pmem.MemmapState;

namespace Vmcore.Tests.Pmem;

/// <summary>Metadata of pmem stays, user data never gets in: every kind of namespace, in every state, in every format.</summary>
public sealed class PmemDumpTests
{
    private const ulong MiB = Machines.MiB;

    public static TheoryData<KernelEra> ErasWithParts => [KernelEra.V5_4, KernelEra.V6_1, KernelEra.V6_9, KernelEra.V7_1];

    [Theory]
    [MemberData(nameof(ErasWithParts))]
    public void AllNamespacesOfARegionAreToldApart(KernelEra era)
    {
        SyntheticMachine machine = EveryNamespace(new()
        {
            Era = era,
            KaslrOffset = 0x2a00000,
            PageOffsetBase = 0xffff8b5040000000,
            VmemmapBase = 0xffffeb4040000000,
        });
        CoreImage core = machine.Core();
        foreach (int level in new[] { 0, 31, 63 })
        {
            WrittenDump dump = WrittenDump.Of(core, level, PageCodec.Lzo);
            new DumpOracle(machine, core, level).CheckKdump(dump);
            dump.AssertNoPmemUserData();
        }

        WrittenDump elf = WrittenDump.Of(core, 0, output: DumpOutput.Elf);
        elf.AssertNoPmemUserData();
        if (era == KernelEra.V6_1)
            new DumpOracle(machine, core, 0).CheckElf(elf);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(32)]
    [InlineData(63)]
    public void ElfHoldsNoUserDataEither(int level)
    {
        SyntheticMachine machine = EveryNamespace(new() { Levels = 5, SmeMask = 1ul << 51 });
        CoreImage core = machine.Core();
        WrittenDump dump = WrittenDump.Of(core, level, output: DumpOutput.Elf);
        dump.AssertNoPmemUserData();
        new DumpOracle(machine, core, level).CheckElf(dump);
    }

    [Theory]
    [InlineData(SyntheticPmemMode.FsDax, SyntheticPmemMap.Dev, SyntheticPmemState.Live, 256, 0u)]
    [InlineData(SyntheticPmemMode.FsDax, SyntheticPmemMap.Dev, SyntheticPmemState.LiveInfoBlockLost, 256, 0u)]
    [InlineData(SyntheticPmemMode.FsDax, SyntheticPmemMap.Dev, SyntheticPmemState.MemmapOverwritten, 128, 0u)]
    [InlineData(SyntheticPmemMode.FsDax, SyntheticPmemMap.Dev, SyntheticPmemState.Destroyed, 128, 0u)]
    [InlineData(SyntheticPmemMode.FsDax, SyntheticPmemMap.Dev, SyntheticPmemState.Live, 112, 0u)]
    [InlineData(SyntheticPmemMode.FsDax, SyntheticPmemMap.Dev, SyntheticPmemState.Live, 192, 0u)]
    [InlineData(SyntheticPmemMode.FsDax, SyntheticPmemMap.Mem, SyntheticPmemState.Live, 128, 0u)]
    [InlineData(SyntheticPmemMode.FsDax, SyntheticPmemMap.Mem, SyntheticPmemState.LiveInfoBlockLost, 128, 0u)]
    [InlineData(SyntheticPmemMode.DevDax, SyntheticPmemMap.Dev, SyntheticPmemState.Live, 256, 0u)]
    [InlineData(SyntheticPmemMode.DevDax, SyntheticPmemMap.Mem, SyntheticPmemState.Live, 128, 0u)]
    [InlineData(SyntheticPmemMode.Raw, SyntheticPmemMap.Dev, SyntheticPmemState.Live, 128, 0u)]
    [InlineData(SyntheticPmemMode.Sector, SyntheticPmemMap.Dev, SyntheticPmemState.Live, 128, 0u)]
    [InlineData(SyntheticPmemMode.FsDax, SyntheticPmemMap.Dev, SyntheticPmemState.Live, 256, 2u << 20)]
    [InlineData(SyntheticPmemMode.FsDax, SyntheticPmemMap.Dev, SyntheticPmemState.Live, 258, 2u << 20)]
    public void EachNamespaceIsExact(SyntheticPmemMode mode, SyntheticPmemMap map, SyntheticPmemState state, int size, uint startPad)
    {
        (SyntheticMachine machine, _) = Machines.WithNamespace((ulong)size * MiB, new()
        {
            Mode = mode,
            Map = map,
            State = state,
            StartPad = startPad,
            StaleReserve = true,
        });
        CoreImage core = machine.Core();
        foreach (int level in new[] { 0, 31, 32 })
        {
            WrittenDump dump = WrittenDump.Of(core, level);
            new DumpOracle(machine, core, level).CheckKdump(dump, contents: level == 0);
            dump.AssertNoPmemUserData();
        }

        using CrashDump open = CrashDump.Open(new CoreSource(core));
        Assert.Equal(machine.PmemMetadataPfns, open.Pmem.Metadata.SelectMany(r => Enumerable.Range(0, (int)r.Count).Select(i => r.Start + (ulong)i)));
    }

    /// <summary>Images of info blocks in files make no metadata, also where the real block is lost.</summary>
    [Theory]
    [InlineData(SyntheticPmemState.Live, SyntheticPmemMap.Dev)]
    [InlineData(SyntheticPmemState.LiveInfoBlockLost, SyntheticPmemMap.Dev)]
    [InlineData(SyntheticPmemState.Destroyed, SyntheticPmemMap.Dev)]
    [InlineData(SyntheticPmemState.MemmapOverwritten, SyntheticPmemMap.Dev)]
    [InlineData(SyntheticPmemState.Live, SyntheticPmemMap.Mem)]
    [InlineData(SyntheticPmemState.LiveInfoBlockLost, SyntheticPmemMap.Mem)]
    public void InfoBlocksInUserDataAreUserData(SyntheticPmemState state, SyntheticPmemMap map)
    {
        (SyntheticMachine machine, _) = Machines.WithNamespace(256 * MiB, new() { State = state, Map = map, FakeInfoBlocksInData = true });
        CoreImage core = machine.Core();
        WrittenDump dump = WrittenDump.Of(core, 0);
        new DumpOracle(machine, core, 0).CheckKdump(dump, contents: false);
        dump.AssertNoPmemUserData();
    }

    [Theory]
    [InlineData(CoreProducer.FileLoad, PmemSegments.None)]
    [InlineData(CoreProducer.Qemu, PmemSegments.None)]
    [InlineData(CoreProducer.FileLoad, PmemSegments.MetadataOnly)]
    [InlineData(CoreProducer.KexecLoad, PmemSegments.MetadataOnly)]
    public void SegmentsMayHoldLess(CoreProducer producer, PmemSegments segments)
    {
        SyntheticMachine machine = EveryNamespace(new());
        CoreImage core = machine.Core(new() { Producer = producer, Pmem = segments });
        foreach (int level in new[] { 0, 31 })
        {
            WrittenDump dump = WrittenDump.Of(core, level);
            new DumpOracle(machine, core, level).CheckKdump(dump);
            dump.AssertNoPmemUserData();
        }
    }

    /// <summary>A namespace that was made anew on used media: the kernel leaves two struct pages as they were.</summary>
    [Theory]
    [InlineData(SyntheticPmemState.Live, DumpOutput.Kdump)]
    [InlineData(SyntheticPmemState.Live, DumpOutput.Elf)]
    [InlineData(SyntheticPmemState.LiveInfoBlockLost, DumpOutput.Kdump)]
    public void WhatTheKernelNeverWroteOfTheMemmapIsZero(SyntheticPmemState state, DumpOutput output)
    {
        (SyntheticMachine machine, SyntheticNamespace space) = Machines.WithNamespace(256 * MiB, new() { State = state });
        CoreImage core = machine.Core();
        var walker = new CoreWalker(core);
        var edited = new EditedCore(core);
        ulong first = space.MappedStart >> 12,
            mark = System.Buffers.Binary.BinaryPrimitives.ReadUInt64LittleEndian([.. PageText.PmemStale.Take(8).Select(c => (byte)c)]);
        foreach (ulong pfn in new[] { first, first + 1 })
        {
            for (ulong at = 0; at < 64; at += 8)
                edited.WritePhysical64(walker.Walk(walker.PageAddress(pfn))!.Value + at, mark);
        }

        byte[] canary = BitConverter.GetBytes(mark);
        foreach (int level in new[] { 0, 31 })
        {
            WrittenDump dump = WrittenDump.Of(edited, new() { Level = (DumpLevel)level, Output = output, Threads = 1 });
            Assert.True(dump.Bytes.AsSpan().IndexOf(canary) < 0, "Old content of the media is in the file.");
            using CrashDump open = dump.Open();
            byte[] page = new byte[4096];
            Assert.Equal(MemoryStatus.Ok, open.Memory.ReadPage(space.MemmapPfns[0], page));
            Assert.True(page.AsSpan(0, 128).IndexOfAnyExcept((byte)0) < 0);
            Assert.True(page.AsSpan(128, 64).IndexOfAnyExcept((byte)0) >= 0, "The struct page behind is the kernel's.");
        }
    }

    [Fact]
    public void MemmapWrittenByTheCaptureKernelIsReported()
    {
        (SyntheticMachine machine, SyntheticNamespace space) = Machines.WithNamespace(256 * MiB, new() { State = SyntheticPmemState.MemmapOverwritten });
        using CrashDump dump = CrashDump.Open(new CoreSource(machine.Core()));
        Assert.Contains(dump.Pmem.Findings,
            f => f.ToString().Contains("written anew", StringComparison.Ordinal) && f.ToString().Contains($"0x{space.Start:x}", StringComparison.Ordinal));
        Assert.Equal(MemmapState.Overwritten, Assert.Single(dump.Pmem.Namespaces).State);
        (SyntheticMachine live, _) = Machines.WithNamespace(256 * MiB);
        using CrashDump good = CrashDump.Open(new CoreSource(live.Core()));
        Assert.Empty(good.Pmem.Findings);
        Assert.Equal(MemmapState.Complete, Assert.Single(good.Pmem.Namespaces).State);
    }

    /// <summary>Only the one option puts user data in.</summary>
    [Fact]
    public void UserDataGetsInOnlyWhereAskedFor()
    {
        (SyntheticMachine machine, PmemRegion region) = Machines.WithPmem(136 * MiB);
        region.AddNamespace(0, 128 * MiB);
        CoreImage core = machine.Core();
        WrittenDump all = WrittenDump.Of(new CoreSource(core), new() { IncludePmemUserData = true, Codec = PageCodec.Lzo });
        var keepAll = new DumpOracle(machine, core, 0) { Override = (_, v) => v == ExpectedVerdict.PmemUserData ? ExpectedVerdict.Keep : v };
        keepAll.CheckKdump(all);
        WrittenDump without = WrittenDump.Of(new CoreSource(core), new() { IncludePmemUserData = true, Codec = PageCodec.Lzo, Level = (DumpLevel)62 });
        new DumpOracle(machine, core, 62) { Override = (_, v) => v == ExpectedVerdict.PmemUserData ? ExpectedVerdict.Keep : v }
            .CheckKdump(without, contents: false);
        Assert.Equal(0ul, all.Report.Excluded[PageClass.PmemUserData]);
        Assert.Equal((ulong)machine.PmemMetadataPfns.Count, without.Report.Excluded[PageClass.PmemMetadata]);

        // A filter of that dump drops it again.
        WrittenDump.Of(all.Open(), new()).AssertNoPmemUserData();
    }

    /// <summary>What a free block of RAM claims of pmem does not count, and a stale struct page of pmem claims nothing of anything.</summary>
    [Fact]
    public void BlocksEndWherePmemBegins()
    {
        var machine = new SyntheticMachine();
        const ulong Edge = Machines.PmemBase + (62 * MiB);
        machine.AddRam(0x100000, 63 * MiB).AddRam(Machines.PmemBase, 62 * MiB);
        const ulong Block = (Edge >> 12) - 512;
        machine.Place(Block, PageKind.Free, 9);
        machine.AddPmem(Edge, 194 * MiB).AddNamespace(0, 194 * MiB, new() { StaleReserve = true });
        CoreImage core = machine.Core();
        var walker = new Synthetic.CoreWalker(core);
        EditedCore edited = new EditedCore(core).WritePhysical64(walker.Walk(walker.PageAddress(Block) + 40)!.Value, 10);
        WrittenDump dump = WrittenDump.Of(edited, new() { Level = (DumpLevel)31 });
        new DumpOracle(machine, core, 31).CheckKdump(dump, contents: false);
        dump.AssertNoPmemUserData();
    }

    private static SyntheticMachine EveryNamespace(MachineOptions options)
    {
        (SyntheticMachine machine, PmemRegion region) = Machines.WithPmem(1280 * MiB, options);
        region.AddNamespace(0, 256 * MiB, new() { StaleReserve = true, FakeInfoBlocksInData = true });
        region.AddNamespace(256 * MiB, 128 * MiB, new() { Mode = SyntheticPmemMode.DevDax });
        region.AddNamespace(384 * MiB, 128 * MiB, new() { Map = SyntheticPmemMap.Mem });
        region.AddNamespace(512 * MiB, 64 * MiB, new() { Mode = SyntheticPmemMode.Raw });
        region.AddNamespace(576 * MiB, 64 * MiB, new() { Mode = SyntheticPmemMode.Sector });
        region.AddNamespace(640 * MiB, 128 * MiB, new() { State = SyntheticPmemState.Destroyed });
        region.AddNamespace(768 * MiB, 128 * MiB, new() { State = SyntheticPmemState.LiveInfoBlockLost });
        region.AddNamespace(896 * MiB, 128 * MiB, new() { State = SyntheticPmemState.MemmapOverwritten, Mode = SyntheticPmemMode.DevDax });
        region.AddNamespace(1024 * MiB, 192 * MiB, new() { MinorVersion = 1 });
        return machine;
    }
}
