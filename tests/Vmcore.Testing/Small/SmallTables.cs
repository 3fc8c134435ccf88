namespace Vmcore.Testing;

/// <summary>How the page tables of a small machine look: written down by hand from the architecture's manual, not from the data under test.</summary>
/// <param name="PageShift">log2 of the page size.</param>
/// <param name="Shifts">log2 of what an entry covers, from the root down.</param>
/// <param name="RootEntries">Entries of the root.</param>
/// <param name="Table">The entry that names a table at a physical address.</param>
/// <param name="Leaf">The entry of a leaf at a physical address; true at the last level.</param>
public sealed record SmallTables(int PageShift, int[] Shifts, int RootEntries, Func<ulong, ulong> Table, Func<ulong, bool, ulong> Leaf)
{
    private const ulong ArmLeaf = 0x0060_0000_0000_0700; // AF, inner shareable, no execute.

    /// <summary>arm64 by page size and bits of a virtual address that the tables resolve.</summary>
    /// <param name="pageShift">12, 14 or 16.</param>
    /// <param name="bits">36 to 52.</param>
    public static SmallTables Arm64(int pageShift, int bits)
    {
        (int[] shifts, int root) = (pageShift, bits) switch
        {
            (12, 39) => ((int[])[30, 21, 12], 512),
            (12, 48) => ([39, 30, 21, 12], 512),
            (12, 52) => ([48, 39, 30, 21, 12], 16),
            (14, 36) => ([25, 14], 2048),
            (14, 47) => ([36, 25, 14], 2048),
            (14, 48) => ([47, 36, 25, 14], 2),
            (14, 52) => ([47, 36, 25, 14], 32),
            (16, 42) => ([29, 16], 8192),
            (16, 48) => ([42, 29, 16], 64),
            (16, 52) => ([42, 29, 16], 1024),
            _ => throw new ArgumentOutOfRangeException(nameof(bits)),
        };
        ulong Address(ulong pa) => pageShift == 16 ? (pa & 0xffff_ffff_0000) | (pa >> 36 & 0xf000)
            : bits == 52 ? (pa & 0x3_ffff_ffff_f000) | (pa >> 42 & 0x300) : pa;
        ulong shareable = bits == 52 && pageShift != 16 ? 0x300UL : 0;
        return new(pageShift, shifts, root, pa => Address(pa) | 3, (pa, last) => Address(pa) | (ArmLeaf & ~shareable) | (last ? 3UL : 1));
    }

    /// <summary>riscv64 by bits of a virtual address: 39, 48 or 57.</summary>
    public static SmallTables Riscv64(int bits) => new(
        12, bits switch { 39 => [30, 21, 12], 48 => [39, 30, 21, 12], _ => [48, 39, 30, 21, 12] }, 512,
        pa => (pa >> 12 << 10) | 1, (pa, _) => (pa >> 12 << 10) | 0xe7 | (1UL << 61)); // Readable, writable; a memory type of Svpbmt above.
}
