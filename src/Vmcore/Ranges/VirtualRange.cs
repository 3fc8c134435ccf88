namespace Vmcore.Ranges;

/// <summary>A range of virtual addresses, half-open.</summary>
/// <param name="Start">First address.</param>
/// <param name="End">One past the last.</param>
public readonly record struct VirtualRange(ulong Start, ulong End)
{
    /// <summary>Length in bytes.</summary>
    public ulong Length => End - Start;

    /// <summary>True if the address is inside.</summary>
    /// <param name="address">A virtual address.</param>
    public bool Contains(ulong address) => address >= Start && address < End;
}
