namespace Vmcore.Kernel.Symbols;

/// <summary>How a kernel stores the addresses of its symbols.</summary>
public enum KallsymsEncoding
{
    /// <summary>A table of 64-bit addresses.</summary>
    Absolute,

    /// <summary>Signed 32-bit: 0 or more is the value itself (an offset in the per-cpu area), else base − 1 − value.</summary>
    AbsolutePerCpu,

    /// <summary>Unsigned 32-bit distance from a base.</summary>
    BaseRelative,

    /// <summary>Signed 32-bit distance from the table's own slot.</summary>
    SlotRelative,
}
