namespace Vmcore.Kexec;

/// <summary>Number of a general register; 32 or 64 bits wide by the instruction's name. 31 is the stack pointer or zero, by the instruction.</summary>
internal enum XReg
{
    X0 = 0,
    X1 = 1,
    X2 = 2,
    X3 = 3,
    X4 = 4,
    X5 = 5,
    X6 = 6,
    X7 = 7,
    X8 = 8,
    X9 = 9,
    X10 = 10,
    X11 = 11,
    X12 = 12,
    X13 = 13,
    X14 = 14,
    X15 = 15,
    X16 = 16,
    X17 = 17,
    X18 = 18,
    X19 = 19,
    X20 = 20,
    X21 = 21,
    X22 = 22,
    X23 = 23,
    X24 = 24,
    X25 = 25,
    X26 = 26,
    X27 = 27,
    X28 = 28,
    X29 = 29,
    Lr = 30,
    Zero = 31,
}

/// <summary>Condition of a branch, as instructions encode it.</summary>
internal enum A64Condition
{
    Equal = 0,
    NotEqual = 1,
    AboveOrEqual = 2,
    Below = 3,
}

/// <summary>How the last operand of a logical instruction is shifted.</summary>
internal enum A64Shift
{
    Left = 0,
    Right = 1,
    Rotate = 3,
}

/// <summary>A system register: its encoding op0:op1:CRn:CRm:op2 as the 16 bits that mrs and msr carry (Arm ARM, C5.1.3).</summary>
internal enum SysReg
{
    CurrentEl = (3 << 14) | (0 << 11) | (4 << 7) | (2 << 3) | 2,
    Ctr = (3 << 14) | (3 << 11) | (0 << 7) | (0 << 3) | 1,
    IdMemoryModel0 = (3 << 14) | (0 << 11) | (0 << 7) | (7 << 3) | 0,
    SctlrEl1 = (3 << 14) | (0 << 11) | (1 << 7) | (0 << 3) | 0,
    TtbrEl1 = (3 << 14) | (0 << 11) | (2 << 7) | (0 << 3) | 0,
    TcrEl1 = (3 << 14) | (0 << 11) | (2 << 7) | (0 << 3) | 2,
    MairEl1 = (3 << 14) | (0 << 11) | (10 << 7) | (2 << 3) | 0,
    HcrEl2 = (3 << 14) | (4 << 11) | (1 << 7) | (1 << 3) | 0,
    SctlrEl2 = (3 << 14) | (4 << 11) | (1 << 7) | (0 << 3) | 0,
    TtbrEl2 = (3 << 14) | (4 << 11) | (2 << 7) | (0 << 3) | 0,
    TcrEl2 = (3 << 14) | (4 << 11) | (2 << 7) | (0 << 3) | 2,
    MairEl2 = (3 << 14) | (4 << 11) | (10 << 7) | (2 << 3) | 0,
}

/// <summary>Instructions of the system group that take no operand but an address: whole encodings, register field zero.</summary>
internal enum A64System : uint
{
    /// <summary>Waits until all stores are seen by everybody.</summary>
    DsbSy = 0xd503_3f9f,

    /// <summary>Instructions behind it are fetched anew.</summary>
    Isb = 0xd503_3fdf,

    /// <summary>Forgets all translations of EL1.</summary>
    TlbiVmalle1 = 0xd508_871f,

    /// <summary>Forgets all translations of EL2.</summary>
    TlbiAlle2 = 0xd50c_871f,

    /// <summary>Forgets all cached instructions.</summary>
    IcIallu = 0xd508_751f,

    /// <summary>Writes a line of the data cache back and forgets it; takes an address.</summary>
    DcCivac = 0xd50b_7e20,

    /// <summary>Waits for an event.</summary>
    Wfe = 0xd503_205f,

    /// <summary>Calls the hypervisor.</summary>
    Hvc = 0xd400_0002,

    /// <summary>Calls the secure monitor.</summary>
    Smc = 0xd400_0003,
}
