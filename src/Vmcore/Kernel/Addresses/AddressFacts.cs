using Vmcore.Findings;
using Vmcore.Kernel.Modules;
using Vmcore.Kernel.Slab;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Tasks;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Kernel.Addresses;

/// <summary>The stack that an address is on.</summary>
public sealed class StackPlace
{
    /// <summary>The stack.</summary>
    public required VirtualRange Range { get; init; }

    /// <summary>The task whose stack it is; null of a CPU's stack for interrupts or exceptions.</summary>
    public KernelTask? Task { get; init; }

    /// <summary>The CPU whose stack for interrupts or exceptions it is; null of a task's.</summary>
    public int? Cpu { get; init; }

    /// <summary>What the kernel calls a CPU's stack: <c>hardirq_stack_ptr</c>, <c>NMI_stack</c>.</summary>
    public string? Name { get; init; }
}

/// <summary>Virtual memory of a process.</summary>
public sealed class MappingPlace
{
    /// <summary>The addresses.</summary>
    public required VirtualRange Range { get; init; }

    /// <summary>Permissions as /proc/PID/maps shows them, for example <c>rw-s</c>.</summary>
    public required string Permissions { get; init; }

    /// <summary>Virtual address of the <c>struct file</c> that is mapped; 0 of memory without a file.</summary>
    public required ulong File { get; init; }

    /// <summary>Bytes from the start of the file.</summary>
    public required ulong FileOffset { get; init; }

    /// <summary>Path of the file; null if there is none, or it is not in the dump.</summary>
    public string? Path { get; init; }
}

/// <summary>What is known of an address. Several things may be true of one: a task's stack is also an area of vmalloc.</summary>
public sealed class AddressFacts
{
    /// <summary>The virtual address; null of a physical one that the kernel's map of all memory has not.</summary>
    public ulong? Address { get; init; }

    /// <summary>Where it lies in physical memory; null if it is not mapped there, or that cannot be told (<see cref="Status"/>).</summary>
    public ulong? Physical { get; init; }

    /// <summary>How the translation of the address ended.</summary>
    public MemoryStatus Status { get; init; }

    /// <summary>True if it is in the kernel's map of all memory (direct or linear map).</summary>
    public bool IsDirectMap { get; internal set; }

    /// <summary>The address that the kernel's image has the same memory at, and that it is named by; null if it is no other name of a part of the
    /// image.</summary>
    public ulong? Alias { get; internal set; }

    /// <summary>The symbol of the kernel's image that was here until the kernel gave the memory away after its start (free_reserved_area); it says nothing of
    /// what is here now. Null if the memory is no part of the image, or is still the image's.</summary>
    public KernelSymbol? Former { get; internal set; }

    /// <summary>The address by which the kernel knows what is here, from which offsets count: <see cref="Address"/> itself or, of init memory that was freed,
    /// that in the kernel's map of all memory. Null if there is no address.</summary>
    public ulong? KnownBy { get; internal set; }

    /// <summary>What a pointer of this value means, where kernels have one for something else than a place: poison of lists and slabs, an error
    /// number.</summary>
    public string? Pattern { get; internal set; }

    /// <summary>The symbol of the kernel, of a module or of generated code; null if none has it.</summary>
    public KernelSymbol? Symbol { get; internal set; }

    /// <summary>Bytes from the start of the symbol.</summary>
    public ulong SymbolOffset { get; internal set; }

    /// <summary>The part of the kernel's image or of the module: <c>code</c>, <c>data</c>.</summary>
    public string? Part { get; internal set; }

    /// <summary>The module that it is of.</summary>
    public KernelModule? Module { get; internal set; }

    /// <summary>The object of a slab cache; null if it is of no slab.</summary>
    public SlabObject? Object { get; internal set; }

    /// <summary>The slab of that.</summary>
    public SlabPages? Slab { get; internal set; }

    /// <summary>Whether the object is in use.</summary>
    public SlabObjectState State { get; internal set; }

    /// <summary>The task whose <c>task_struct</c> it is in.</summary>
    public KernelTask? Task { get; internal set; }

    /// <summary>The stack that it is on.</summary>
    public StackPlace? Stack { get; internal set; }

    /// <summary>The place in the memory of a CPU.</summary>
    public PerCpuPlace? PerCpu { get; internal set; }

    /// <summary>The area of vmalloc.</summary>
    public VmallocArea? Area { get; internal set; }

    /// <summary>The page whose <c>struct page</c> it is in; null if it is in none.</summary>
    public ulong? DescribedPage { get; internal set; }

    /// <summary>Bytes from the start of that <c>struct page</c>.</summary>
    public ulong DescribedOffset { get; internal set; }

    /// <summary>The mapping of a process.</summary>
    public MappingPlace? Mapping { get; internal set; }

    /// <summary>What cannot be told.</summary>
    public IReadOnlyList<Finding> Problems { get; internal set; } = [];
}
