namespace Vmcore.Architectures.X86_64;

/// <summary>
/// Page tables of x86_64 with four or five levels, 4 KiB, 2 MiB and 1 GiB leaves, and an encryption bit (SME) in the entries.
/// Source: Intel SDM volume 3, chapter 4, and the AMD64 manual for the encryption bit.
/// </summary>
internal static class X86PageTables
{
    internal const int PageShift = 12;

    private const ulong AddressMask = 0x000f_ffff_ffff_f000;
    private const ulong PageSizeBit = 1 << 7;
    private const int Bits = 9;

    private static readonly PageTableFlag[] s_flags =
    [
        new(0, "present"), new(1, "writable"), new(2, "user"), new(3, "write-through"), new(4, "uncached"), new(5, "accessed"), new(6, "dirty"),
        new(8, "global"), new(63, "no-execute"),
    ];

    /// <summary>First address of the kernel's half.</summary>
    /// <param name="levels">4 or 5.</param>
    internal static ulong KernelStart(int levels) => levels == 5 ? 0xff00_0000_0000_0000 : 0xffff_8000_0000_0000;

    /// <summary>The format.</summary>
    /// <param name="levels">4 or 5.</param>
    /// <param name="encryptionMask">Bits to take out of each entry (SME); 0 if there are none.</param>
    internal static PageTableFormat Create(int levels, ulong encryptionMask)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(levels, 4);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(levels, 5);
        bool isFive = levels == 5;
        PageTableLevel[] lower =
        [
            new("PUD", 30, Bits) { KindMask = PageSizeBit, LeafKind = PageSizeBit, HasLeaves = true },
            new("PMD", 21, Bits) { KindMask = PageSizeBit, LeafKind = PageSizeBit, HasLeaves = true },
            new("PTE", PageShift, Bits) { HasLeaves = true }, // Bit 7 is PAT here.
        ];

        // Bit 7 is reserved here: neither a leaf nor a table.
        PageTableLevel top = new("PGD", isFive ? 48 : 39, Bits) { KindMask = PageSizeBit, LeafKind = PageSizeBit };
        PageTableLevel[] upper = isFive ? [top, top with { Name = "P4D", Shift = 39 }] : [top];
        return new()
        {
            Levels = [.. upper, .. lower],
            KernelStart = KernelStart(levels),
            UserEnd = 1UL << (isFive ? 56 : 47),
            IsShared = true,
            AddressMask = AddressMask & ~encryptionMask,
            Flags = s_flags,
        };
    }
}
