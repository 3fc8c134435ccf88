namespace Vmcore.Architectures.Arm64;

/// <summary>
/// Page tables of arm64: base pages of 4, 16 and 64 KiB, virtual addresses of 36 to 52 bits, physical addresses of 52 bits by LPA and LPA2.
/// Source: Arm ARM, D8 (VMSAv8-64), and arch/arm64/include/asm/pgtable-hwdef.h.
/// </summary>
internal static class Arm64PageTables
{
    /// <summary>Bit 1 of a valid entry: a table above the last level, a page at it; a block if it is not set.</summary>
    private const ulong TableOrPage = 2;

    private static readonly string[][] s_names =
        [["PTE"], ["PGD", "PTE"], ["PGD", "PMD", "PTE"], ["PGD", "PUD", "PMD", "PTE"], ["PGD", "P4D", "PUD", "PMD", "PTE"]];

    private static readonly PageTableFlag[] s_flags =
    [
        new(0, "valid"), new(6, "user", LeavesOnly: true), new(7, "read-only", LeavesOnly: true), new(10, "accessed", LeavesOnly: true),
        new(11, "not-global", LeavesOnly: true), new(51, "dirty-by-hardware", LeavesOnly: true), new(52, "contiguous", LeavesOnly: true),
        new(53, "kernel-no-execute", LeavesOnly: true), new(54, "user-no-execute", LeavesOnly: true), new(55, "dirty", LeavesOnly: true),
    ];

    /// <summary>The format.</summary>
    /// <param name="pageShift">log2 of the page size: 12, 14 or 16.</param>
    /// <param name="addressBits">Bits of a virtual address that the tables resolve. With pages of 4 and 16 KiB this is what the CPU does (vabits_actual):
    /// a kernel built for 52 bits folds its upper level at run time on a CPU without LPA2. With 64 KiB it is what the kernel was built for (VA_BITS): its
    /// root keeps its size, and TTBR1 points into it.</param>
    internal static PageTableFormat Create(int pageShift, int addressBits)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(addressBits, pageShift + 4);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(addressBits, 52);
        int bits = pageShift - 3, count = (addressBits - pageShift + bits - 1) / bits;
        bool is64K = pageShift == 16, isLpa2 = !is64K && addressBits == 52;
        var levels = new PageTableLevel[count];
        for (int i = 0; i < count; i++)
        {
            int shift = pageShift + (bits * (count - 1 - i));
            bool isLast = i == count - 1;
            levels[i] = new(s_names[count - 1][i], shift, i == 0 ? addressBits - shift : bits)
            {
                KindMask = TableOrPage,
                LeafKind = isLast ? TableOrPage : 0,
                HasLeaves = isLast || shift <= LargestBlock(pageShift, isLpa2),
            };
        }

        return new()
        {
            Levels = levels,
            KernelStart = ulong.MaxValue << addressBits,
            UserEnd = 1UL << addressBits,
            TagMask = 0xffUL << 56, // Memory tags (MTE, KASAN): the CPU ignores them.
            TagSign = 55,
            AddressMask = ((1UL << (isLpa2 ? 50 : 48)) - 1) & (ulong.MaxValue << pageShift),

            // LPA (64 KiB): bits 15:12 are bits 51:48. LPA2: bits 9:8, which are shareability without it, are bits 51:50.
            HighMask = is64K ? 0xf000UL : isLpa2 ? 0x300UL : 0,
            HighShift = is64K ? 36 : isLpa2 ? 42 : 0,
            Flags = s_flags,
            LargeName = "block",
        };
    }

    // Blocks of 1 GiB, 32 MiB and 512 MiB, and one level more with addresses of 52 bits.
    private static int LargestBlock(int pageShift, bool isLpa2) => pageShift switch
    {
        12 => isLpa2 ? 39 : 30,
        14 => isLpa2 ? 36 : 25,
        _ => 42,
    };
}
