namespace Vmcore.Architectures;

/// <summary>The registers of an architecture, as <c>struct pt_regs</c> and the note NT_PRSTATUS have them: words of eight bytes.</summary>
internal sealed record RegisterSet
{
    /// <summary>Names in the order of the structure.</summary>
    internal required string[] Names { get; init; }

    /// <summary>Names in the order in which they are shown, a line each.</summary>
    internal required string[][] Lines { get; init; }

    /// <summary>Index of the instruction pointer.</summary>
    internal required int InstructionPointer { get; init; }

    /// <summary>Index of the stack pointer.</summary>
    internal required int StackPointer { get; init; }

    /// <summary>Index of the frame pointer.</summary>
    internal required int FramePointer { get; init; }

    /// <summary>Index of the register that says whether the CPU was in user mode.</summary>
    internal required int Mode { get; init; }

    /// <summary>Bits of that register that say it.</summary>
    internal required ulong ModeMask { get; init; }

    /// <summary>Their value in user mode.</summary>
    internal required ulong UserMode { get; init; }

    /// <summary>Offset of the registers in the descriptor of NT_PRSTATUS: the same in every <c>struct elf_prstatus</c> of 64 bits.</summary>
    internal int NoteOffset => 112;

    /// <summary>Words of the registers in a core file of a process (elf_gregset_t), where it has more than <see cref="Names"/>; 0 where it has not.</summary>
    internal int CoreWords { get; init; }

    /// <summary>Members of <c>struct thread_struct</c> whose values follow the registers there.</summary>
    internal string[] ThreadMembers { get; init; } = [];

    /// <summary>Bytes of the registers.</summary>
    internal int Size => Names.Length * sizeof(ulong);
}

/// <summary>Where <c>struct task_struct</c> keeps the registers of a task that sleeps: members, outermost first; a digit is the number of an element.</summary>
/// <param name="InstructionPointer">Where it goes on.</param>
/// <param name="StackPointer">Its stack pointer.</param>
/// <param name="FramePointer">Its frame pointer.</param>
internal sealed record SleepingState(string[] InstructionPointer, string[] StackPointer, string[] FramePointer);
