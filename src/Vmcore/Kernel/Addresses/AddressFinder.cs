using System.Buffers.Binary;
using Vmcore.Architectures;
using Vmcore.Findings;
using Vmcore.Kernel.Identity;
using Vmcore.Kernel.Processes;
using Vmcore.Kernel.Slab;
using Vmcore.Kernel.Stacks;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Types;
using Vmcore.Kernel.Vfs;
using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Kernel.Addresses;

/// <summary>Finds out what an address is. What cannot be proven is not told: why is among the problems.</summary>
/// <remarks>Not safe for several threads at once.</remarks>
public sealed class AddressFinder
{
    private const ulong SectionMask = (1UL << 15) - 1;

    private readonly KernelView _kernel;
    private readonly CrashedKernel _crashed;
    private readonly MemmapReader? _memmap;
    private readonly SlabCaches? _slabs;
    private readonly VmallocAreas _areas;
    private readonly PerCpuPlaces _perCpu;
    private readonly StackPlaces? _stacks;
    private readonly ImageParts? _image;
    private readonly int? _reserved;
    private readonly StructPageLayout? _layout;
    private List<Finding> _problems = [];

    private AddressFinder(KernelView kernel, MemmapReader? memmap, StructPageLayout? layout, SlabCaches? slabs)
    {
        (_kernel, _crashed, _memmap, _layout, _slabs) = (kernel, kernel.RequireKernel(), memmap, layout, slabs);
        _areas = new(kernel);
        _perCpu = new(kernel);
        _image = kernel.Symbols is { } all ? new(all) : null;
        _reserved = ReservedFlag(kernel.Types);
        _stacks = kernel is { Symbols: { } symbols, Types: { } types }
            ? new(_crashed.Architecture, kernel.PhysicalMemory.PageShift, _crashed.Memory, symbols, types, kernel.PerCpu) : null;
    }

    /// <summary>Prepares it; nothing is read yet.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="memmap">The memmap; null if it cannot be found.</param>
    /// <param name="layout">The layout of its structures; null if it is not known.</param>
    /// <param name="slabs">The slab caches; null if they cannot be found.</param>
    /// <exception cref="MissingInformationException">The kernel's memory is not there.</exception>
    public static AddressFinder Open(KernelView kernel, MemmapReader? memmap, StructPageLayout? layout, SlabCaches? slabs)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        return new(kernel, memmap, layout, slabs);
    }

    /// <summary>What a virtual address of the kernel is.</summary>
    /// <param name="address">The address.</param>
    public AddressFacts Find(ulong address)
    {
        Translation at = _crashed.Memory.Translate(address);
        var facts = new AddressFacts { Address = address, Physical = at.Status == MemoryStatus.Ok ? at.PhysicalAddress : null, Status = at.Status };
        Describe(facts, address);
        return facts;
    }

    /// <summary>What a physical address is: what is known of it by the kernel's map of all memory.</summary>
    /// <param name="physical">The address.</param>
    public AddressFacts FindPhysical(ulong physical)
    {
        ulong? address = _crashed.Memory.LinearAddressOf(physical);
        var facts = new AddressFacts { Address = address, Physical = physical };
        if (address is { } linear)
            Describe(facts, linear);
        return facts;
    }

    /// <summary>What an address of a process is.</summary>
    /// <param name="task">The process, or a thread of it.</param>
    /// <param name="address">The address.</param>
    /// <exception cref="VmcoreException">It has no memory of its own, or its page tables cannot be found.</exception>
    public AddressFacts Find(KernelTask task, ulong address)
    {
        ArgumentNullException.ThrowIfNull(task);
        var memory = ProcessMemory.Open(_kernel, task);
        Translation at = memory.Memory.Translate(address);
        var facts = new AddressFacts { Address = address, Physical = at.Status == MemoryStatus.Ok ? at.PhysicalAddress : null, Status = at.Status };
        KernelVfs? vfs = null;
        if (memory.Areas.FirstOrDefault(a => address >= a.Start && address < a.End) is { } area)
        {
            if (area.File != 0)
                vfs = KernelVfs.Open(_kernel);
            facts.Mapping = new()
            {
                Range = new(area.Start, area.End),
                Permissions = area.Permissions,
                File = area.File,
                FileOffset = area.File == 0 ? 0 : area.Offset + (address - area.Start),
                Path = vfs?.PathOfFile(area.File).Text,
            };
        }

        facts.Problems = [.. memory.Problems, .. vfs?.Problems ?? []];
        return facts;
    }

    private void Describe(AddressFacts facts, ulong address)
    {
        _problems = [];
        facts.Pattern = AddressPattern.Of(address);
        facts.IsDirectMap = facts.Physical is { } physical && _crashed.Memory.LinearAddressOf(physical) == address;
        Code(facts, address);
        if (facts.IsDirectMap && _crashed.Memory.ImageAddressOf(facts.Physical!.Value) is { } alias)
        {
            facts.Alias = alias;
            Code(facts, alias);
        }

        // What was of the kernel's start is anybody's by now: then the page says what is there, by its own address.
        bool isFreed = facts is { Module: null, Part: not null, Physical: not null } && IsFreed(facts.Physical.Value);
        if (isFreed)
        {
            facts.Former = facts.Symbol;
            facts.Symbol = null;
            facts.Part = null;
            address = _crashed.Memory.LinearAddressOf(facts.Physical!.Value) ?? address;
        }

        facts.KnownBy = address;
        if (facts.Physical is not null && facts.Symbol is null)
            Object(facts, address);
        if (!_crashed.Memory.IsKernelAddress(address))
        {
            facts.Problems = _problems;
            return;
        }

        if (facts.Object is null)
        {
            facts.Stack = OnStack(address);
            Finding? problem = null;
            if (facts is { Symbol: null, Part: null })
                facts.PerCpu = _perCpu.Find(address, out problem);
            Note(facts.PerCpu is null ? problem : null);
            facts.Area = _areas.Find(address, out problem);
            Note(facts is { Area: null, IsDirectMap: false, Part: null } ? problem : null);
            Struct(facts, address);
        }

        facts.Problems = _problems;
    }

    // The boot allocator's pages are reserved until they are given away: mm/page_alloc.c, free_reserved_page().
    private bool IsFreed(ulong physical)
    {
        if (_memmap is null || _layout is null || _reserved is not { } bit)
            return false;
        byte[] two = new byte[2 * _memmap.StructPageSize];
        return _memmap.TryReadPair(physical >> _kernel.PhysicalMemory.PageShift, two)
            && (BinaryPrimitives.ReadUInt64LittleEndian(two.AsSpan(_layout.Flags)) >> bit & 1) == 0;
    }

    private static int? ReservedFlag(KernelTypes? types)
    {
        foreach (KernelEnumerator flag in types?.FindNamed(KernelTypeKind.Enum, "pageflags")?.Enumerators ?? [])
        {
            if (flag is { Name: "PG_reserved", Value: >= 0 and < 64 })
                return (int)flag.Value;
        }

        return null;
    }

    private void Note(Finding? problem)
    {
        if (problem is not null)
            _problems.Add(problem);
    }

    private void Code(AddressFacts facts, ulong address)
    {
        if (_kernel.Symbols is not { } symbols)
        {
            Note(_kernel.SymbolsProblem);
            return;
        }

        if (symbols.TryResolve(address, out KernelSymbol symbol, out ulong offset))
            (facts.Symbol, facts.SymbolOffset) = (symbol, offset);
        facts.Module = _kernel.Modules?.Find(address);
        facts.Part = facts.Module is { } module ? ModuleParts.Of(module, address) : _image!.Of(address);
        if (facts.Module is null && facts.Part is null && symbol.Module is null)
            facts.Symbol = null;
    }

    private void Object(AddressFacts facts, ulong address)
    {
        if (_slabs is null)
        {
            Note(new(FindingCode.SlabUnknown, address, "the slab caches cannot be found"));
            return;
        }

        facts.Object = _slabs.Find(address, out Finding? problem);
        Note(problem);
        if (facts.Object is not { } item)
            return;
        facts.Slab = _slabs.SlabAt(address);
        facts.State = _slabs.StateOf(item, out problem);
        Note(problem);
        ulong size = (ulong)(_kernel.Types?.FindNamed(KernelTypeKind.Struct, "task_struct")?.Size ?? 0);
        facts.Task = _kernel.Tasks?.Tasks.FirstOrDefault(t => address >= t.Address && address - t.Address < size);
    }

    private StackPlace? OnStack(ulong address)
    {
        if (_stacks is null)
            return null;
        foreach (KernelTask task in _kernel.Tasks?.Tasks ?? [])
        {
            if (_stacks.OfTask(task) is { } stack && stack.Contains(address))
                return new() { Range = stack, Task = task };
        }

        foreach (int cpu in _kernel.PerCpu?.Possible ?? [])
        {
            foreach (VirtualRange stack in _stacks.OfCpu(cpu))
            {
                if (stack.Contains(address))
                    return new() { Range = stack, Cpu = cpu, Name = _stacks.NameOf(stack) };
            }
        }

        return null;
    }

    private void Struct(AddressFacts facts, ulong address)
    {
        ulong size = (ulong)(_memmap?.StructPageSize ?? 0);
        foreach (PfnRange range in _memmap is null ? PfnRangeSet.Empty : _kernel.PhysicalMemory.Extents)
        {
            // There are structures for all of a section, also where no memory is.
            ulong last = range.End | SectionMask;
            for (ulong pfn = range.Start & ~SectionMask; pfn < last;)
            {
                bool exists = _memmap!.Model.TryGetStructPage(pfn, out ulong first, out ulong runEnd);
                ulong end = Math.Min(runEnd, last + 1);
                if (exists && address >= first && (address - first) / size < end - pfn)
                {
                    facts.DescribedPage = pfn + ((address - first) / size);
                    facts.DescribedOffset = (address - first) % size;
                    return;
                }

                pfn = Math.Max(end, pfn + 1);
            }
        }
    }
}
