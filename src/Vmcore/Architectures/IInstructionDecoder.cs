namespace Vmcore.Architectures;

/// <summary>Where control goes behind an instruction.</summary>
public enum InstructionFlow
{
    /// <summary>To the next one.</summary>
    Next,

    /// <summary>To a function that comes back.</summary>
    Call,

    /// <summary>Elsewhere.</summary>
    Jump,

    /// <summary>Elsewhere, or to the next one.</summary>
    Branch,

    /// <summary>Back to whoever called, or interrupted.</summary>
    Return,

    /// <summary>To a handler of the kernel: the instruction is there to be noticed (ud2, int3, brk).</summary>
    Trap,
}

/// <summary>One instruction, as a decoder read it.</summary>
public sealed record DecodedInstruction
{
    /// <summary>Number of its bytes.</summary>
    public required int Length { get; init; }

    /// <summary>The instruction as assemblers write it.</summary>
    public required string Text { get; init; }

    /// <summary>Where control goes behind it.</summary>
    public InstructionFlow Flow { get; init; }

    /// <summary>Virtual address that a jump or a call names; null if it is read from a register or from memory, and for other instructions.</summary>
    public ulong? Target { get; init; }

    /// <summary>Virtual address of what the instruction reads, writes or takes the address of, where its own bytes and its own address say it; null
    /// elsewhere.</summary>
    public ulong? Operand { get; init; }

    /// <summary>True if <see cref="Operand"/> counts from the area of the CPU: it is the offset of a per-CPU variable.</summary>
    public bool IsPerCpu { get; init; }
}

/// <summary>
/// Reads instructions of one machine. This library has no decoder: whoever wants code to be shown brings one (<c>Kernel.Code.CodeListing</c>).
/// </summary>
public interface IInstructionDecoder
{
    /// <summary>Reads one instruction.</summary>
    /// <param name="code">Bytes from its first one on: enough for the longest instruction, or less at the end of what is known.</param>
    /// <param name="address">Virtual address of the first byte.</param>
    /// <returns>Null if the bytes are no instruction, or one that the decoder does not know, or it goes on behind them.</returns>
    DecodedInstruction? TryDecode(ReadOnlySpan<byte> code, ulong address);
}
