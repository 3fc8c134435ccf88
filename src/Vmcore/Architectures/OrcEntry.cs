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

    /// <summary>No table has the address: code that the kernel generated.</summary>
    Missing,

    /// <summary>The table that has the address cannot be read, or not be understood: what it says is not known.</summary>
    Unreadable,
}

/// <summary>How to get from a place in the code to its caller.</summary>
internal readonly record struct OrcEntry(OrcFrame Frame, OrcRegister SpRegister, int SpOffset, OrcRegister BpRegister, int BpOffset)
{
    /// <summary>No table has the address.</summary>
    internal static OrcEntry Missing => new(OrcFrame.Missing, OrcRegister.Undefined, 0, OrcRegister.Undefined, 0);

    /// <summary>The table cannot be read.</summary>
    internal static OrcEntry Unreadable => new(OrcFrame.Unreadable, OrcRegister.Undefined, 0, OrcRegister.Undefined, 0);
}
