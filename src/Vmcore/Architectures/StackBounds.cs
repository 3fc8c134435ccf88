using Vmcore.Ranges;

namespace Vmcore.Architectures;

/// <summary>
/// The stacks that one walk can be on: that of the task, and of a CPU those of interrupts and exceptions. A step is believed only if it stays on one of
/// them and goes up; a walk that left a stack comes back to it higher up or not at all.
/// </summary>
/// <param name="task">The task's stack; null if it is not known.</param>
/// <param name="others">Those of its CPU; none for a task that sleeps.</param>
internal sealed class StackBounds(VirtualRange? task, IReadOnlyList<VirtualRange> others)
{
    // Below a stack of the kernel lies a page that is not mapped: where it overflows, the stack pointer is there.
    private const ulong GuardSize = 4096;

    // Of each stack that the walk was on: where it starts, and the highest stack pointer.
    private readonly List<ulong> _starts = [];
    private readonly List<ulong> _highest = [];

    /// <summary>Checks a step.</summary>
    /// <param name="sp">The stack pointer of the caller, or where its frame ends.</param>
    /// <param name="interrupted">True if the caller was interrupted: its stack may have overflowed.</param>
    /// <returns>Null if it is sound; else a clause on what is wrong.</returns>
    internal string? Step(ulong sp, bool interrupted = false)
    {
        if (StackOf(sp, interrupted) is not { } stack)
            return $"0x{sp:x}, where its caller's frame would be, is on no stack that is known";
        int known = _starts.IndexOf(stack.Start);
        if (known < 0)
        {
            _starts.Add(stack.Start);
            _highest.Add(sp);
            return null;
        }

        if (sp <= _highest[known])
            return $"the stack pointer goes backwards, from 0x{_highest[known]:x} to 0x{sp:x}";
        _highest[known] = sp;
        return null;
    }

    /// <summary>The stack that an address is on.</summary>
    /// <param name="sp">A stack pointer; one that has come to the end counts too.</param>
    /// <param name="withGuard">True if the page below the task's stack counts too.</param>
    internal VirtualRange? StackOf(ulong sp, bool withGuard = false)
    {
        if (task is { } own && sp > own.Start - (withGuard ? GuardSize : 0) && sp <= own.End)
            return own;
        foreach (VirtualRange stack in others)
        {
            if (sp > stack.Start && sp <= stack.End)
                return stack;
        }

        return null;
    }
}
