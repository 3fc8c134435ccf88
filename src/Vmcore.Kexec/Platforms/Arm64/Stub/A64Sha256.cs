using Vmcore.Hashing;

namespace Vmcore.Kexec;

/// <summary>The machine code that hashes memory at the crash: general registers only, since the crashed kernel may have left SIMD trapped.</summary>
internal static class A64Sha256
{
    // The eight words of the state live in registers; the rounds rename instead of moving them.
    private const XReg State = XReg.X0;
    private const XReg Data = XReg.X1;
    private const XReg Blocks = XReg.X2;
    private const XReg T0 = XReg.X11;
    private const XReg T1 = XReg.X12;
    private const XReg Constant = XReg.X13;
    private const XReg Scheduled = XReg.X14;
    private const XReg Count = XReg.X15;
    private const XReg Schedule = XReg.X3;

    private static readonly XReg[] Words = [XReg.X4, XReg.X5, XReg.X6, XReg.X7, XReg.X8, XReg.X9, XReg.X10, XReg.X16];

    /// <summary>Bytes of scratch memory that the routine needs.</summary>
    public const int ScheduleBytes = 64 * 4;

    /// <summary>
    /// Emits <c>void blocks(uint32_t state[8], const void *data, uint64_t blocks, void *scratch)</c> by the procedure call standard: adds that
    /// many 64-byte blocks to the state. It calls nothing, and changes x1 to x16.
    /// </summary>
    /// <param name="asm">Receives the code.</param>
    /// <param name="entry">Is bound to the routine's first instruction.</param>
    /// <param name="constants">Where <see cref="EmitConstants"/> puts the round constants.</param>
    public static void Emit(A64Assembler asm, Label entry, Label constants)
    {
        Label nextBlock = new(), done = new(), rounds = new();
        asm.Bind(entry);
        asm.JumpIfZero(Blocks, done);
        asm.Bind(nextBlock);
        EmitSchedule(asm);
        for (int i = 0; i < 8; i++)
            asm.Load32(Words[i], State, i * 4);
        asm.Adr(Constant, constants);
        asm.Copy(Scheduled, Schedule);
        asm.Mov(Count, 8);
        asm.Bind(rounds);
        for (int i = 0; i < 8; i++)
            EmitRound(asm, i);
        asm.Subtract64(Count, Count, 1);
        asm.Jump(A64Condition.NotEqual, rounds);
        for (int i = 0; i < 8; i++)
        {
            asm.Load32(T0, State, i * 4);
            asm.Add32(T0, T0, Words[i]);
            asm.Store32(T0, State, i * 4);
        }

        asm.Subtract64(Blocks, Blocks, 1);
        asm.Jump(A64Condition.NotEqual, nextBlock);
        asm.Bind(done);
        asm.Ret();
    }

    /// <summary>Emits the round constants.</summary>
    public static void EmitConstants(A64Assembler asm, Label constants)
    {
        asm.Align(16);
        asm.Bind(constants);
        foreach (uint constant in Sha256.RoundConstants)
            asm.Word(constant);
    }

    // The state is not loaded yet, so that its registers are free.
    private static void EmitSchedule(A64Assembler asm)
    {
        Label load = new(), expand = new();
        const XReg earlier = XReg.X4, later = XReg.X5;
        asm.Copy(Scheduled, Schedule);
        asm.Mov(Count, 16);
        asm.Bind(load);
        asm.LoadNext32(T0, Data);
        asm.Reverse32(T0, T0);
        asm.StoreNext32(T0, Scheduled);
        asm.Subtract64(Count, Count, 1);
        asm.Jump(A64Condition.NotEqual, load);

        asm.Mov(Count, 48);
        asm.Bind(expand);
        asm.LoadNear32(earlier, Scheduled, -15 * 4);
        asm.Rotate32(T0, earlier, 7);
        asm.Xor32(T0, T0, earlier, A64Shift.Rotate, 18);
        asm.Xor32(T0, T0, earlier, A64Shift.Right, 3);
        asm.LoadNear32(later, Scheduled, -2 * 4);
        asm.Rotate32(T1, later, 17);
        asm.Xor32(T1, T1, later, A64Shift.Rotate, 19);
        asm.Xor32(T1, T1, later, A64Shift.Right, 10);
        asm.Add32(T0, T0, T1);
        asm.LoadNear32(earlier, Scheduled, -16 * 4);
        asm.LoadNear32(later, Scheduled, -7 * 4);
        asm.Add32(T0, T0, earlier);
        asm.Add32(T0, T0, later);
        asm.StoreNext32(T0, Scheduled);
        asm.Subtract64(Count, Count, 1);
        asm.Jump(A64Condition.NotEqual, expand);
    }

    private static void EmitRound(A64Assembler asm, int round)
    {
        XReg Word(int i) => Words[(i - round + 16) % 8];
        XReg a = Word(0), b = Word(1), c = Word(2), d = Word(3), e = Word(4), f = Word(5), g = Word(6), h = Word(7);

        // h += K + W + S1(e) + Ch(e, f, g); S1 is by 6, 11 and 25, Ch = g ^ (e & (f ^ g)).
        asm.LoadNext32(T0, Scheduled);
        asm.LoadNext32(T1, Constant);
        asm.Add32(h, h, T0);
        asm.Add32(h, h, T1);
        asm.Rotate32(T0, e, 6);
        asm.Xor32(T0, T0, e, A64Shift.Rotate, 11);
        asm.Xor32(T0, T0, e, A64Shift.Rotate, 25);
        asm.Add32(h, h, T0);
        asm.Xor32(T1, f, g);
        asm.And32(T1, T1, e);
        asm.Xor32(T1, T1, g);
        asm.Add32(h, h, T1);
        asm.Add32(d, d, h);
        // h += S0(a) + Maj(a, b, c); S0 is by 2, 13 and 22, Maj = ((a | b) & c) | (a & b).
        asm.Rotate32(T0, a, 2);
        asm.Xor32(T0, T0, a, A64Shift.Rotate, 13);
        asm.Xor32(T0, T0, a, A64Shift.Rotate, 22);
        asm.Add32(h, h, T0);
        asm.Or32(T0, a, b);
        asm.And32(T0, T0, c);
        asm.And32(T1, a, b);
        asm.Or32(T0, T0, T1);
        asm.Add32(h, h, T0);
    }
}
