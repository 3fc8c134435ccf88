using Vmcore.Testing;

namespace Vmcore.Tests.Synthetic;

/// <summary>Machines with a page of every kind.</summary>
internal static class SampleMachines
{
    /// <summary>RAM of 192 MiB in two ranges with every kind of page; no pmem.</summary>
    public static SyntheticMachine EveryKind(MachineOptions options)
    {
        var machine = new SyntheticMachine(options);
        machine.AddRam(0x1000, 0x9ec00).AddRam(0x100000, (128ul << 20) - 0x100000).AddRam(192ul << 20, 64ul << 20);
        // makedumpfile never counts the partial page at 640 KiB as zero: something is in it.
        machine.Place(0x9f, PageKind.KernelData);
        Fill(machine, 0x3000);
        return machine;
    }

    /// <summary>Places every kind from a pfn on that is aligned to 2 MiB; needs 32 MiB.</summary>
    public static void Fill(SyntheticMachine machine, ulong at)
    {
        machine.Place(at, PageKind.Free, 10)
            .Place(at + 0x400, PageKind.AnonHuge)
            .Place(at + 0x600, PageKind.Hugetlb)
            .PlaceMany(at + 0x800, 100, PageKind.PageCache)
            .PlaceMany(at + 0x880, 50, PageKind.PageCachePrivate)
            .Place(at + 0x8c0, PageKind.PageCache, 4)
            .Place(at + 0x8d0, PageKind.PageCachePrivate, 4)
            .PlaceMany(at + 0x900, 30, PageKind.SwapCache)
            .PlaceMany(at + 0x920, 20, PageKind.OwnerPrivate)
            .PlaceMany(at + 0x940, 200, PageKind.Anonymous)
            .PlaceMany(at + 0xa40, 10, PageKind.AnonymousSwapCache)
            .PlaceMany(at + 0xa50, 11, PageKind.Ksm)
            .PlaceMany(at + 0xa60, 4, PageKind.Slab, 3)
            .PlaceMany(at + 0xa80, 12, PageKind.PageTable)
            .PlaceMany(at + 0xa90, 13, PageKind.Reserved)
            .PlaceMany(at + 0xaa0, 3, PageKind.HwPoison)
            .PlaceMany(at + 0xaa8, 5, PageKind.HwPoisonAnonymous)
            .PlaceMany(at + 0xab0, 7, PageKind.Offline)
            .PlaceMany(at + 0xab8, 6, PageKind.Balloon)
            .PlaceMany(at + 0xac0, 17, PageKind.KernelData)
            .Place(at + 0xae0, PageKind.KernelData, 4)
            .PlaceMany(at + 0xaf0, 9, PageKind.KernelData, 0, PageFill.Zero)
            .PlaceMany(at + 0xb00, 9, PageKind.PerCpuFree)
            .PlaceMany(at + 0xb10, 9, PageKind.Guard)
            .PlaceMany(at + 0xb40, 8, PageKind.Free, 3)
            .PlaceMany(at + 0xb80, 5, PageKind.Free)
            .PlaceMany(at + 0xb90, 5, PageKind.Anonymous, 0, PageFill.Zero)
            .Place(at + 0xc00, PageKind.Unaccepted)
            .Place(at + 0x1000, PageKind.AnonHuge, 4)
            .Place(at + 0x1010, PageKind.Anonymous, 2)
            .PlaceMany(at + 0x1020, 3, PageKind.ZeroFilled);
    }
}
