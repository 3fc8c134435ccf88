namespace Vmcore.Architectures;

/// <summary>How a per-CPU variable names a stack.</summary>
internal enum CpuStackKind
{
    /// <summary>It points to the end of the stack, or to the last word of it.</summary>
    End,

    /// <summary>It points to the start of the stack.</summary>
    Start,

    /// <summary>It is the stack.</summary>
    Itself,

    /// <summary>It points to a structure whose members are stacks, but those with <c>guard</c> in their names.</summary>
    Members,
}

/// <summary>A per-CPU variable that names a stack of interrupts or exceptions.</summary>
/// <param name="Variable">The variable.</param>
/// <param name="Kind">How it names the stack.</param>
internal sealed record CpuStackVariable(string Variable, CpuStackKind Kind)
{
    /// <summary>If the variable is a structure: its type's name and the member that is meant.</summary>
    internal (string Type, string Member)? Within { get; init; }

    /// <summary>Bytes of the stack; 0 for that of a task's. Of <see cref="CpuStackKind.Members"/> it is not asked.</summary>
    internal int Size { get; init; }

    /// <summary>Of <see cref="CpuStackKind.Members"/>: the type of the structure.</summary>
    internal string Type { get; init; } = "";

    /// <summary>Of <see cref="CpuStackKind.Members"/>: the structure that holds it and one more stack, with the names of both members.</summary>
    internal (string Type, string Member, string Stack)? Outer { get; init; }
}
