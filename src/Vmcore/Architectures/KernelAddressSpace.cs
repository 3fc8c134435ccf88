using Vmcore.Memory;

namespace Vmcore.Architectures;

/// <summary>What a page walk found for one virtual address.</summary>
/// <param name="Status"><see cref="MemoryStatus.Ok"/>, <see cref="MemoryStatus.NotMapped"/> or <see cref="MemoryStatus.PageTableMissing"/>.</param>
/// <param name="PhysicalAddress">Where the address lies in physical memory, if the status is Ok.</param>
/// <param name="Size">Bytes that the entry covers: a leaf's size, or how far the hole goes.</param>
public readonly record struct Translation(MemoryStatus Status, ulong PhysicalAddress, ulong Size);

/// <summary>One step of a page walk.</summary>
/// <param name="Level">Name of the level: <c>PGD</c>, <c>P4D</c>, <c>PUD</c>, <c>PMD</c>, <c>PTE</c>.</param>
/// <param name="EntryAddress">Physical address of the entry.</param>
/// <param name="Entry">The entry; 0 if it cannot be read.</param>
/// <param name="Shift">log2 of the bytes that the entry covers.</param>
/// <param name="Status"><see cref="MemoryStatus.Ok"/>, or why the walk ends here.</param>
public readonly record struct PageTableStep(string Level, ulong EntryAddress, ulong Entry, int Shift, MemoryStatus Status);

/// <summary>A run of virtual addresses that one leaf of the page tables, or several in a row, map to neighbouring physical addresses.</summary>
/// <param name="VirtualAddress">First byte.</param>
/// <param name="PhysicalAddress">Where it lies.</param>
/// <param name="Length">Length in bytes.</param>
internal readonly record struct MappedRun(ulong VirtualAddress, ulong PhysicalAddress, ulong Length);

/// <summary>The crashed kernel's address space: virtual to physical, and reads by virtual address.</summary>
/// <remarks>May be used from several threads at once.</remarks>
public abstract class KernelAddressSpace : IVirtualMemory
{
    /// <summary>Creates the address space.</summary>
    /// <param name="memory">The physical memory that page tables and data are read from.</param>
    private protected KernelAddressSpace(IPhysicalMemory memory) => PhysicalMemory = memory;

    /// <summary>The physical memory below.</summary>
    public IPhysicalMemory PhysicalMemory { get; }

    /// <summary>Translates one address.</summary>
    public abstract Translation Translate(ulong address);

    /// <inheritdoc/>
    public MemoryStatus Read(ulong address, Span<byte> buffer)
    {
        while (buffer.Length > 0)
        {
            Translation translation = Translate(address);
            if (translation.Status != MemoryStatus.Ok)
                return translation.Status;
            ulong left = translation.Size - (address & (translation.Size - 1));
            int length = (int)Math.Min((ulong)buffer.Length, left);
            MemoryStatus status = PhysicalMemory.Read(translation.PhysicalAddress, buffer[..length]);
            if (status != MemoryStatus.Ok)
                return status;
            buffer = buffer[length..];
            address += (ulong)length;
        }

        return MemoryStatus.Ok;
    }

    /// <summary>Lists what is mapped in a range. Holes are skipped by the size of the table entry that is empty, so an empty terabyte costs little.</summary>
    /// <param name="start">First virtual address.</param>
    /// <param name="end">One past the last; no more than this is walked.</param>
    /// <param name="limit">Most runs to list; damaged page tables could give one for each page.</param>
    /// <param name="tablesMissing">Receives how many table entries could not be followed because the table is not in the dump.</param>
    /// <returns>The runs in ascending order of virtual address; <paramref name="limit"/> of them if there are more.</returns>
    internal IReadOnlyList<MappedRun> FindMapped(ulong start, ulong end, int limit, out int tablesMissing)
    {
        long steps = long.MaxValue;
        return FindMapped(start, end, limit, ref steps, out tablesMissing);
    }

    /// <summary>As the other one, with a budget over many calls.</summary>
    /// <param name="start">First virtual address.</param>
    /// <param name="end">One past the last.</param>
    /// <param name="limit">Most runs to list.</param>
    /// <param name="steps">Most entries to look at; what is left of it afterwards. At 0 the
    /// walk ends: tables that name themselves map any range in pages of 4 KiB.</param>
    /// <param name="tablesMissing">Receives how many table entries could not be followed.</param>
    /// <returns>The runs that were found.</returns>
    internal IReadOnlyList<MappedRun> FindMapped(ulong start, ulong end, int limit, ref long steps, out int tablesMissing)
    {
        List<MappedRun> runs = [];
        tablesMissing = 0;
        for (ulong address = start; address < end && runs.Count < limit && steps > 0; steps--)
        {
            Translation translation = Translate(address);
            ulong step = translation.Size - (address & (translation.Size - 1));
            step = Math.Min(step, end - address);
            if (translation.Status == MemoryStatus.Ok)
            {
                if (runs.Count > 0 && runs[^1].VirtualAddress + runs[^1].Length == address
                    && runs[^1].PhysicalAddress + runs[^1].Length == translation.PhysicalAddress)
                    runs[^1] = runs[^1] with { Length = runs[^1].Length + step };
                else
                    runs.Add(new(address, translation.PhysicalAddress, step));
            }
            else if (translation.Status == MemoryStatus.PageTableMissing)
            {
                tablesMissing++;
            }

            if (address + step < address)
                break;
            address += step;
        }

        return runs;
    }
}
