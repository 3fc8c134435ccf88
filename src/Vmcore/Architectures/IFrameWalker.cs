using Vmcore.Memory;

namespace Vmcore.Architectures;

/// <summary>Walks a stack.</summary>
internal interface IFrameWalker
{
    /// <summary>Walks from registers, or from what a sleeping task has left.</summary>
    /// <param name="ip">Where the code is.</param>
    /// <param name="sp">The stack pointer.</param>
    /// <param name="fp">The frame pointer.</param>
    /// <param name="registers">The CPU's registers; null for a task that sleeps.</param>
    /// <param name="interrupted">True if no call led to <paramref name="ip"/>.</param>
    /// <param name="stacks">The stacks that the walk can be on. The first frame is given; each further one is proven.</param>
    TaskStack Run(ulong ip, ulong sp, ulong fp, CpuRegisters? registers, bool interrupted, StackBounds stacks);
}

/// <summary>What a walker of stacks asks of the rooms above.</summary>
/// <param name="Memory">The kernel's memory.</param>
/// <param name="IsCode">Tells whether an address lies in code: the kernel's, a module's, or generated.</param>
/// <param name="MemberOffset">Offset of a member of a structure, both by name; null if it is not known.</param>
internal sealed record StackSurroundings(IVirtualMemory Memory, Func<ulong, bool> IsCode, Func<string, string, int?> MemberOffset)
{
    /// <summary>Gives the start of the function that an address is in; null if it is in none.</summary>
    internal required Func<ulong, ulong?> FunctionAt { get; init; }

    /// <summary>Gives the entry of the kernel's unwind tables (ORC) for an address; null if there are no such tables.</summary>
    internal Func<ulong, OrcEntry>? FindOrc { get; init; }

    /// <summary>Tells whether an address lies in a BPF program or its trampoline: generated code that sets up a frame pointer.</summary>
    internal Func<ulong, bool> IsFramed { get; init; } = static _ => false;

    /// <summary>True if the kernel was built with frame pointers.</summary>
    internal bool HasFramePointers { get; init; }
}
