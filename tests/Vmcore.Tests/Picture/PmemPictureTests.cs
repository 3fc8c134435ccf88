using Vmcore.Picture;
using Vmcore.Pmem.Usage;
using Vmcore.Ranges;
using Vmcore.Testing;
using Vmcore.Tests.Dumping;

namespace Vmcore.Tests.Picture;

/// <summary>The picture of pmem on synthetic machines, of which every page is known.</summary>
public sealed class PmemPictureTests
{
    private const ulong Mapping = 0xffff888001234500;

    [Fact]
    public void EachPageIsDrawnAsWhatItIs()
    {
        (SyntheticMachine machine, SyntheticNamespace space) = Machines.WithNamespace();
        space.MapFile(100, 5000, Mapping, 7).MapFile(20000, 3, 1, 2);
        using CrashDump dump = CrashDump.Open(new CoreSource(machine.Core()));
        PmemPicture picture = PmemPictureBuilder.Build(dump);
        PmemPictureArea area = Assert.Single(picture.Areas, a => a.Namespace is not null);
        var mapped = new PfnRange(space.DataPfn + 100, space.DataPfn + 5100);
        var shared = new PfnRange(space.DataPfn + 20000, space.DataPfn + 20003);
        Assert.Equal((5000UL, 3UL, space.DataPages - 5003),
            (area.Total(PmemPictureClass.Mapped), area.Total(PmemPictureClass.Shared), area.Total(PmemPictureClass.Idle)));
        Assert.Equal((ulong)space.MemmapPfns.Count + 1, area.Total(PmemPictureClass.Metadata));
        Assert.Equal((space.DataOffset >> 12) - (ulong)space.MemmapPfns.Count - 1, area.Total(PmemPictureClass.Reserved));
        for (int cell = 0; cell < area.CellCount; cell++)
        {
            PfnRange pages = area.CellPages(cell);
            Assert.Equal(pages.Intersect(mapped).Count, area[cell, PmemPictureClass.Mapped]);
            Assert.Equal(pages.Intersect(shared).Count, area[cell, PmemPictureClass.Shared]);
            Assert.Equal(pages.Count, Enum.GetValues<PmemPictureClass>().Aggregate(0UL, (sum, kind) => sum + area[cell, kind]));
        }

        NamespaceUsage usage = Assert.Single(dump.CollectPmemUsage().Namespaces);
        Assert.Equal((usage.Counts.Idle, usage.Counts.Mapped, usage.Counts.Shared),
            (area.Total(PmemPictureClass.Idle), area.Total(PmemPictureClass.Mapped), area.Total(PmemPictureClass.Shared)));
        Assert.Empty(picture.BadBlocks.Ranges);
    }

    /// <summary>The memmap is not in the dump, was written anew, or there is none: nothing is idle, as far as anybody knows.</summary>
    [Theory]
    [InlineData(SyntheticPmemState.Live, true)]
    [InlineData(SyntheticPmemState.MemmapOverwritten, false)]
    [InlineData(SyntheticPmemState.Destroyed, false)]
    public void WhatIsNotKnownIsNotIdle(SyntheticPmemState state, bool withoutPmem)
    {
        (SyntheticMachine machine, SyntheticNamespace space) = Machines.WithNamespace(space: new() { State = state });
        space.MapFile(100, 50, Mapping, 7);
        using CrashDump dump = CrashDump.Open(new CoreSource(machine.Core(withoutPmem ? new() { Pmem = PmemSegments.None } : null)));
        PmemPicture picture = PmemPictureBuilder.Build(dump);
        Assert.All(picture.Areas, a => Assert.Equal((0UL, 0UL), (a.Total(PmemPictureClass.Idle), a.Total(PmemPictureClass.Mapped))));
        if (state == SyntheticPmemState.MemmapOverwritten)
            Assert.Equal(space.DataPages, Assert.Single(picture.Areas, a => a.Namespace is not null).Total(PmemPictureClass.Unknown));
    }

    [Fact]
    public void AMachineWithoutPmemHasNoPictureOfIt()
    {
        var machine = new SyntheticMachine(new());
        machine.AddRam(0x100000, 127 << 20);
        using CrashDump dump = CrashDump.Open(new CoreSource(machine.Core()));
        Assert.Empty(PmemPictureBuilder.Build(dump).Areas);
    }

    /// <summary>Terabytes have larger cells, not more of them, and a small namespace beside them has cells of its own.</summary>
    [Fact]
    public void AHugeMachineHasAPictureOfTheSameSize()
    {
        const ulong TiB = 1UL << 40;
        var machine = new SyntheticMachine(new());
        machine.AddRam(0x100000, 127 << 20);
        machine.AddPmem(4UL << 30, 256 << 20).AddNamespace(0, 128 << 20);
        machine.AddPmem(TiB, 2 * TiB);
        using CrashDump dump = CrashDump.Open(new CoreSource(machine.Core()));
        PmemPicture picture = PmemPictureBuilder.Build(dump);
        Assert.InRange(picture.Areas.Sum(a => a.CellCount), 1000, (1 << 12) + (128 * 128));
        Assert.InRange(Assert.Single(picture.Areas, a => a.Namespace is not null).CellCount, 64, 128);
        Assert.Equal(dump.Pmem.Pages.PageCount, picture.Areas.Aggregate(0UL, (sum, a) => sum + a.Pages.Count));
    }
}
