using Vmcore.Formats.Elf;
using Vmcore.IO;

namespace Vmcore.Debugging;

/// <summary>The debug sections of one file: the small ones in memory, .debug_info a unit at a time.</summary>
internal sealed class DwarfSections
{
    private const int CachedUnits = 8;
    private const int FailureCost = 128;
    private const long CachedBytes = 64 << 20;

    // Abbreviations may be parsed once for each unit; a file in which many units share a large table must not take forever.
    private readonly byte[] _abbreviations;
    private readonly List<DwarfUnit> _cache = [];
    private readonly Lazy<byte[]> _ranges;
    private readonly Lazy<byte[]> _rangeLists;
    private readonly Lazy<byte[]> _unitRanges;
    private long _abbreviationBudget;
    private (ulong Offset, DwarfAbbreviations Table)? _lastTable;

    private DwarfSections(ElfObjectFile file, DebugSection info, DebugSection abbreviations, Func<string, byte[]> read)
    {
        File = file;
        Info = info;
        _abbreviations = abbreviations.ReadAll();
        _abbreviationBudget = file.Limits.AbbreviationBytes + (16L * _abbreviations.Length);
        Strings = read("str");
        LineStrings = read("line_str");
        StringOffsets = read("str_offsets");
        Addresses = read("addr");
        _ranges = new(() => read("ranges"));
        _rangeLists = new(() => read("rnglists"));
        _unitRanges = new(() => read("aranges"));
    }

    internal ElfObjectFile File { get; }

    /// <summary>The bounds on what the sections may ask for.</summary>
    internal ReadLimits Limits => File.Limits;

    internal DebugSection Info { get; }

    internal DebugSection? Lines { get; private init; }

    internal byte[] Strings { get; }

    internal byte[] LineStrings { get; }

    internal byte[] StringOffsets { get; }

    internal byte[] Addresses { get; }

    /// <summary>Ranges of addresses of DWARF 2 to 4 (.debug_ranges).</summary>
    internal byte[] Ranges => _ranges.Value;

    /// <summary>Ranges of addresses of DWARF 5 (.debug_rnglists).</summary>
    internal byte[] RangeLists => _rangeLists.Value;

    /// <summary>Which unit has which addresses (.debug_aranges); empty where the compiler does not write it.</summary>
    internal byte[] UnitRanges => _unitRanges.Value;

    /// <summary>True if the file has debug information.</summary>
    internal static bool AreIn(ElfObjectFile file) =>
        file.Sections.Any(s => s is { HasBytes: true, Name: ".debug_info" or ".zdebug_info" });

    /// <summary>Opens the sections of a file.</summary>
    /// <param name="file">The file; it must live as long as the sections.</param>
    /// <returns>Null if the file has no debug information.</returns>
    /// <exception cref="DumpFormatException">A section is damaged.</exception>
    internal static DwarfSections? TryOpen(ElfObjectFile file)
    {
        ElfSymbols? symbols = file.IsRelocatable ? ElfSymbols.Read(file) : null;
        var budget = new UnpackBudget(file.Limits);
        if (DebugSection.TryOpen(file, "info", symbols, budget) is not { } info
            || DebugSection.TryOpen(file, "abbrev", symbols, budget) is not { } abbreviations)
            return null;
        return new(file, info, abbreviations, name => DebugSection.TryOpen(file, name, symbols, budget)?.ReadAll() ?? [])
        {
            Lines = DebugSection.TryOpen(file, "line", symbols, budget),
        };
    }

    /// <summary>Parses a unit's header.</summary>
    internal DwarfUnitHeader ReadHeader(long start, out long length)
    {
        Span<byte> bytes = stackalloc byte[DwarfUnitHeader.HeaderBytes];
        long left = Info.Length - start;
        bytes = bytes[..(int)Math.Min(bytes.Length, left)];
        Info.Read(start, bytes);
        return DwarfUnitHeader.Parse(bytes, start, left, out length);
    }

    /// <summary>The abbreviations of a unit.</summary>
    /// <exception cref="DwarfException">They are damaged, or too many tables were asked for.</exception>
    internal DwarfAbbreviations AbbreviationsOf(DwarfUnitHeader header)
    {
        if (_lastTable is { } last && last.Offset == header.Abbreviations)
            return last.Table;
        if (header.Abbreviations >= (ulong)_abbreviations.Length)
            throw new DwarfException($"abbreviations at 0x{header.Abbreviations:x} lie outside .debug_abbrev");
        if (_abbreviationBudget <= 0)
            throw new DwarfException("the units share abbreviations more often than a compiler would let them");
        long before = _abbreviationBudget;
        DwarfAbbreviations table;
        try
        {
            table = DwarfAbbreviations.Parse(_abbreviations, (int)header.Abbreviations, ref _abbreviationBudget, Limits);
        }
        catch (DwarfException)
        {
            // No compiler writes such a table: only a damaged file can ask for many of them.
            _abbreviationBudget -= FailureCost * (before - _abbreviationBudget);
            throw;
        }

        _lastTable = (header.Abbreviations, table);
        return table;
    }

    /// <summary>Loads the unit at an offset, through a small cache.</summary>
    /// <exception cref="DwarfException">It is damaged.</exception>
    internal DwarfUnit Load(long start)
    {
        int cached = _cache.FindIndex(u => u.Header.Start == start);
        if (cached >= 0)
        {
            DwarfUnit hit = _cache[cached];
            _cache.RemoveAt(cached);
            _cache.Add(hit);
            return hit;
        }

        DwarfUnitHeader header = ReadHeader(start, out _);
        if (header.Length > DebugSection.ArrayBytes)
            throw new DwarfException($"a unit of {header.Length} bytes is larger than can be held in memory");
        byte[] bytes = new byte[header.Length];
        Info.Read(start, bytes);
        var unit = new DwarfUnit(this, header, bytes, AbbreviationsOf(header), new());
        while (_cache.Count >= CachedUnits || (_cache.Count > 0 && _cache.Sum(u => u.Header.Length) + header.Length > CachedBytes))
            _cache.RemoveAt(0);
        _cache.Add(unit);
        return unit;
    }
}
