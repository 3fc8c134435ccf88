using System.Runtime.InteropServices;
using Vmcore.Memory;

namespace Vmcore.Architectures.X86_64;

/// <summary>
/// Page tables of x86_64 with four or five levels, 4 KiB, 2 MiB and 1 GiB leaves, and an encryption bit (SME) in the entries.
/// Source: Intel SDM volume 3, chapter 4, and the AMD64 manual for the encryption bit.
/// </summary>
public sealed class X86AddressSpace : KernelAddressSpace
{
    private const ulong Present = 1;
    private const ulong PageSizeBit = 1 << 7;
    private const ulong AddressMask = 0x000f_ffff_ffff_f000;
    private const int TableCacheSize = 256;

    private readonly ulong _root;
    private readonly int _levels;
    private readonly ulong _mask;
    private readonly ulong _lowest;
    private readonly Table?[] _tables = new Table?[TableCacheSize];

    /// <summary>Creates the address space.</summary>
    /// <param name="memory">The physical memory.</param>
    /// <param name="root">Physical address of the top-level table.</param>
    /// <param name="levels">4 or 5.</param>
    /// <param name="encryptionMask">Bits to take out of each entry (SME); 0 if there are none.</param>
    public X86AddressSpace(IPhysicalMemory memory, ulong root, int levels, ulong encryptionMask)
        : this(memory, root, levels, encryptionMask, withUser: false)
    {
    }

    private X86AddressSpace(IPhysicalMemory memory, ulong root, int levels, ulong encryptionMask, bool withUser)
        : base(memory)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(levels, 4);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(levels, 5);
        _root = root & AddressMask;
        _levels = levels;
        _mask = AddressMask & ~encryptionMask;
        _lowest = withUser ? 0 : KernelStart;
    }

    /// <summary>The same page tables over another view of the same memory.</summary>
    /// <param name="memory">The view.</param>
    public X86AddressSpace Over(IPhysicalMemory memory) => new(memory, _root, _levels, AddressMask & ~_mask);

    /// <summary>The address space of a process, the kernel's half included.</summary>
    /// <param name="root">Physical address of its top-level table.</param>
    public X86AddressSpace ForProcess(ulong root) => new(PhysicalMemory, root, _levels, AddressMask & ~_mask, withUser: true);

    /// <summary>Number of levels: 4 or 5.</summary>
    public int Levels => _levels;

    /// <summary>First virtual address of the kernel's half.</summary>
    public ulong KernelStart => _levels == 5 ? 0xff00_0000_0000_0000 : 0xffff_8000_0000_0000;

    /// <inheritdoc/>
    public override Translation Translate(ulong address)
    {
        ulong table = _root;
        int shift = _levels == 5 ? 48 : 39;
        if (address < _lowest || !IsCanonical(address))
            return new(MemoryStatus.NotMapped, 0, 1UL << shift);
        while (true)
        {
            MemoryStatus status = ReadEntry(table, (int)(address >> shift) & 511, out ulong entry);
            if (status != MemoryStatus.Ok)
                return new(MemoryStatus.PageTableMissing, 0, 1UL << (shift + 9)); // What the whole missing table covers.
            if ((entry & Present) == 0)
                return new(MemoryStatus.NotMapped, 0, 1UL << shift);
            bool leaf = shift == 12 || (shift <= 30 && (entry & PageSizeBit) != 0);
            ulong low = (1UL << shift) - 1;
            if (leaf)
                return new(MemoryStatus.Ok, (entry & _mask & ~low) | (address & low), 1UL << shift);
            table = entry & _mask;
            shift -= 9;
        }
    }

    /// <summary>The entries that a walk meets, from the top-level table down to the leaf or to where it ends.</summary>
    /// <param name="address">Virtual address.</param>
    /// <returns>One step for each table that was asked; the last one with the status of the walk.</returns>
    public IReadOnlyList<PageTableStep> Walk(ulong address)
    {
        List<PageTableStep> steps = [];
        if (address < _lowest || !IsCanonical(address))
            return steps;
        ulong table = _root;
        for (int shift = _levels == 5 ? 48 : 39; ; shift -= 9)
        {
            int index = (int)(address >> shift) & 511;
            MemoryStatus status = ReadEntry(table, index, out ulong entry);
            bool isLeaf = shift == 12 || (shift <= 30 && (entry & PageSizeBit) != 0);
            status = status != MemoryStatus.Ok ? MemoryStatus.PageTableMissing : (entry & Present) == 0 ? MemoryStatus.NotMapped : MemoryStatus.Ok;
            steps.Add(new(shift switch { 12 => "PTE", 21 => "PMD", 30 => "PUD", 39 => _levels == 5 ? "P4D" : "PGD", _ => "PGD" },
                table + (8 * (ulong)index), entry, shift, status));
            if (status != MemoryStatus.Ok || isLeaf)
                return steps;
            table = entry & _mask;
        }
    }

    private bool IsCanonical(ulong address) => address >= KernelStart || address < 1UL << (_levels == 5 ? 56 : 47);

    /// <summary>Reads an entry through a small cache of whole tables; entries of it never change, so a race costs at most a second read.</summary>
    private MemoryStatus ReadEntry(ulong table, int index, out ulong entry)
    {
        int slot = (int)((table >> 12) * 0x9E3779B97F4A7C15 >> 56) & (TableCacheSize - 1);
        Table? cached = Volatile.Read(ref _tables[slot]);
        if (cached is null || cached.Address != table)
        {
            ulong[] entries = new ulong[512];
            MemoryStatus status = PhysicalMemory.Read(table, MemoryMarshal.AsBytes(entries.AsSpan()));
            if (status != MemoryStatus.Ok)
            {
                entry = 0;
                return status;
            }

            cached = new(table, entries);
            Volatile.Write(ref _tables[slot], cached);
        }

        entry = cached.Entries[index];
        return MemoryStatus.Ok;
    }

    private sealed record Table(ulong Address, ulong[] Entries);
}
