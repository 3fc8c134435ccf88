using Vmcore.Findings;

namespace Vmcore.Architectures;

/// <summary>How a stack was walked.</summary>
public enum StackMethod
{
    /// <summary>By the kernel's own unwind tables.</summary>
    Orc,

    /// <summary>By the chain of frame pointers or frame records.</summary>
    FramePointers,

    /// <summary>Every word of the stack that is an address in code: callers, and remains of earlier calls.</summary>
    Scan,
}

/// <summary>One frame of a stack.</summary>
public sealed record StackFrame
{
    /// <summary>Where the code is: the interrupted instruction, or the one that a call returns to.</summary>
    public required ulong Address { get; init; }

    /// <summary>The stack pointer in this frame; of a scan, where the address was found.</summary>
    public required ulong StackPointer { get; init; }

    /// <summary>True if the frame was interrupted: <see cref="Address"/> did not come from a call.</summary>
    public bool IsInterrupted { get; init; }

    /// <summary>False if the frame was only found by a scan: it may be a remain of an earlier call.</summary>
    public bool IsReliable { get; init; } = true;

    /// <summary>All registers, where an exception or interrupt saved them; of the first frame those of the CPU. Null elsewhere.</summary>
    public CpuRegisters? Registers { get; init; }

    /// <summary>The address to be asked symbols for: that of the call, which may be the last instruction of its function.</summary>
    public ulong SymbolAddress => IsInterrupted ? Address : Address - 1;
}

/// <summary>The stack of a task.</summary>
/// <param name="Method">How it was walked.</param>
/// <param name="Frames">The frames, innermost first.</param>
/// <param name="Problem">What ended it early, as one clause; null if it is whole.</param>
public sealed record TaskStack(StackMethod Method, IReadOnlyList<StackFrame> Frames, Finding? Problem)
{
    /// <summary>True if there is no stack any more: the task has ended, and the kernel has taken it back (put_task_stack). Nothing is missing then.</summary>
    public bool IsGone { get; init; }

    /// <summary>The same of a clause.</summary>
    internal static TaskStack Of(StackMethod method, IReadOnlyList<StackFrame> frames, string? problem) =>
        new(method, frames, Finding.Of(FindingCode.StackIncomplete, problem));
}
