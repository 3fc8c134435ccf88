namespace Vmcore.Architectures;

/// <summary>Which register a stack or frame address is counted from.</summary>
internal enum OrcRegister
{
    Undefined,
    PreviousSp,
    Dx,
    Di,
    Bp,
    Sp,
    R10,
    R13,
    BpIndirect,
    SpIndirect,
}

/// <summary>What lies at the end of a frame.</summary>
internal enum OrcFrame
{
    /// <summary>Nothing is known of this code.</summary>
    Undefined,

    /// <summary>The outermost frame.</summary>
    End,

    /// <summary>A return address.</summary>
    Call,

    /// <summary>A <c>struct pt_regs</c>.</summary>
    Registers,

    /// <summary>What the CPU pushes at an exception.</summary>
    Interrupt,
}

/// <summary>How to get from a place in the code to its caller.</summary>
internal readonly record struct OrcEntry(OrcFrame Frame, OrcRegister SpRegister, int SpOffset, OrcRegister BpRegister, int BpOffset);
