using Vmcore.Dumping;
using Vmcore.Formats.Elf;
using Vmcore.Testing;

namespace Vmcore.Tests.Dumping;

/// <summary>Cores as each producer writes them.</summary>
public sealed class DumpShapeTests
{
    public static TheoryData<CoreProducer, int, int> Shapes => new()
    {
        { CoreProducer.FileLoad, 0, 0 },
        { CoreProducer.KexecLoad, 3, 0 },
        { CoreProducer.Qemu, 0, 0 },
        { CoreProducer.Qemu, 2, 100 },
        { CoreProducer.KexecLoad, 0, 66000 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void EachShapeIsDumped(CoreProducer producer, int trimmed, int extra)
    {
        SyntheticMachine machine = Machines.EveryKind(new() { CrashKernel = (56 * Machines.MiB, 4 * Machines.MiB), KaslrOffset = 0x200000 });
        machine.AddPmem(Machines.PmemBase, 160 * Machines.MiB).AddNamespace(0, 128 * Machines.MiB);
        CoreImage core = machine.Core(new() { Producer = producer, TrimmedPages = trimmed, ExtraSegments = extra, Cpus = 4, OfflineCpus = [2] });
        foreach (int level in new[] { 0, 31 })
        {
            WrittenDump dump = WrittenDump.Of(core, level);
            new DumpOracle(machine, core, level).CheckKdump(dump);
            using CrashDump open = dump.Open();
            Assert.Equal(3, open.Kdump!.Header.CpuCount);
        }

        // With each of 66,000 pages twice it would only be large.
        if (extra > 1000)
            return;
        WrittenDump elf = WrittenDump.Of(core, 31, output: DumpOutput.Elf);
        new DumpOracle(machine, core, 31).CheckElf(elf);
        elf.AssertNoPmemUserData();
    }

    [Fact]
    public void SegmentsOfAnElfDumpKeepTheirAddresses()
    {
        SyntheticMachine machine = Machines.EveryKind();
        CoreImage core = machine.Core();
        using CrashDump dump = WrittenDump.Of(core, 31, output: DumpOutput.Elf).Open();
        foreach (CoreSegment s in core.Segments)
        {
            ulong end = s.Physical + s.MemorySize;
            ElfSegment[] parts = [.. dump.Loads.Where(l => l.VirtualAddress - l.PhysicalAddress == s.Virtual - s.Physical
                && l.PhysicalAddress >= s.Physical && l.PhysicalEnd <= end)];
            Assert.Equal(s.MemorySize, parts.Aggregate(0ul, (sum, p) => sum + p.MemorySize));
            Assert.All(parts, p => Assert.Equal(s.Flags, p.Flags));
            Assert.All(parts.Where(p => p.FileSize > 0), p => Assert.Equal((p.PhysicalAddress + ElfDataLayout.Shift) & 4095, p.Offset & 4095));
        }
    }
}
