namespace Vmcore.Kernel.Cores;

/// <summary>A range of a process's memory in its core file.</summary>
/// <param name="Start">First virtual address.</param>
/// <param name="End">One past the last.</param>
/// <param name="Reason">Why it is not in the core file, as a clause; null if it is, or if the process had no page there.</param>
public sealed record CoreRange(ulong Start, ulong End, string? Reason)
{
    /// <summary>True if its bytes are in the core file.</summary>
    internal bool IsPresent { get; init; }

    /// <summary>True if the process had no page there, and would have read zeroes.</summary>
    internal bool IsZero { get; init; }

    /// <summary>p_flags of its PT_LOAD.</summary>
    internal uint Flags { get; init; }
}
