using Vmcore.Dumping;
using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Ranges;
using Vmcore.Testing;

namespace Vmcore.Tests.Dumping;

/// <summary>
/// Memory of which a program header says that it exists, and of which the file has nothing: one step, however large. What the kernel has a struct page for
/// stays known in a dump; what only the header claims takes no room in it.
/// </summary>
public sealed class ClaimedMemoryTests
{
    private const ulong Most = 1UL << 45, WindowBytes = (ulong)PlanWindow.Pages << 12;

    /// <summary>One field of a header, of RAM or of pmem: the work and the dump stay those of what there is.</summary>
    [Theory]
    [InlineData(false, DumpOutput.Kdump)]
    [InlineData(false, DumpOutput.Elf)]
    [InlineData(true, DumpOutput.Kdump)]
    [InlineData(true, DumpOutput.Elf)]
    public void ThirtyTwoTebibytesOfNothingAreOneStep(bool isPmem, DumpOutput output)
    {
        CoreImage core = Machine().Core();
        EditedCore edited = Claim(core, isPmem ? 4096 * Machines.MiB : Machines.MiB, Most);
        var options = new DumpOptions { Level = (DumpLevel)31, Output = output, Threads = 1 };
        using CrashDump dump = CrashDump.Open(edited);
        WindowRun[] runs = [.. new DumpRequest(dump, options).Runs()];
        Assert.InRange(runs.Length, 1, 200);
        Assert.All(runs.Zip(runs.Skip(1)), pair => Assert.True(pair.First.EndPfn <= pair.Second.FirstPfn));
        WrittenDump written = WrittenDump.Of(dump, options), sound = WrittenDump.Of(core, 31, output: output);
        Assert.InRange(written.Bytes.Length, 1, sound.Bytes.Length + (64 << 10));
        Assert.Equal(Pages(sound), Pages(written));
    }

    /// <summary>Without vmcoreinfo there is no memmap to ask: a claim of more than 1 TiB is not believed, one of less is.</summary>
    [Theory]
    [InlineData(1UL << 33, MemoryStatus.Excluded)]
    [InlineData(1UL << 44, MemoryStatus.Hole)]
    public void WithoutAMemmapSmallClaimsAreBelieved(ulong bytes, MemoryStatus expected)
    {
        CoreImage core = Machine().Core(new() { Vmcoreinfo = false });
        using CrashDump dump = CrashDump.Open(Claim(core, Machines.MiB, bytes));
        using CrashDump written = WrittenDump.Of(dump, new() { Threads = 1 }).Open();
        Assert.Equal(expected, written.Unfiltered.ReadPage((bytes - WindowBytes) >> 12, new byte[4096]));
    }

    /// <summary>RAM that an earlier filtering left out, and that the kernel knows of, is still known to exist after the next one.</summary>
    [Fact]
    public void WhatTheKernelKnowsStaysKnown()
    {
        SyntheticMachine machine = new SyntheticMachine(new() { Era = KernelEra.V6_1 }).AddRam(Machines.MiB, 63 * Machines.MiB)
            .AddRam(Machines.GiB, Machines.GiB);
        machine.Place(Machines.GiB >> 12, PageKind.Free, 10);
        CoreImage core = machine.Core();
        // The kernel's own lie at the top.
        const ulong Kept = 4 * Machines.MiB, Top = 256 * Machines.MiB, Absent = Machines.GiB - Kept - Top;
        EditedCore edited = new(core);
        edited.SetSegments([.. edited.Segments.SelectMany(s => s.Physical != Machines.GiB ? [s] : (CoreSegment[])
        [
            s with { FileSize = Kept, MemorySize = Kept + Absent },
            s with
            {
                Physical = s.Physical + Kept + Absent, Virtual = s.Virtual + Kept + Absent, Offset = s.Offset + Kept + Absent, FileSize = Top, MemorySize = Top,
            },
        ])]);
        using CrashDump dump = CrashDump.Open(edited);
        var request = new DumpRequest(dump, new() { Level = DumpLevel.Free, Threads = 1 });
        Assert.Contains(request.Runs(), r => r.Kind == WindowKind.Absent);
        Assert.DoesNotContain(request.Runs(), r => r.Kind == WindowKind.Claimed);
        WrittenDump written = WrittenDump.Of(dump, request.Options);
        using CrashDump again = written.Open();
        Assert.Equal(dump.Memory.MaxPfn, again.Memory.MaxPfn);
        Assert.Equal(MemoryStatus.Excluded, again.Unfiltered.ReadPage(((Machines.GiB + Kept + Absent) >> 12) - 1, new byte[4096]));
        Assert.Equal(Absent >> 12, written.Report.MissingInInput);
    }

    private static SyntheticMachine Machine()
    {
        SyntheticMachine machine = new SyntheticMachine(new() { Era = KernelEra.V6_1 }).AddRam(Machines.MiB, 63 * Machines.MiB);
        machine.PlaceMany(0x3000, 20, PageKind.Anonymous).AddPmem(4096 * Machines.MiB, 16 * Machines.MiB).AddNamespace(0, 12 * Machines.MiB);
        return machine;
    }

    private static EditedCore Claim(CoreImage core, ulong physical, ulong bytes)
    {
        EditedCore edited = new(core);
        Assert.Contains(edited.Segments, s => s.Physical == physical);
        return edited.SetSegments([.. edited.Segments.Select(s => s.Physical == physical ? s with { MemorySize = bytes } : s)]);
    }

    private static List<ulong> Pages(WrittenDump written)
    {
        using CrashDump dump = CrashDump.Open(new KdumpBytes(written.Bytes, "written"));
        List<ulong> pages = [];
        ulong[] exists = new ulong[PlanWindow.Words], present = new ulong[PlanWindow.Words];
        foreach (WindowRun run in new DumpRequest(dump, new()).Runs().Where(static r => r.IsMixed))
        {
            dump.Unfiltered.GetPages(run.FirstPfn, exists, present);
            for (int i = 0; (i = PageBits.NextSet(present, i)) < PlanWindow.Pages; i++)
                pages.Add(run.FirstPfn + (ulong)i);
        }

        return pages;
    }
}
