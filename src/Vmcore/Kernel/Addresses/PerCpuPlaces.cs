using Vmcore.Findings;
using Vmcore.Kernel.Cpus;
using Vmcore.Kernel.Lists;
using Vmcore.Kernel.Modules;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Addresses;

/// <summary>A place in the memory that a CPU has for itself.</summary>
public sealed class PerCpuPlace
{
    /// <summary>Number of the CPU.</summary>
    public required int Cpu { get; init; }

    /// <summary>What is the same for all CPUs: the place less the offset of the CPU's area. A pointer to per-CPU memory has this value.</summary>
    public required ulong Pointer { get; init; }

    /// <summary>The variable; null of memory that was allocated.</summary>
    public string? Variable { get; init; }

    /// <summary>Bytes from the start of the variable, or of the allocation.</summary>
    public ulong Offset { get; init; }

    /// <summary>The module whose variable it is; null of the kernel's own.</summary>
    public string? Module { get; init; }

    /// <summary>Of memory that was allocated (alloc_percpu): whether it is in use; null of variables, or if it cannot be told.</summary>
    public bool? IsAllocated { get; init; }
}

/// <summary>Looks for the CPU that an address is of.</summary>
/// <remarks>Source: mm/percpu.c (struct pcpu_chunk). What the kernel is linked with comes first in each CPU's area, then what modules have, then what is
/// allocated; when that is full, chunks elsewhere.</remarks>
internal sealed class PerCpuPlaces(KernelView kernel)
{
    // PCPU_MIN_ALLOC_SIZE: a bit of the maps stands for so many bytes. PCPU_MIN_UNIT_SIZE: no allocation is larger.
    private const ulong Grain = 4, Largest = 32 << 10;

    private readonly List<CpuUnit> _units = [];
    private List<KernelSymbol>? _variables;
    private string? _problem;

    /// <summary>Finds it.</summary>
    /// <param name="address">A virtual address of the kernel.</param>
    /// <param name="problem">Why it cannot be told; null if it can.</param>
    internal PerCpuPlace? Find(ulong address, out Finding? problem)
    {
        problem = null;
        if (kernel.PerCpu is not { } areas || kernel.Symbols is not { } symbols)
        {
            problem = new(FindingCode.AddressIncomplete, "the areas of CPUs cannot be found");
            return null;
        }

        ulong?[] found = symbols.FindInImage("__per_cpu_start", "__per_cpu_end");
        foreach (int cpu in areas.Possible)
        {
            if (areas.OffsetOf(cpu) is not { } offset || found is not [{ } start, { } end] || end <= start)
                continue;
            ulong pointer = unchecked(address - offset);
            if (pointer - start < end - start)
                return OfImage(cpu, pointer, start, end, symbols);
            foreach (KernelModule module in kernel.Modules?.Modules ?? [])
            {
                if (OfModule(module, cpu, pointer) is { } place)
                    return place;
            }
        }

        try
        {
            PerCpuPlace? place = Allocated(areas, symbols, address);
            problem = _problem is null ? null : new(FindingCode.AddressIncomplete, $"memory of CPUs: {_problem}");
            return place;
        }
        catch (KernelObjectException e)
        {
            problem = new(FindingCode.AddressIncomplete, $"memory of CPUs: {e.Message}");
            return null;
        }
    }

    private PerCpuPlace OfImage(int cpu, ulong pointer, ulong start, ulong end, KernelSymbols symbols)
    {
        // On x86_64 up to 6.14 they are numbers (type A) from 0 on; among these are a few that are none of them.
        _variables ??= [.. symbols.All().Where(s => s.Address >= start && s.Address < end && s.Name is not ("__per_cpu_start" or "__per_cpu_load"))];
        KernelSymbol? best = null;
        foreach (KernelSymbol symbol in _variables)
        {
            if (symbol.Address <= pointer && (best is not { } known || symbol.Address > known.Address))
                best = symbol;
        }

        // Where its type is known, so is its end.
        bool isInside = best is { } variable && !(kernel.Types?.VariableType(variable.Name, out bool isPerCpu) is { Size: { } size } && isPerCpu
            && pointer - variable.Address >= (ulong)Math.Max(size, 1));
        return new() { Cpu = cpu, Pointer = pointer, Variable = isInside ? best!.Value.Name : null, Offset = isInside ? pointer - best!.Value.Address : 0 };
    }

    private static PerCpuPlace? OfModule(KernelModule module, int cpu, ulong pointer)
    {
        if (module.Object.Type.FindMember("percpu") is null)
            return null;
        try
        {
            ulong start = module.Object.Member("percpu").AsUInt64(), size = module.Object.Member("percpu_size").AsUInt64();
            if (start == 0 || pointer < start || pointer - start >= size)
                return null;
            KernelSymbol? best = null;
            foreach (KernelSymbol symbol in module.Symbols.All)
            {
                if (symbol.Address >= start && symbol.Address <= pointer && (best is not { } known || symbol.Address > known.Address))
                    best = symbol;
            }

            return new()
            {
                Cpu = cpu,
                Pointer = pointer,
                Variable = best?.Name,
                Offset = best is { } variable ? pointer - variable.Address : pointer - start,
                Module = module.Name,
            };
        }
        catch (KernelObjectException)
        {
            return null;
        }
    }

    private PerCpuPlace? Allocated(PerCpuAreas areas, KernelSymbols symbols, ulong address)
    {
        IVirtualMemory memory = kernel.RequireMemory();
        ulong?[] found = symbols.FindInImage("pcpu_chunk_lists", "pcpu_nr_slots", "pcpu_unit_offsets", "pcpu_reserved_chunk");
        if (kernel.Types?.FindNamed(KernelTypeKind.Struct, "pcpu_chunk") is not { } type || type.FindMember("list")?.ByteOffset is not { } link
            || found[0] is not { } listsAt || !memory.TryReadUInt64(listsAt, out ulong lists)
            || found[1] is not { } countAt || !memory.TryReadUInt32(countAt, out uint count) || count > kernel.Limits.PerCpuLists
            || found[2] is not { } unitsAt || !memory.TryReadUInt64(unitsAt, out ulong units))
        {
            _problem = "the kernel's lists of chunks cannot be found";
            return null;
        }

        if (_units.Count == 0)
        {
            foreach (int cpu in areas.Possible)
            {
                if (areas.OffsetOf(cpu) is { } offset && memory.TryReadUInt64(units + (8 * (ulong)cpu), out ulong unit))
                    _units.Add(new(cpu, offset, unit));
            }
        }

        int limit = kernel.Limits.PerCpuChunks;
        for (uint i = 0; i < count; i++)
        {
            ulong head = lists + (16UL * i);
            var outcome = new WalkOutcome();
            foreach (ulong entry in ListWalk.Circular(memory, head, limit, outcome))
            {
                if (InChunk(KernelObject.At(memory, type, unchecked(entry - (ulong)link)), address) is { } place)
                    return place;
            }

            _problem ??= WalkText.OfList(outcome, head, limit);
        }

        return found[3] is { } reserved && memory.TryReadUInt64(reserved, out ulong chunk) && chunk != 0
            ? InChunk(KernelObject.At(memory, type, chunk), address) : null;
    }

    private PerCpuPlace? InChunk(KernelObject chunk, ulong address)
    {
        ulong start = chunk.Member("base_addr").AsUInt64(), length = chunk.Member("nr_pages").AsUInt64() << kernel.PhysicalMemory.PageShift;
        foreach (CpuUnit cpu in _units)
        {
            ulong distance = unchecked(address - start - cpu.Unit);
            if (distance >= length)
                continue;
            ulong bit = distance / Grain, first = bit;
            bool? isAllocated = Bit(chunk.Member("alloc_map").AsUInt64(), bit);
            for (ulong bounds = chunk.Member("bound_map").AsUInt64(); first > 0 && bit - first < Largest / Grain && Bit(bounds, first) == false;)
                first--;
            return new()
            {
                Cpu = cpu.Number,
                Pointer = unchecked(address - cpu.Offset),
                Offset = distance - (first * Grain),
                IsAllocated = isAllocated,
            };
        }

        return null;
    }

    // Where a CPU has its part of a chunk, and of all per-CPU memory.
    private sealed class CpuUnit(int number, ulong offset, ulong unit)
    {
        internal int Number => number;

        internal ulong Offset => offset;

        internal ulong Unit => unit;
    }

    private bool? Bit(ulong map, ulong bit) =>
        kernel.RequireMemory().TryReadUInt64(map + (bit / 64 * 8), out ulong word) ? (word >> (int)(bit % 64) & 1) != 0 : null;
}
