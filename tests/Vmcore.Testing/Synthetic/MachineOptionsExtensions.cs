namespace Vmcore.Testing;

/// <summary>What follows from the options.</summary>
internal static class MachineOptionsExtensions
{
    public const ulong TextMap = 0xffffffff80000000;

    /// <summary>Bytes of kernel image: 2 MiB of text, 2 MiB of data.</summary>
    public const ulong ImageSize = 4ul << 20;

    public static int PhysmemBits(this MachineOptions o) =>
        o.MaxPhysmemBits ?? (o.MemoryModel == SyntheticMemoryModel.SparseStatic ? 36 : o.Levels == 5 ? 52 : 46);

    public static ulong PageOffset(this MachineOptions o) => o.PageOffsetBase ?? (o.Levels == 5 ? 0xff11000000000000 : 0xffff888000000000);

    public static ulong Vmemmap(this MachineOptions o) => o.VmemmapBase ?? (o.Levels == 5 ? 0xffd4000000000000 : 0xffffea0000000000);

    public static ulong VmallocBase(this MachineOptions o) => o.Levels == 5 ? 0xffa0000000000000 : 0xffffc90000000000;

    /// <summary>Virtual address of <c>_text</c>.</summary>
    public static ulong Text(this MachineOptions o) => TextMap + 0x1000000 + o.KaslrOffset;

    public static ulong PhysBase(this MachineOptions o) => o.KernelPhysicalStart - 0x1000000 - o.KaslrOffset;

    public static int SectionsPerRoot(this MachineOptions o) => o.MemoryModel == SyntheticMemoryModel.SparseStatic ? 1 : 4096 / o.MemSectionSize;

    /// <summary>LENGTH(mem_section).</summary>
    public static ulong SectionRoots(this MachineOptions o) =>
        ((1ul << (o.PhysmemBits() - 27)) + (ulong)o.SectionsPerRoot() - 1) / (ulong)o.SectionsPerRoot();
}
