using Vmcore.Compression;
using Vmcore.Dumping;
using Vmcore.Formats.Kdump;
using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Ranges;
using Vmcore.Testing;
using Vmcore.Tests.Synthetic;

namespace Vmcore.Tests.Dumping;

/// <summary>What an analysis needs first is written first, and nothing else about the dump is different.</summary>
public sealed class WorthOrderTests
{
    [Fact]
    public void NoPageIsInTwoStages()
    {
        var order = new WorthOrder();
        order.Add([new(10, 20), new(5, 12)]);
        order.Add([new(0, 30)]);
        order.Add([new(12, 14)]);
        Assert.Equal(2, order.Stages.Count);
        Assert.Equal([new PfnRange(5, 20)], order.Stages[0]);
        Assert.Equal([new PfnRange(0, 5), new PfnRange(20, 30)], order.Stages[1]);
        Assert.Equal([new PfnRange(0, 30)], order.All);
    }

    /// <summary>Page tables and the memmap come before pages of the same machine that lie below them.</summary>
    [Theory]
    [InlineData(PageCodec.None)]
    [InlineData(PageCodec.Zlib)]
    public void StagesComeFirstInTheFile(PageCodec codec)
    {
        (SyntheticMachine machine, _) = Machines.WithNamespace();
        CoreImage core = machine.Core();
        using CrashDump raw = CrashDump.Open(new CoreSource(core));
        WorthOrder order = WorthFinder.Find(raw);
        Assert.NotEmpty(order.Stages);
        WrittenDump dump = WrittenDump.Of(new CoreSource(core), new() { Level = (DumpLevel)30, Codec = codec, Threads = 2 });
        using KdumpFile file = dump.OpenKdump();
        long last = 0;
        foreach (PfnRangeSet stage in order.Stages)
        {
            long highest = last;
            foreach (ulong pfn in stage.SelectMany(static r => Enumerable.Range(0, (int)r.Count).Select(i => r.Start + (ulong)i)))
            {
                if (!file.TryGetDescriptor(pfn, out PageDescriptor descriptor))
                    continue;
                Assert.True(descriptor.Offset > last, $"pfn 0x{pfn:x} comes too early");
                highest = Math.Max(highest, descriptor.Offset);
            }

            last = highest;
        }

        ulong[] others = [.. core.Pfns().Where(pfn => !order.All.Contains(pfn) && file.TryGetDescriptor(pfn, out _))];
        Assert.NotEmpty(others);
        Assert.All(others, pfn => Assert.True(file.TryGetDescriptor(pfn, out PageDescriptor d) && d.Offset > last));
        new DumpOracle(machine, core, 30).CheckKdump(dump);
    }

    /// <summary>A page table that is not there makes the order worse, and the dump no worse.</summary>
    [Fact]
    public void WhatCannotBeFoundIsNoFailure()
    {
        SyntheticMachine machine = Machines.EveryKind();
        CoreImage core = machine.Core();
        ulong root = new CoreWalker(core).Hex("SYMBOL(swapper_pg_dir)");
        ulong physical = new CoreWalker(core).Walk(root)!.Value;
        EditedCore edited = new EditedCore(core);
        foreach (ulong entry in (ReadOnlySpan<ulong>)[0x1fe, 0x1ff])
            edited.WritePhysical64(physical + (8 * entry), physical | 0x63);
        using CrashDump dump = CrashDump.Open(edited);
        using var sink = new MemorySink();
        Assert.Equal(DumpEnd.Complete, Dumper.Write(new(dump, new() { Threads = 1 }), sink, NoObserver.Instance).End);
        using KdumpFile file = KdumpFile.Open(new KdumpBytes(sink.ToArray(), "written"), PageCodecs.CreateDecompressor);
        byte[] page = new byte[4096];
        Assert.All(core.Pfns().Take(4096).Where(p => file.TryGetDescriptor(p, out _)), pfn => Assert.Equal(MemoryStatus.Ok, file.ReadPage(pfn, page)));
    }
}
