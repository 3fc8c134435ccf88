using Vmcore.Pmem.Usage;
using Vmcore.Ranges;
using Vmcore.Testing;
using Vmcore.Tests.Dumping;

namespace Vmcore.Tests.Pmem;

/// <summary>The struct pages of a synthetic namespace, of which every one is known.</summary>
public sealed class UsageScanTests
{
    private const ulong Mapping = 0xffff888001234500;

    [Fact]
    public void EveryMappedPageIsFound()
    {
        (SyntheticMachine machine, SyntheticNamespace space) = Machines.WithNamespace();
        space.MapFile(100, 5000, Mapping, 7).MapFile(9000, 1, Mapping + 0x400, 0).MapFile(5100, 20, Mapping, 90000).MapFile(20000, 1, 1, 3);
        using CrashDump dump = CrashDump.Open(new CoreSource(machine.Core()));
        NamespaceUsage usage = Assert.Single(dump.CollectPmemUsage().Namespaces);
        Assert.Equal((space.DataPages, 5021UL, 1UL), (usage.Counts.Total, usage.Counts.Mapped, usage.Counts.Shared));
        Assert.Equal(usage.Counts.Total, usage.Counts.Idle + usage.Counts.Mapped + usage.Counts.Shared);
        Assert.Equal([new(7, space.DataPfn + 100, 5000), new DaxRun(90000, space.DataPfn + 5100, 20)], usage.Mappings[Mapping].Runs);
        Assert.Equal(1UL, usage.Mappings[Mapping + 0x400].Pages);
        Assert.Equal([new SharedRun(new PfnRange(space.DataPfn + 20000, space.DataPfn + 20001), 3)], usage.Shared);
        Assert.Equal(space.PgmapAddress, usage.PageMapAddress);
    }

    [Fact]
    public void ACompoundPageOfADeviceIsMappedAsAWhole()
    {
        (SyntheticMachine machine, SyntheticNamespace space) = Machines.WithNamespace(space: new() { Mode = SyntheticPmemMode.DevDax });
        using CrashDump dump = CrashDump.Open(new CoreSource(machine.Core()));
        NamespaceUsage usage = Assert.Single(dump.CollectPmemUsage().Namespaces);
        Assert.Equal(space.DataPages, usage.Counts.Total);
        Assert.Equal(usage.Counts.Total, usage.Counts.Idle);
    }

    [Fact]
    public void WhatReachesOverSlicesIsOnePiece()
    {
        // Slices end at multiples of 65536 pages.
        var machine = new SyntheticMachine(new());
        machine.AddRam(0x100000, 256 << 20);
        SyntheticNamespace space = machine.AddPmem(4ul << 30, 1ul << 30).AddNamespace(0, 1ul << 30);
        ulong boundary = ((space.DataPfn >> 16) + 1 << 16) - space.DataPfn;
        space.MapFile(boundary - 100, 200, Mapping, 5).MapFile(boundary + 65536 - 3, 1, 1, 2).MapFile(boundary + 65536 - 2, 4, 1, 2);
        using CrashDump dump = CrashDump.Open(new CoreSource(machine.Core()));
        List<(ulong Done, ulong Total)> told = [];
        NamespaceUsage usage = Assert.Single(dump.CollectPmemUsage(progress: (done, total) => told.Add((done, total))).Namespaces);
        Assert.Equal([new DaxRun(5, space.DataPfn + boundary - 100, 200)], usage.Mappings[Mapping].Runs);
        ulong shared = space.DataPfn + boundary + 65536 - 3;
        Assert.Equal([new SharedRun(new(shared, shared + 5), 2)], usage.Shared);
        Assert.Equal((space.DataPages, space.DataPages - 205), (usage.Counts.Total, usage.Counts.Idle));
        Assert.Equal((space.DataPages, space.DataPages), told[^1]);
        Assert.Equal(told.Order(), told);
    }

    [Fact]
    public void FiveLevelsOfPageTablesHaveOtherAddresses()
    {
        const ulong Object = 0xff11000001234500;
        var machine = new SyntheticMachine(new() { Levels = 5 });
        machine.AddRam(0x100000, 256 << 20);
        SyntheticNamespace space = machine.AddPmem(4ul << 30, 256 << 20).AddNamespace(0, 256 << 20);
        space.MapFile(100, 50, Object, 7);
        using CrashDump dump = CrashDump.Open(new CoreSource(machine.Core()));
        NamespaceUsage usage = Assert.Single(dump.CollectPmemUsage().Namespaces);
        Assert.Equal((space.DataPages, space.DataPages - 50, 50UL), (usage.Counts.Total, usage.Counts.Idle, usage.Counts.Mapped));
        Assert.Equal([new DaxRun(7, space.DataPfn + 100, 50)], usage.Mappings[Object].Runs);
    }

    [Fact]
    public void StructuresThatAreNotThereAreCountedAsSuch()
    {
        (SyntheticMachine machine, SyntheticNamespace space) = Machines.WithNamespace();
        using CrashDump dump = CrashDump.Open(new CoreSource(machine.Core(new() { Pmem = PmemSegments.None })));
        UsageScan scan = dump.CollectPmemUsage(scanPages: false).Scan!;
        NamespaceUsage usage = scan.Run(new() { Range = new(space.Start, space.End + (64ul << 30)) });
        Assert.Equal((space.Length >> 12) + (16ul << 20), usage.Counts.Total);
        Assert.Equal((space.Length >> 12, 16ul << 20), (usage.Counts.Unreadable, usage.Counts.WithoutStruct));
    }

    [Fact]
    public void SinglePagesAgreeWithTheScan()
    {
        (SyntheticMachine machine, SyntheticNamespace space) = Machines.WithNamespace();
        space.MapFile(100, 50, Mapping, 7);
        using CrashDump dump = CrashDump.Open(new CoreSource(machine.Core()));
        UsageScan scan = dump.CollectPmemUsage(scanPages: false).Scan!;
        Assert.True(scan.TryReadPage(space.DataPfn + 110, out DaxPage page, out ulong head, out int order));
        Assert.Equal((DaxPageState.Mapped, Mapping, 17UL, space.DataPfn + 110, 0), (page.State, page.Mapping, page.Index, head, order));
        Assert.True(scan.TryReadPage(space.DataPfn + 150, out page, out _, out _));
        Assert.Equal(DaxPageState.Idle, page.State);
    }
}
