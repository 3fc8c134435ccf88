using Vmcore.Architectures;
using Vmcore.Memory;

namespace Vmcore.Kernel.Code;

/// <summary>A piece of code: one instruction, bytes that are none, or bytes that cannot be read.</summary>
/// <param name="Address">Virtual address of the first byte.</param>
/// <param name="Length">Number of bytes.</param>
public sealed record CodeLine(ulong Address, int Length)
{
    /// <summary>The bytes; empty if they cannot be read.</summary>
    public ReadOnlyMemory<byte> Bytes { get; init; }

    /// <summary>The instruction; null if the bytes are none that the decoder knows, or cannot be read.</summary>
    public DecodedInstruction? Instruction { get; init; }

    /// <summary>Why the bytes cannot be read; <see cref="MemoryStatus.Ok"/> if they can.</summary>
    public MemoryStatus Status { get; init; }

    /// <summary>True of the instruction that was asked for: the one at an address, or the call that comes back to it.</summary>
    public bool IsCurrent { get; init; }
}
