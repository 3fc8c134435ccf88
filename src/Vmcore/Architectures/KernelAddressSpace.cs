using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Vmcore.IO;
using Vmcore.Memory;

namespace Vmcore.Architectures;

/// <summary>What a page walk found for one virtual address.</summary>
/// <param name="Status"><see cref="MemoryStatus.Ok"/>, <see cref="MemoryStatus.NotMapped"/> or <see cref="MemoryStatus.PageTableMissing"/>.</param>
/// <param name="PhysicalAddress">Where the address lies in physical memory, if the status is Ok.</param>
/// <param name="Size">Bytes that the entry covers: a leaf's size, or how far the hole goes.</param>
public readonly record struct Translation(MemoryStatus Status, ulong PhysicalAddress, ulong Size)
{
    /// <summary>True if no page table said it: one is not in the dump, and the address is one of the kernel's image or of its map of all memory,
    /// which lie in physical memory as they lie here.</summary>
    public bool IsLinear { get; init; }
}

/// <summary>One step of a page walk.</summary>
/// <param name="Level">Name of the level: <c>PGD</c>, <c>P4D</c>, <c>PUD</c>, <c>PMD</c>, <c>PTE</c>.</param>
/// <param name="EntryAddress">Physical address of the entry.</param>
/// <param name="Entry">The entry; 0 if it cannot be read.</param>
/// <param name="Shift">log2 of the bytes that the entry covers.</param>
/// <param name="Status"><see cref="MemoryStatus.Ok"/>, or why the walk ends here.</param>
public sealed record PageTableStep(string Level, ulong EntryAddress, ulong Entry, int Shift, MemoryStatus Status);

/// <summary>A run of virtual addresses that one leaf of the page tables, or several in a row, map to neighbouring physical addresses.</summary>
/// <param name="VirtualAddress">First byte.</param>
/// <param name="PhysicalAddress">Where it lies.</param>
/// <param name="Length">Length in bytes.</param>
internal readonly record struct MappedRun(ulong VirtualAddress, ulong PhysicalAddress, ulong Length);

/// <summary>Virtual addresses that the kernel maps to physical ones at one distance, whatever its page tables' pages are: its image, its direct map.</summary>
/// <param name="Start">First address.</param>
/// <param name="End">One past the last.</param>
/// <param name="Distance">Virtual minus physical address, modulo 2^64.</param>
internal readonly record struct LinearRange(ulong Start, ulong End, ulong Distance);

/// <summary>
/// The crashed kernel's address space: virtual to physical, and reads by virtual address. One walker for every architecture;
/// what differs between them is data (<see cref="Architecture"/>).
/// </summary>
/// <remarks>May be used from several threads at once.</remarks>
public sealed class KernelAddressSpace : IVirtualMemory
{
    private const int TableCacheSize = 256;
    private const int PathCacheSize = 64;

    private readonly PageTableFormat _format;
    private readonly PageTableLevel[] _levels;
    private readonly ulong _root;
    private readonly ulong? _userRoot;
    private readonly Lazy<LinearRange[]>? _linear;
    private readonly Table?[] _tables = new Table?[TableCacheSize];
    private readonly Path?[] _paths = new Path?[PathCacheSize];
    private readonly int _pathShift;

    /// <summary>Creates the address space.</summary>
    /// <param name="memory">The physical memory that page tables and data are read from.</param>
    /// <param name="format">The format of the page tables.</param>
    /// <param name="root">Physical address of the top-level table.</param>
    internal KernelAddressSpace(IPhysicalMemory memory, PageTableFormat format, ulong root)
        : this(memory, format, root, null, null)
    {
    }

    private KernelAddressSpace(IPhysicalMemory memory, PageTableFormat format, ulong root, ulong? userRoot, Lazy<LinearRange[]>? linear)
    {
        PhysicalMemory = memory;
        _format = format;
        _levels = format.Levels;
        _pathShift = _levels[^1].Shift + _levels[^1].Bits;
        _root = root;
        _userRoot = userRoot;
        _linear = linear;
    }

    /// <summary>The physical memory below.</summary>
    public IPhysicalMemory PhysicalMemory { get; }

    /// <inheritdoc/>
    public ReadLimits Limits => PhysicalMemory.Limits;

    /// <summary>Number of levels of the page tables.</summary>
    public int Levels => _levels.Length;

    /// <summary>First virtual address of the kernel's half.</summary>
    public ulong KernelStart => _format.KernelStart;

    /// <summary>The format of the page tables.</summary>
    internal PageTableFormat Format => _format;

    /// <inheritdoc/>
    public ByteOrder ByteOrder => _format.ByteOrder;

    /// <inheritdoc/>
    public bool IsKernelAddress(ulong address) => _format.Untag(address) >= _format.KernelStart;

    /// <summary>The same page tables over another view of the same memory.</summary>
    /// <param name="memory">The view.</param>
    public KernelAddressSpace Over(IPhysicalMemory memory) => new(memory, _format, _root, _userRoot, _linear);

    /// <summary>The address space of a process, the kernel's half included.</summary>
    /// <param name="root">Physical address of its top-level table.</param>
    public KernelAddressSpace ForProcess(ulong root) => new(PhysicalMemory, _format, _format.IsShared ? root : _root, root, _linear);

    /// <summary>The same address space, in which addresses whose page table is missing are translated where that is possible without it.</summary>
    /// <param name="linear">The addresses; asked for when the first table is missing.</param>
    internal KernelAddressSpace With(Lazy<LinearRange[]> linear) => new(PhysicalMemory, _format, _root, _userRoot, linear);

    /// <summary>Where the kernel's map of all memory has a physical address, by the page tables.</summary>
    /// <param name="physical">Physical address.</param>
    /// <returns>Null if it is not there, or it is not known where that map is.</returns>
    internal ulong? LinearAddressOf(ulong physical) => AddressOf(physical, 1);

    /// <summary>Where the kernel's image has a physical address, by the page tables.</summary>
    /// <param name="physical">Physical address.</param>
    /// <returns>Null if it is not there.</returns>
    internal ulong? ImageAddressOf(ulong physical) => AddressOf(physical, 0);

    // The map of all memory comes behind the image.
    private ulong? AddressOf(ulong physical, int number)
    {
        if (_linear?.Value is not { } ranges || ranges.Length <= number || unchecked(physical + ranges[number].Distance) is var address
            && (address < ranges[number].Start || address >= ranges[number].End))
            return null;
        return Translate(address) is { Status: MemoryStatus.Ok } found && found.PhysicalAddress == physical ? address : null;
    }

    /// <summary>Translates one address.</summary>
    /// <param name="address">Virtual address; a tag in it is ignored as the CPU does.</param>
    public Translation Translate(ulong address)
    {
        PageTableFormat format = _format;
        PageTableLevel[] levels = _levels;
        address = format.Untag(address);
        if (!TryRoot(address, out ulong table))
            return new(MemoryStatus.NotMapped, 0, 1UL << levels[0].Shift);
        int i = 0;
        ulong prefix = address >> _pathShift;
        ref Path? place = ref _paths[(int)prefix & (PathCacheSize - 1)];
        Path? path = Volatile.Read(ref place);
        Table? entries = null;
        if (path is not null && path.Prefix == prefix)
            (i, entries) = (path.Level, path.Table);
        for (; ; i++)
        {
            ref readonly PageTableLevel level = ref levels[i];
            int shift = level.Shift;
            entries ??= ReadTable(table, level.Bits);
            if (entries is null)
                return WithoutTable(address, shift + level.Bits); // What the whole missing table covers.
            ulong entry = entries[address >> shift];
            if ((entry & format.Valid) == 0)
                return new(MemoryStatus.NotMapped, 0, 1UL << shift);
            table = format.AddressOf(entry);
            if (level.IsLeaf(entry))
            {
                if (path is null || path.Prefix != prefix)
                    Volatile.Write(ref place, new(prefix, i, entries));
                int mapped = format.LeafShift(level, entry);
                ulong low = (1UL << mapped) - 1;
                return mapped != 0 ? new(MemoryStatus.Ok, (table & ~low) | (address & low), 1UL << mapped) : new(MemoryStatus.NotMapped, 0, 1UL << shift);
            }

            if (i + 1 == levels.Length)
                return new(MemoryStatus.NotMapped, 0, 1UL << shift);
            entries = null;
        }
    }

    private Translation WithoutTable(ulong address, int shift)
    {
        foreach (LinearRange range in _linear?.Value ?? [])
        {
            if (address < range.Start || address >= range.End)
                continue;
            for (int part = Math.Min(shift, 63); part >= 0; part--)
            {
                ulong low = (1UL << part) - 1, first = address & ~low;
                if (first >= range.Start && (first | low) < range.End)
                    return new(MemoryStatus.Ok, unchecked(address - range.Distance), low + 1) { IsLinear = true };
            }
        }

        return new(MemoryStatus.PageTableMissing, 0, 1UL << shift);
    }

    /// <summary>The entries that a walk meets, from the top-level table down to the leaf or to where it ends.</summary>
    /// <param name="address">Virtual address.</param>
    /// <returns>One step for each table that was asked; the last one with the status of the walk.</returns>
    public IReadOnlyList<PageTableStep> Walk(ulong address)
    {
        List<PageTableStep> steps = [];
        address = _format.Untag(address);
        if (!TryRoot(address, out ulong table))
            return steps;
        for (int i = 0; ; i++)
        {
            PageTableLevel level = _levels[i];
            Table? entries = ReadTable(table, level.Bits);
            ulong entry = entries?[address >> level.Shift] ?? 0;
            bool isLeaf = level.IsLeaf(entry);
            bool isValid = (entry & _format.Valid) != 0 && (isLeaf ? _format.LeafShift(level, entry) != 0 : i + 1 < _levels.Length);
            MemoryStatus status = entries is null ? MemoryStatus.PageTableMissing : isValid ? MemoryStatus.Ok : MemoryStatus.NotMapped;
            ulong index = address >> level.Shift & ((1UL << level.Bits) - 1);
            steps.Add(new(level.Name, table + (sizeof(ulong) * index), entry, level.Shift, status));
            if (status != MemoryStatus.Ok || isLeaf)
                return steps;
            table = _format.AddressOf(entry);
        }
    }

    /// <summary>What the bits of an entry say, a word each, in the words of the architecture.</summary>
    /// <param name="step">A step of <see cref="Walk"/>.</param>
    public IReadOnlyList<string> FlagsOf(PageTableStep step)
    {
        List<string> flags = [];
        PageTableLevel level = Array.Find(_levels, l => l.Shift == step.Shift);
        bool isLeaf = level.HasLeaves && level.IsLeaf(step.Entry);
        foreach (PageTableFlag flag in _format.Flags)
        {
            if ((step.Entry >> flag.Bit & 1) != 0 && (isLeaf || !flag.LeavesOnly))
                flags.Add(flag.Name);
        }

        if (isLeaf && step.Shift != _levels[^1].Shift)
            flags.Add(_format.LargeName);
        return flags;
    }

    // A process has the kernel's half too; without one the other half is not there.
    private bool TryRoot(ulong address, out ulong root)
    {
        root = _root;
        if (address >= _format.KernelStart)
            return true;
        root = _userRoot.GetValueOrDefault();
        return _userRoot.HasValue && address < _format.UserEnd;
    }

    /// <summary>Reads a table through a small cache; tables of it never change, so a race costs at most a second read. Null if it cannot be read.</summary>
    private Table? ReadTable(ulong table, int bits)
    {
        int slot = (int)((table >> 12) * 0x9E3779B97F4A7C15 >> 56) & (TableCacheSize - 1);
        Table? cached = Volatile.Read(ref _tables[slot]);
        if (cached is not null && cached.Address == table && cached.Count == 1 << bits)
            return cached;
        ulong[] entries = GC.AllocateUninitializedArray<ulong>(1 << bits);
        if (PhysicalMemory.Read(table, MemoryMarshal.AsBytes(entries.AsSpan())) != MemoryStatus.Ok)
            return null;
        if (_format.ByteOrder == ByteOrder.LittleEndian != BitConverter.IsLittleEndian)
            BinaryPrimitives.ReverseEndianness(entries, entries);
        cached = new(table, entries);
        Volatile.Write(ref _tables[slot], cached);
        return cached;
    }

    // A table; the number of its entries is a power of two.
    private sealed class Table(ulong address, ulong[] entries)
    {
        internal ulong Address { get; } = address;

        internal int Count => entries.Length;

        internal ulong this[ulong index] => entries[(int)index & (entries.Length - 1)];
    }

    // Where the walk for an address ended: the next one for an address that the same last table would have to serve begins there.
    private sealed class Path(ulong prefix, int level, Table table)
    {
        internal ulong Prefix { get; } = prefix;

        internal int Level { get; } = level;

        internal Table Table { get; } = table;
    }

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

    /// <summary>Goes through the tables of the kernel's half, those of the highest addresses first: the kernel's image before its map of all memory.</summary>
    /// <param name="budget">Most tables to look at; damaged ones could name each other without end.</param>
    /// <param name="visit">Gets the physical address and the length in bytes of each table that can be read.</param>
    internal void VisitTables(int budget, Action<ulong, int> visit)
    {
        var seen = new HashSet<ulong>();
        Visit(_root, 0);

        void Visit(ulong table, int index)
        {
            PageTableLevel level = _levels[index];
            // What a table of pages says is of no interest, and most tables are of these.
            bool isLast = index + 1 == _levels.Length;
            if (seen.Count >= budget || !seen.Add(table))
                return;
            Table? entries = isLast ? null : ReadTable(table, level.Bits);
            if (entries is null && !isLast)
                return;
            visit(table, sizeof(ulong) << level.Bits);
            if (entries is null)
                return;
            // The other half of a shared root has the tables of a process.
            int first = index == 0 && _format.IsShared ? (int)(_format.KernelStart >> level.Shift & ((1UL << level.Bits) - 1)) : 0;
            for (int i = (1 << level.Bits) - 1; i >= first; i--)
            {
                ulong entry = entries[(ulong)i];
                if ((entry & _format.Valid) != 0 && !level.IsLeaf(entry))
                    Visit(_format.AddressOf(entry), index + 1);
            }
        }
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
    /// walk ends: tables that name themselves map any range in base pages.</param>
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
