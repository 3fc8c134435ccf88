using System.Buffers.Binary;

namespace Vmcore.Architectures.Arm64;

/// <summary>
/// Branches, and addresses that adrp and the instruction behind it make together. Source: Arm Architecture Reference Manual for A-profile, C4.1 (encodings).
/// </summary>
internal sealed class Arm64References : IInstructionReferences
{
    private const int Registers = 32;
    private const int PageShift = 12; // Of adrp, whatever pages the kernel has.

    // What is known to be in each register; null if it is not.
    private readonly ulong?[] _known = new ulong?[Registers];

    /// <inheritdoc/>
    public void Forget() => Array.Clear(_known);

    /// <inheritdoc/>
    public InstructionReference Next(ReadOnlySpan<byte> code, ulong address)
    {
        if (code.Length < sizeof(uint))
        {
            Forget();
            return default;
        }

        uint word = BinaryPrimitives.ReadUInt32LittleEndian(code);
        InstructionFlow flow = FlowOf(word);
        if (flow is InstructionFlow.Next or InstructionFlow.Trap)
            return new(flow, null, Operand(word, address));
        ulong? target = Target(word, address);

        // A function may change all that it need not keep; behind a jump nothing is known of who comes there.
        if (flow is InstructionFlow.Call)
            Array.Clear(_known, 0, 19);
        else if (flow is not InstructionFlow.Branch)
            Forget();
        _known[30] = null;
        return new(flow, target, null);
    }

    private static InstructionFlow FlowOf(uint word)
    {
        if ((word & 0x7c00_0000) == 0x1400_0000)
            return (word & 0x8000_0000) != 0 ? InstructionFlow.Call : InstructionFlow.Jump;

        // B.cond and BC.cond; CBZ, CBNZ; TBZ, TBNZ.
        if ((word & 0xff00_0000) == 0x5400_0000 || (word & 0x7e00_0000) is 0x3400_0000 or 0x3600_0000)
            return InstructionFlow.Branch;

        // By register, also with pointer authentication: opc 0 is BR, 1 BLR, 2 RET, 4 ERET.
        if ((word & 0xfe00_0000) == 0xd600_0000)
        {
            return ((word >> 21) & 0x7) switch
            {
                0 => InstructionFlow.Jump,
                1 => InstructionFlow.Call,
                2 or 4 => InstructionFlow.Return,
                _ => InstructionFlow.Next,
            };
        }

        // BRK and HLT; UDF.
        return (word & 0xffe0_001f) is 0xd420_0000 or 0xd440_0000 || word <= 0xffff ? InstructionFlow.Trap : InstructionFlow.Next;
    }

    private static ulong? Target(uint word, ulong address)
    {
        int bits = (word & 0x7c00_0000) == 0x1400_0000 ? 26 : (word & 0x7e00_0000) == 0x3600_0000 ? 14 : (word & 0xfe00_0000) == 0xd600_0000 ? 0 : 19;
        if (bits == 0)
            return null;
        int from = bits == 26 ? 0 : 5;
        long distance = SignExtend((word >> from) & ((1UL << bits) - 1), bits) * sizeof(uint);
        return unchecked(address + (ulong)distance);
    }

    private ulong? Operand(uint word, ulong address)
    {
        int destination = (int)(word & 0x1f), source = (int)((word >> 5) & 0x1f);

        // ADR and ADRP.
        if ((word & 0x1f00_0000) == 0x1000_0000)
        {
            long distance = SignExtend((((ulong)word >> 5) & 0x7ffff) << 2 | ((word >> 29) & 3), 21);
            bool isPage = (word & 0x8000_0000) != 0;
            ulong made = isPage ? unchecked((address >> PageShift << PageShift) + ((ulong)distance << PageShift)) : unchecked(address + (ulong)distance);
            Set(destination, made);

            // Of a page only what is put together with the next instruction is worth a name.
            return isPage ? null : made;
        }

        // ADD (immediate), 64 bits, without flags.
        if ((word & 0xff80_0000) == 0x9100_0000)
        {
            ulong immediate = (word >> 10) & 0xfff;
            ulong? sum = source < 31 && _known[source] is { } page ? unchecked(page + ((word & 0x40_0000) != 0 ? immediate << 12 : immediate)) : null;
            Set(destination, sum);
            return sum;
        }

        // Load literal; not PRFM, whose destination is no register.
        if ((word & 0x3b00_0000) == 0x1800_0000)
        {
            if ((word & 0x0400_0000) == 0)
                Set(destination, null);
            return unchecked(address + (ulong)(SignExtend((word >> 5) & 0x7ffff, 19) * sizeof(uint)));
        }

        // Load and store with an unsigned offset.
        if ((word & 0x3b00_0000) == 0x3900_0000)
        {
            bool isVector = (word & 0x0400_0000) != 0;
            int size = (int)(word >> 30) + (isVector && (word & 0x80_0000) != 0 ? 4 : 0);
            ulong? at = source < 31 && _known[source] is { } page ? unchecked(page + (((word >> 10) & 0xfff) << size)) : null;
            bool isLoad = (word & 0xc0_0000) != 0;
            if (isLoad && !isVector)
                Set(destination, null);
            return at;
        }

        // Of all others each register that one of them may write: too much rather than too little.
        Set(destination, null);
        bool isLoadOrStore = (word & 0x0a00_0000) == 0x0800_0000;
        if (isLoadOrStore)
        {
            Set(source, null);
            Set((int)((word >> 10) & 0x1f), null);
            Set((int)((word >> 16) & 0x1f), null);
        }

        return null;
    }

    private void Set(int register, ulong? value)
    {
        if (register < 31)
            _known[register] = value;
    }

    private static long SignExtend(ulong value, int bits) => (long)(value << (64 - bits)) >> (64 - bits);
}
