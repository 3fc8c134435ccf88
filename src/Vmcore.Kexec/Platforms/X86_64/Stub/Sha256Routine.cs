using Vmcore.Hashing;

namespace Vmcore.Kexec;

/// <summary>The machine code that hashes memory at the crash: general registers only, since SSE is off then.</summary>
internal static class Sha256Routine
{
    // Names for this routine. The eight words of the state live in registers; the rounds rename instead of moving them.
    private const Reg State = Reg.Rdi;
    private const Reg Data = Reg.Rsi;
    private const Reg Blocks = Reg.Rbp;
    private const Reg T0 = Reg.R12;
    private const Reg T1 = Reg.R13;
    private const Reg Index = Reg.R14;
    private const Reg Constants = Reg.R15;
    private const int ScheduleBytes = 64 * 4;

    private static readonly Reg[] Words = [Reg.Rax, Reg.Rbx, Reg.Rcx, Reg.Rdx, Reg.R8, Reg.R9, Reg.R10, Reg.R11];
    private static readonly Reg[] Saved = [Reg.Rbx, Reg.Rbp, Reg.R12, Reg.R13, Reg.R14, Reg.R15];

    /// <summary>
    /// Emits <c>void blocks(uint32_t state[8], const void *data, uint64_t blocks)</c> by the System V convention:
    /// adds that many 64-byte blocks to the state. Needs about 320 bytes of stack.
    /// </summary>
    /// <param name="asm">Receives the code.</param>
    /// <param name="entry">Is bound to the routine's first instruction.</param>
    /// <param name="constants">Where <see cref="EmitConstants"/> puts the round constants.</param>
    public static void Emit(X64Assembler asm, Label entry, Label constants)
    {
        Label nextBlock = new(), done = new();
        asm.Bind(entry);
        foreach (Reg reg in Saved)
            asm.Push(reg);
        asm.Sub64(Reg.Rsp, ScheduleBytes);
        asm.Mov64(Blocks, Reg.Rdx);
        asm.Lea(Constants, Mem.At(constants));
        asm.Test64(Blocks, Blocks);
        asm.Jump(Condition.Equal, done);

        asm.Bind(nextBlock);
        EmitSchedule(asm);
        for (int i = 0; i < 8; i++)
            asm.Load32(Words[i], Mem.At(State, i * 4));
        EmitRounds(asm);
        for (int i = 0; i < 8; i++)
            asm.AddTo32(Mem.At(State, i * 4), Words[i]);
        asm.Add64(Data, 64);
        asm.Sub64(Blocks, 1);
        asm.Jump(Condition.NotEqual, nextBlock);

        asm.Bind(done);
        asm.Add64(Reg.Rsp, ScheduleBytes);
        for (int i = Saved.Length - 1; i >= 0; i--)
            asm.Pop(Saved[i]);
        asm.Ret();
    }

    /// <summary>Emits the round constants.</summary>
    public static void EmitConstants(X64Assembler asm, Label constants)
    {
        asm.Align(16);
        asm.Bind(constants);
        foreach (uint constant in Sha256.RoundConstants)
            asm.Dword(constant);
    }

    // The state is not loaded yet, so rax and rbx are free.
    private static void EmitSchedule(X64Assembler asm)
    {
        Label load = new(), expand = new();
        asm.Xor32(Index, Index);
        asm.Bind(load);
        asm.Load32(T0, Mem.At(Data, Index, 4));
        asm.Bswap32(T0);
        asm.Store32(Mem.At(Reg.Rsp, Index, 4), T0);
        asm.Add64(Index, 1);
        asm.Cmp64(Index, 16);
        asm.Jump(Condition.NotEqual, load);

        asm.Bind(expand);
        asm.Load32(T0, Mem.At(Reg.Rsp, Index, 4, -15 * 4));
        asm.Mov32(T1, T0);
        asm.Mov32(Reg.Rax, T0);
        asm.Ror32(T0, 7);
        asm.Ror32(T1, 18);
        asm.Shr32(Reg.Rax, 3);
        asm.Xor32(T0, T1);
        asm.Xor32(T0, Reg.Rax);
        asm.Add32(T0, Mem.At(Reg.Rsp, Index, 4, -16 * 4));
        asm.Add32(T0, Mem.At(Reg.Rsp, Index, 4, -7 * 4));
        asm.Load32(Reg.Rax, Mem.At(Reg.Rsp, Index, 4, -2 * 4));
        asm.Mov32(T1, Reg.Rax);
        asm.Mov32(Reg.Rbx, Reg.Rax);
        asm.Ror32(Reg.Rax, 17);
        asm.Ror32(T1, 19);
        asm.Shr32(Reg.Rbx, 10);
        asm.Xor32(Reg.Rax, T1);
        asm.Xor32(Reg.Rax, Reg.Rbx);
        asm.Add32(T0, Reg.Rax);
        asm.Store32(Mem.At(Reg.Rsp, Index, 4), T0);
        asm.Add64(Index, 1);
        asm.Cmp64(Index, 64);
        asm.Jump(Condition.NotEqual, expand);
    }

    private static void EmitRounds(X64Assembler asm)
    {
        Label eight = new();
        asm.Xor32(Index, Index);
        asm.Bind(eight);
        for (int round = 0; round < 8; round++)
            EmitRound(asm, round);
        asm.Add64(Index, 8);
        asm.Cmp64(Index, 64);
        asm.Jump(Condition.NotEqual, eight);
    }

    private static void EmitRound(X64Assembler asm, int round)
    {
        Reg Word(int i) => Words[(i - round) & 7];
        Reg a = Word(0), b = Word(1), c = Word(2), d = Word(3), e = Word(4), f = Word(5), g = Word(6), h = Word(7);

        // h += S1(e): the three rotations by 6, 11 and 25 nested, ((e ror 14 ^ e) ror 5 ^ e) ror 6.
        Nested(asm, e, 14, 5, 6);
        asm.Add32(h, T0);
        // h += Ch(e, f, g) = g ^ (e & (f ^ g)).
        asm.Mov32(T0, f);
        asm.Xor32(T0, g);
        asm.And32(T0, e);
        asm.Xor32(T0, g);
        asm.Add32(h, T0);
        asm.Add32(h, Mem.At(Reg.Rsp, Index, 4, round * 4));
        asm.Add32(h, Mem.At(Constants, Index, 4, round * 4));
        asm.Add32(d, h);
        // h += S0(a): rotations by 2, 13 and 22.
        Nested(asm, a, 9, 11, 2);
        asm.Add32(h, T0);
        // h += Maj(a, b, c) = ((a | b) & c) | (a & b).
        asm.Mov32(T0, a);
        asm.Or32(T0, b);
        asm.And32(T0, c);
        asm.Mov32(T1, a);
        asm.And32(T1, b);
        asm.Or32(T0, T1);
        asm.Add32(h, T0);
    }

    private static void Nested(X64Assembler asm, Reg word, byte first, byte second, byte third)
    {
        asm.Mov32(T0, word);
        asm.Ror32(T0, first);
        asm.Xor32(T0, word);
        asm.Ror32(T0, second);
        asm.Xor32(T0, word);
        asm.Ror32(T0, third);
    }
}
