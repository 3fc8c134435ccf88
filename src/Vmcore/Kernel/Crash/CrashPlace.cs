namespace Vmcore.Kernel.Crash;

/// <summary>What tells of a function on the way to a crash.</summary>
public enum CrashSource
{
    /// <summary>Registers in the dump: of a CPU, or saved where an exception or interrupt struck.</summary>
    Registers,

    /// <summary>A return address on the stack in the dump.</summary>
    Stack,

    /// <summary>The text of the kernel's log.</summary>
    Log,
}

/// <summary>A function on the way to a crash.</summary>
/// <param name="Function">Its name as the kernel's symbols have it, with what the compiler added; null if the address is in no code.</param>
/// <param name="Module">The module that it is of; null for the kernel's image.</param>
/// <param name="Offset">Distance of the address from its start, in bytes.</param>
/// <param name="Address">The address: of the instruction that was interrupted, or the one that a call returns to. Null if the log tells of it.</param>
/// <param name="Source">What tells of it.</param>
public sealed record CrashPlace(string? Function, string? Module, ulong Offset, ulong? Address, CrashSource Source)
{
    /// <summary>What stands for a place that is in no code: where a wrong pointer to a function led.</summary>
    public const string NoCode = "(no code)";

    /// <summary>The name without what the compiler added; <see cref="NoCode"/> if there is none.</summary>
    public string Name => Function is null ? NoCode : FrameNames.Normalise(Function, Module);

    /// <summary>As people write it: <c>foo [bar]</c>, or <c>foo</c> of the kernel's image.</summary>
    public override string ToString() => Function is null || Module is null || Name.EndsWith(']') ? Name : $"{Name} [{Module}]";
}
