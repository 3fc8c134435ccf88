namespace Vmcore.Kernel.Code;

/// <summary>Which code is asked for.</summary>
public sealed record CodeRequest
{
    /// <summary>Stands for all instructions up to the function's start, or end.</summary>
    public const int All = int.MaxValue;

    /// <summary>A virtual address in code.</summary>
    public required ulong Address { get; init; }

    /// <summary>True if a call returns to the address: then the call is the instruction that is asked for.</summary>
    public bool IsReturn { get; init; }

    /// <summary>Instructions before it, of the same function.</summary>
    public int Before { get; init; } = All;

    /// <summary>Instructions from it on, itself included, of the same function.</summary>
    public int Count { get; init; } = All;
}
