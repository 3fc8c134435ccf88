using Vmcore.Memory;
using Vmcore.Pmem.Usage;
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
        (SyntheticMachine machine, Testing.PmemNamespace space) = Machines.WithNamespace();
        space.MapFile(100, 5000, Mapping, 7).MapFile(9000, 1, Mapping + 0x400, 0).MapFile(5100, 20, Mapping, 90000).MapFile(20000, 1, 1, 3);
        using CrashDump dump = CrashDump.Open(new CoreSource(machine.Core()));
        NamespaceUsage usage = Assert.Single(PmemUsage.Collect(dump).Namespaces);
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
        (SyntheticMachine machine, Testing.PmemNamespace space) = Machines.WithNamespace(space: new() { Mode = Testing.PmemMode.DevDax });
        using CrashDump dump = CrashDump.Open(new CoreSource(machine.Core()));
        NamespaceUsage usage = Assert.Single(PmemUsage.Collect(dump).Namespaces);
        Assert.Equal(space.DataPages, usage.Counts.Total);
        Assert.Equal(usage.Counts.Total, usage.Counts.Idle);
    }

    [Fact]
    public void SinglePagesAgreeWithTheScan()
    {
        (SyntheticMachine machine, Testing.PmemNamespace space) = Machines.WithNamespace();
        space.MapFile(100, 50, Mapping, 7);
        using CrashDump dump = CrashDump.Open(new CoreSource(machine.Core()));
        UsageScan scan = PmemUsage.Collect(dump, scanPages: false).Scan!;
        Assert.True(scan.TryReadPage(space.DataPfn + 110, out DaxPage page, out ulong head, out int order));
        Assert.Equal((DaxPageState.Mapped, Mapping, 17UL, space.DataPfn + 110, 0), (page.State, page.Mapping, page.Index, head, order));
        Assert.True(scan.TryReadPage(space.DataPfn + 150, out page, out _, out _));
        Assert.Equal(DaxPageState.Idle, page.State);
    }
}
