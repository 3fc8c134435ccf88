namespace Vmcore.Architectures.Riscv64;

/// <summary>
/// Page tables of riscv64: Sv39, Sv48 and Sv57, pages of 4 KiB, leaves at every level. Source: the RISC-V privileged specification, chapter on
/// supervisor-level ISA.
/// </summary>
internal static class Riscv64PageTables
{
    internal const int PageShift = 12;

    private const int Bits = 9;

    /// <summary>Readable, writable, executable: an entry with none of them names a table.</summary>
    private const ulong LeafBits = 0xe;

    private static readonly PageTableFlag[] s_flags =
        [new(0, "valid"), new(1, "readable"), new(2, "writable"), new(3, "executable"), new(4, "user"), new(5, "global"), new(6, "accessed"), new(7, "dirty"),
        new(63, "contiguous", LeavesOnly: true)];

    /// <summary>The format.</summary>
    /// <param name="addressBits">Bits of a virtual address: 39, 48 or 57.</param>
    internal static PageTableFormat Create(int addressBits)
    {
        string[] names = addressBits switch
        {
            39 => ["PGD", "PMD", "PTE"],
            48 => ["PGD", "PUD", "PMD", "PTE"],
            57 => ["PGD", "P4D", "PUD", "PMD", "PTE"],
            _ => throw new ArgumentOutOfRangeException(nameof(addressBits)),
        };
        return new()
        {
            Levels = [.. names.Select((n, i) => new PageTableLevel(n, PageShift + (Bits * (names.Length - 1 - i)), Bits)
            {
                KindMask = LeafBits,
                IsOther = true,
                HasLeaves = true,
            })],
            KernelStart = ulong.MaxValue << (addressBits - 1),
            UserEnd = 1UL << (addressBits - 1),
            IsShared = true,

            // The page number is in bits 53:10; above are reserved bits, those of memory types (Svpbmt) and of contiguous leaves (Svnapot).
            AddressMask = 0x003f_ffff_ffff_fc00,
            AddressShift = 2,

            // Svnapot: sixteen leaves of 4 KiB that map 64 KiB; the lowest four bits of their page number are 8, and no part of the address.
            RunBit = 1UL << 63,
            RunMask = 0xf << 10,
            RunValue = 8 << 10,
            RunShift = 16,
            Flags = s_flags,
        };
    }
}
