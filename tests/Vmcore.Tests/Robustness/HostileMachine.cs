using System.Buffers.Binary;
using Vmcore.Formats.Elf;
using Vmcore.Testing;

namespace Vmcore.Tests.Robustness;

/// <summary>A machine as small as one can be: 15 MiB of RAM with pages of many kinds, and a live namespace on 6 MiB of pmem.</summary>
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
        var machine = new SyntheticMachine(new() { Era = KernelEra.V6_1, RfcList = true, KernelPhysicalStart = 2 * MiB });
        machine.AddRam(0x1000, 0x9ec00).AddRam(MiB, 15 * MiB);
        machine.Place(0x800, PageKind.AnonHuge).Place(0xa00, PageKind.Free, 8)
            .PlaceMany(0xb00, 20, PageKind.PageCache).PlaceMany(0xb20, 20, PageKind.Anonymous).PlaceMany(0xb40, 4, PageKind.Slab, 3)
            .PlaceMany(0xb80, 8, PageKind.PageTable).PlaceMany(0xb90, 3, PageKind.HwPoison).PlaceMany(0xba0, 8, PageKind.Free, 2);
        machine.AddPmem(4096 * MiB, 6 * MiB).AddNamespace(0, 6 * MiB);
        return machine;
    }
}
