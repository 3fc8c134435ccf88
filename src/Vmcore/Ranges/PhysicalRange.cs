using System.Globalization;

namespace Vmcore.Ranges;

/// <summary>A half-open range of physical addresses in bytes: [<see cref="Start"/>, <see cref="End"/>).</summary>
/// <param name="Start">First byte.</param>
/// <param name="End">One past the last byte.</param>
public readonly record struct PhysicalRange(ulong Start, ulong End)
{
    /// <summary>Number of bytes; 0 for an empty or inverted range.</summary>
    public ulong Length => End > Start ? End - Start : 0;

    /// <summary>True if there is no byte in it.</summary>
    public bool IsEmpty => End <= Start;

    /// <summary>True if <paramref name="address"/> lies in it.</summary>
    public bool Contains(ulong address) => address >= Start && address < End;

    /// <summary>The common part, empty if there is none.</summary>
    public PhysicalRange Intersect(PhysicalRange other)
    {
        ulong start = Math.Max(Start, other.Start);
        ulong end = Math.Min(End, other.End);
        return end > start ? new(start, end) : default;
    }

    /// <summary>The pages that the range touches, partial ones included.</summary>
    /// <param name="pageShift">log2 of the page size in bytes.</param>
    public PfnRange ToPfns(int pageShift) =>
        IsEmpty ? default : new(Start >> pageShift, ((End - 1) >> pageShift) + 1);

    /// <summary>The range as <c>[0x… - 0x…)</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"[0x{Start:x} - 0x{End:x})");
}

/// <summary>A half-open range of page frame numbers: [<see cref="Start"/>, <see cref="End"/>).</summary>
/// <param name="Start">First pfn.</param>
/// <param name="End">One past the last pfn.</param>
public readonly record struct PfnRange(ulong Start, ulong End)
{
    /// <summary>Number of pages; 0 for an empty or inverted range.</summary>
    public ulong Count => End > Start ? End - Start : 0;

    /// <summary>True if there is no page in it.</summary>
    public bool IsEmpty => End <= Start;

    /// <summary>True if <paramref name="pfn"/> lies in it.</summary>
    public bool Contains(ulong pfn) => pfn >= Start && pfn < End;

    /// <summary>The common part, empty if there is none.</summary>
    public PfnRange Intersect(PfnRange other)
    {
        ulong start = Math.Max(Start, other.Start);
        ulong end = Math.Min(End, other.End);
        return end > start ? new(start, end) : default;
    }

    /// <summary>The bytes of these pages.</summary>
    /// <param name="pageShift">log2 of the page size in bytes.</param>
    public PhysicalRange ToPhysical(int pageShift) => new(Start << pageShift, End << pageShift);

    /// <summary>The range as <c>[0x… - 0x…)</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"[0x{Start:x} - 0x{End:x})");
}
