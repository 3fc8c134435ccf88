using System.Text;
using Vmcore.IO;
using Vmcore.Ranges;

namespace Vmcore.Erasing;

/// <summary>What is erased from a dump: ranges of physical memory, and the text that says so in the dump. Collected, then sealed.</summary>
public sealed class ErasedData
{
    /// <summary>The byte that erased data becomes, as in the tools of today.</summary>
    public const byte Filler = (byte)'X';

    /// <summary>Name of the note with <see cref="Text"/> in an ELF dump; its type is 0.</summary>
    public const string NoteName = "ERASEINFO";

    private readonly ReadLimits _limits;
    private readonly List<PhysicalRange> _erased = [];
    private readonly List<PhysicalRange> _nullified = [];
    private readonly HashSet<string> _lines = [];
    private readonly StringBuilder _text = new();
    private bool _isSorted;

    /// <summary>Nothing is erased yet.</summary>
    public ErasedData()
        : this(ReadLimits.Default)
    {
    }

    /// <summary>Nothing is erased yet.</summary>
    /// <param name="limits">The bounds on how much may be.</param>
    internal ErasedData(ReadLimits limits) => _limits = limits;

    /// <summary>Ranges in bytes that are filled with <see cref="Filler"/>; ascending, not overlapping.</summary>
    public IReadOnlyList<PhysicalRange> Erased
    {
        get
        {
            Sort();
            return _erased;
        }
    }

    /// <summary>Ranges in bytes that are filled with zero: pointers that became NULL; ascending, not overlapping.</summary>
    public IReadOnlyList<PhysicalRange> Nullified
    {
        get
        {
            Sort();
            return _nullified;
        }
    }

    /// <summary>True if nothing is erased.</summary>
    public bool IsEmpty => _erased.Count == 0 && _nullified.Count == 0;

    /// <summary>The lines that say what was erased, each with its line feed: they become part of the dump.</summary>
    public string Text => _text.ToString();

    /// <summary>Adds a range.</summary>
    /// <param name="range">Physical addresses in bytes.</param>
    /// <param name="nullify">True to fill it with zero.</param>
    /// <exception cref="MissingInformationException">There are more than a dump can be searched for.</exception>
    internal void Add(PhysicalRange range, bool nullify)
    {
        if (range.IsEmpty)
            return;
        if (_erased.Count + _nullified.Count >= _limits.ErasedRanges)
            throw new MissingInformationException($"the rules erase more than {_limits.ErasedRanges} places; a list may be damaged, or a rule too wide");
        (nullify ? _nullified : _erased).Add(range);
        _isSorted = false;
    }

    /// <summary>Adds a line to <see cref="Text"/>, once.</summary>
    internal void Describe(string line)
    {
        if (_text.Length < _limits.EraseTextCharacters && _lines.Add(line))
            _text.Append(line).Append('\n');
    }

    /// <summary>Overwrites what is erased in bytes read from memory.</summary>
    /// <param name="address">Physical address of the first byte.</param>
    /// <param name="bytes">The bytes.</param>
    internal void Apply(ulong address, Span<byte> bytes)
    {
        Fill(_erased, address, bytes, Filler);
        Fill(_nullified, address, bytes, 0);
    }

    /// <summary>Sorts and merges, so that several threads may call <see cref="Apply"/> from then on.</summary>
    internal void Sort()
    {
        if (_isSorted)
            return;
        Merge(_erased);
        Merge(_nullified);
        _isSorted = true;
    }

    private static void Merge(List<PhysicalRange> ranges)
    {
        ranges.Sort(static (a, b) => a.Start.CompareTo(b.Start));
        int kept = 0;
        for (int i = 1; i < ranges.Count; i++)
        {
            if (ranges[i].Start <= ranges[kept].End)
                ranges[kept] = new(ranges[kept].Start, Math.Max(ranges[kept].End, ranges[i].End));
            else
                ranges[++kept] = ranges[i];
        }

        if (ranges.Count > 0)
            ranges.RemoveRange(kept + 1, ranges.Count - kept - 1);
    }

    private static void Fill(List<PhysicalRange> ranges, ulong address, Span<byte> bytes, byte value)
    {
        ulong end = address + (ulong)bytes.Length;
        int low = 0, high = ranges.Count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (ranges[middle].End <= address)
                low = middle + 1;
            else
                high = middle;
        }

        for (int i = low; i < ranges.Count && ranges[i].Start < end; i++)
        {
            ulong from = Math.Max(ranges[i].Start, address), to = Math.Min(ranges[i].End, end);
            bytes[(int)(from - address)..(int)(to - address)].Fill(value);
        }
    }
}
