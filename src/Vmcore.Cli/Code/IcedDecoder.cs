using Iced.Intel;
using Vmcore.Architectures;

namespace Vmcore.Cli.Code;

/// <summary>Reads instructions by Iced, and writes them in the syntax of the kernel's own tools (AT&amp;T).</summary>
internal sealed class IcedDecoder : IInstructionDecoder
{
    private const int Bits = 64;
    private const int OperandColumn = 7; // As objdump has it.

    private readonly Bytes _bytes = new();
    private readonly Decoder _decoder;
    private readonly StringOutput _text = new();
    private readonly GasFormatter _formatter = new(new FormatterOptions
    {
        FirstOperandCharIndex = OperandColumn,
        UppercaseHex = false,
        HexPrefix = "0x",
        SpaceAfterOperandSeparator = false,
        SmallHexNumbersInDecimal = false,
        RipRelativeAddresses = true,
        ShowBranchSize = false,
        BranchLeadingZeros = false,
        SignedImmediateOperands = false,
    });

    internal IcedDecoder() => _decoder = Decoder.Create(Bits, _bytes);

    /// <inheritdoc/>
    public DecodedInstruction? TryDecode(ReadOnlySpan<byte> code, ulong address)
    {
        _bytes.Set(code);
        _decoder.IP = address;
        _decoder.Decode(out Instruction instruction);
        if (instruction.IsInvalid)
            return null;
        _formatter.Format(instruction, _text);
        bool isRelative = instruction.IsIPRelativeMemoryOperand;
        bool isFixed = !isRelative && IsFixed(instruction);
        return new()
        {
            Length = instruction.Length,
            Text = _text.ToStringAndReset().TrimEnd(),
            Flow = FlowOf(instruction),
            Target = IsDirect(instruction) ? instruction.NearBranchTarget : null,
            Operand = isRelative ? instruction.IPRelativeMemoryAddress : isFixed ? instruction.MemoryDisplacement64 : null,
            IsPerCpu = instruction.SegmentPrefix is Register.GS && (isRelative || isFixed),
        };
    }

    // An address in the instruction itself, without a register: what one of the CPU's area is told by.
    private static bool IsFixed(Instruction instruction) => instruction is
    {
        MemoryBase: Register.None,
        MemoryIndex: Register.None,
        MemoryDisplSize: > 1,
    } && HasMemory(instruction);

    private static bool HasMemory(Instruction instruction)
    {
        for (int i = 0; i < instruction.OpCount; i++)
        {
            if (instruction.GetOpKind(i) == OpKind.Memory)
                return true;
        }

        return false;
    }

    private static bool IsDirect(Instruction instruction) => instruction.OpCount > 0 && instruction.GetOpKind(0) is OpKind.NearBranch64 or OpKind.NearBranch32;

    private static InstructionFlow FlowOf(Instruction instruction) => instruction.FlowControl switch
    {
        FlowControl.Call or FlowControl.IndirectCall when instruction.Code is not (Iced.Intel.Code.Syscall or Iced.Intel.Code.Sysenter) => InstructionFlow.Call,
        FlowControl.UnconditionalBranch or FlowControl.IndirectBranch => InstructionFlow.Jump,
        FlowControl.ConditionalBranch => InstructionFlow.Branch,
        FlowControl.Return => InstructionFlow.Return,
        FlowControl.Interrupt or FlowControl.Exception => InstructionFlow.Trap,
        _ => InstructionFlow.Next,
    };

    // The decoder asks for bytes one by one.
    private sealed class Bytes : CodeReader
    {
        private const int Most = 15;

        private readonly byte[] _code = new byte[Most];
        private int _at;
        private int _count;

        internal void Set(ReadOnlySpan<byte> code)
        {
            _count = Math.Min(code.Length, Most);
            code[.._count].CopyTo(_code);
            _at = 0;
        }

        public override int ReadByte() => _at < _count ? _code[_at++] : -1;
    }
}
