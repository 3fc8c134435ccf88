namespace Vmcore.Kexec;

/// <summary>Number of a general register, as instructions encode it; 32 or 64 bits wide by the instruction's name.</summary>
internal enum Reg
{
    Rax = 0,
    Rcx = 1,
    Rdx = 2,
    Rbx = 3,
    Rsp = 4,
    Rbp = 5,
    Rsi = 6,
    Rdi = 7,
    R8 = 8,
    R9 = 9,
    R10 = 10,
    R11 = 11,
    R12 = 12,
    R13 = 13,
    R14 = 14,
    R15 = 15,
}

/// <summary>A segment register that <c>mov</c> can load.</summary>
internal enum SegmentReg
{
    Es = 0,
    Ss = 2,
    Ds = 3,
    Fs = 4,
    Gs = 5,
}

/// <summary>Condition of a jump: the low 4 bits of its opcode.</summary>
internal enum Condition
{
    Below = 2,
    AboveOrEqual = 3,
    Equal = 4,
    NotEqual = 5,
}

/// <summary>A memory operand: [base + index*scale + displacement] or [rip + label].</summary>
internal readonly record struct Mem
{
    private Mem(Reg? @base, Reg? index, int scale, int displacement, Label? label)
    {
        Base = @base;
        Index = index;
        Scale = scale;
        Displacement = displacement;
        Label = label;
    }

    public Reg? Base { get; }

    public Reg? Index { get; }

    public int Scale { get; }

    public int Displacement { get; }

    public Label? Label { get; }

    /// <summary>[base + displacement].</summary>
    public static Mem At(Reg @base, int displacement = 0) => new(@base, null, 1, displacement, null);

    /// <summary>[base + index*scale + displacement]; scale is 1, 2, 4 or 8; the index is not rsp.</summary>
    public static Mem At(Reg @base, Reg index, int scale, int displacement = 0) => new(@base, index, scale, displacement, null);

    /// <summary>[rip + distance to the label].</summary>
    public static Mem At(Label label) => new(null, null, 1, 0, label);
}
