using Vmcore.Memory;

namespace Vmcore.Architectures;

/// <summary>One level of page tables, as data.</summary>
/// <param name="Name">The kernel's name of it: <c>PGD</c>, <c>P4D</c>, <c>PUD</c>, <c>PMD</c>, <c>PTE</c>.</param>
/// <param name="Shift">log2 of the bytes that one entry covers.</param>
/// <param name="Bits">log2 of the number of entries of a table.</param>
internal readonly record struct PageTableLevel(string Name, int Shift, int Bits)
{
    /// <summary>The bits of a valid entry that say what it is.</summary>
    internal ulong KindMask { get; init; }

    /// <summary>Their value in a leaf (see <see cref="IsOther"/>).</summary>
    internal ulong LeafKind { get; init; }

    /// <summary>True if an entry is a leaf with any other value than <see cref="LeafKind"/>.</summary>
    internal bool IsOther { get; init; }

    /// <summary>True if leaves may stand at this level; an entry that is none names a table, except at the last level.</summary>
    internal bool HasLeaves { get; init; }

    /// <summary>Tells whether a valid entry is a leaf.</summary>
    internal bool IsLeaf(ulong entry) => ((entry & KindMask) == LeafKind) != IsOther;
}

/// <summary>A bit of an entry that has a name.</summary>
/// <param name="Bit">Number of the bit, 0 the lowest.</param>
/// <param name="Name">One word.</param>
/// <param name="LeavesOnly">True if the bit has the meaning in leaves alone.</param>
internal readonly record struct PageTableFlag(int Bit, string Name, bool LeavesOnly = false);

/// <summary>A format of page tables as data: one walker (<see cref="KernelAddressSpace"/>) serves all of them. Entries have eight bytes.</summary>
internal sealed record PageTableFormat
{
    /// <summary>The levels, from the root down.</summary>
    internal required PageTableLevel[] Levels { get; init; }

    /// <summary>Order of the bytes in an entry.</summary>
    internal ByteOrder ByteOrder { get; init; }

    /// <summary>First virtual address of the kernel's half; everything up to the end of the address space belongs to it.</summary>
    internal required ulong KernelStart { get; init; }

    /// <summary>One past the last address that a process can have.</summary>
    internal required ulong UserEnd { get; init; }

    /// <summary>True if the tables of a process map the kernel's half too; false if that has a root of its own.</summary>
    internal bool IsShared { get; init; }

    /// <summary>Bits of a pointer that the hardware ignores or that hold a tag; 0 if there are none. They read as <see cref="TagSign"/>.</summary>
    internal ulong TagMask { get; init; }

    /// <summary>Number of the bit that says what the bits of <see cref="TagMask"/> stand for.</summary>
    internal int TagSign { get; init; }

    /// <summary>An entry is valid if any of these bits is set.</summary>
    internal ulong Valid { get; init; } = 1;

    /// <summary>Bits of an entry that are bits of the physical address, once shifted to the left by <see cref="AddressShift"/>.</summary>
    internal required ulong AddressMask { get; init; }

    /// <summary>How far the bits of <see cref="AddressMask"/> are shifted to the left.</summary>
    internal int AddressShift { get; init; }

    /// <summary>More bits of the physical address, which lie elsewhere in an entry; 0 if there are none.</summary>
    internal ulong HighMask { get; init; }

    /// <summary>How far the bits of <see cref="HighMask"/> are shifted to the left.</summary>
    internal int HighShift { get; init; }

    /// <summary>Set in a leaf of the last level that is one of several equal ones, which map a larger piece together; 0 if there is no such bit.</summary>
    internal ulong RunBit { get; init; }

    /// <summary>Bits of such a leaf that lie where its address does, and say how large the piece is.</summary>
    internal ulong RunMask { get; init; }

    /// <summary>Their only value that is not reserved.</summary>
    internal ulong RunValue { get; init; }

    /// <summary>log2 of the bytes of the piece.</summary>
    internal int RunShift { get; init; }

    /// <summary>Names of bits, in the order in which they are shown.</summary>
    internal required PageTableFlag[] Flags { get; init; }

    /// <summary>Shown of a leaf above the last level.</summary>
    internal string LargeName { get; init; } = "large";

    /// <summary>The physical address in an entry: of a table, or of a leaf with what else lies in its low bits.</summary>
    internal ulong AddressOf(ulong entry) => ((entry & AddressMask) << AddressShift) | ((entry & HighMask) << HighShift);

    /// <summary>log2 of the bytes that a leaf maps; 0 if none may stand at this level, or if it is one that the architecture reserves.</summary>
    internal int LeafShift(in PageTableLevel level, ulong entry) =>
        !level.HasLeaves ? 0
        : (entry & RunBit) == 0 ? level.Shift
        : level.Shift == Levels[^1].Shift && (entry & RunMask) == RunValue ? RunShift : 0;

    /// <summary>An address without its tag.</summary>
    internal ulong Untag(ulong address) => TagMask == 0 ? address : (address >> TagSign & 1) != 0 ? address | TagMask : address & ~TagMask;
}
