using Vmcore.Testing;
using Vmcore.Tests.Synthetic;

namespace Vmcore.Tests.Dumping;

/// <summary>Small machines for dumps: what is large is only their address space.</summary>
internal static class Machines
{
    public const ulong MiB = 1ul << 20, GiB = 1ul << 30, PmemBase = 4 * GiB;

    /// <summary>72 MiB of RAM in three ranges, with a page of every kind.</summary>
    public static SyntheticMachine EveryKind(MachineOptions? options = null)
    {
        var machine = new SyntheticMachine(options ?? new());
        machine.AddRam(0x1000, 0x9ec00).AddRam(0x100000, (64 * MiB) - 0x100000).AddRam(192 * MiB, 8 * MiB);
        machine.Place(0x9f, PageKind.KernelData);
        SampleMachines.Fill(machine, 0x2000);
        return machine;
    }

    /// <summary>A machine with little RAM and a region of pmem, on which the caller puts namespaces.</summary>
    public static (SyntheticMachine Machine, PmemRegion Region) WithPmem(ulong length = 300 * MiB, MachineOptions? options = null, ulong start = PmemBase)
    {
        var machine = new SyntheticMachine(options ?? new());
        machine.AddRam(0x100000, 63 * MiB).PlaceMany(0x2000, 40, PageKind.Anonymous).Place(0x2400, PageKind.Free, 9);
        return (machine, machine.AddPmem(start, length));
    }

    /// <summary>A machine with one namespace.</summary>
    public static (SyntheticMachine Machine, SyntheticNamespace Space) WithNamespace(ulong length = 256 * MiB,
        PmemNamespaceOptions? space = null, MachineOptions? options = null)
    {
        (SyntheticMachine machine, PmemRegion region) = WithPmem(length + (44 * MiB), options);
        return (machine, region.AddNamespace(0, length, space));
    }

    public static byte[] Read(CoreImage core, ulong physical, int count)
    {
        CoreSegment segment = core.Segments.First(s => s.Physical <= physical && physical + (ulong)count <= s.Physical + s.FileSize);
        byte[] bytes = new byte[count];
        Assert.Equal(count, core.Read((long)(segment.Offset + (physical - segment.Physical)), bytes));
        return bytes;
    }
}
