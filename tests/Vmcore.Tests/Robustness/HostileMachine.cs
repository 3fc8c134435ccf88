using System.Buffers.Binary;
using Vmcore.Formats.Elf;
using Vmcore.Testing;
using Vmcore.Tests.Synthetic;

namespace Vmcore.Tests.Robustness;

/// <summary>A machine as small as one can be: 46 MiB of RAM with a page of every kind, and a live namespace on pmem.</summary>
internal static class HostileMachine
{
    private const ulong MiB = 1 << 20;
    private static readonly Lazy<SyntheticMachine> s_machine = new(Create);
    private static readonly Lazy<byte[]> s_core = new(() => s_machine.Value.ToElf());

    public static SyntheticMachine Machine => s_machine.Value;

    /// <summary>The vmcore, a new copy each time.</summary>
    public static HostileSource Open() => new((byte[])s_core.Value.Clone());

    /// <summary>File offset and count of the program headers.</summary>
    public static (int Offset, int Count) ProgramHeaders(ReadOnlySpan<byte> core) =>
        ((int)BinaryPrimitives.ReadUInt64LittleEndian(core[32..]), BinaryPrimitives.ReadUInt16LittleEndian(core[56..]));

    /// <summary>File offset of a physical address.</summary>
    public static int FileOffset(ElfCoreFile file, ulong physical)
    {
        ElfSegment load = file.Loads.First(l => l.PhysicalAddress <= physical && physical < l.PhysicalAddress + l.FileSize);
        return (int)(load.Offset + (physical - load.PhysicalAddress));
    }

    private static SyntheticMachine Create()
    {
        var machine = new SyntheticMachine(new() { Era = KernelEra.V6_1, RfcList = true });
        machine.AddRam(0x1000, 0x9ec00).AddRam(MiB, 47 * MiB);
        SampleMachines.Fill(machine, 0x1800);
        machine.AddPmem(4096 * MiB, 16 * MiB).AddNamespace(0, 12 * MiB);
        return machine;
    }
}
