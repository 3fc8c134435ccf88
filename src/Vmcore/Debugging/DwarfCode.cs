using System.Text;
using Vmcore.Formats.Elf;
using Vmcore.Ranges;

namespace Vmcore.Debugging;

/// <summary>A place in the source.</summary>
/// <param name="Function">The function; null if it is not known.</param>
/// <param name="File">The file as the compiler was given it, below the folder of the build; null if it is not known.</param>
/// <param name="Line">The line; 0 if it is not known.</param>
/// <param name="IsInlined">True if the function has no frame of its own here: it was inlined into the next one.</param>
internal sealed record DwarfPlace(string? Function, string? File, int Line, bool IsInlined);

/// <summary>Says of code where in the source it is, and what was inlined there. Only the units that are asked for are read.</summary>
/// <remarks>Reads from the file as long as it is used. Not safe for several threads at once.</remarks>
internal sealed class DwarfCode
{
    private const int KeptUnits = 8;

    private readonly DwarfSections _sections;
    private readonly DwarfUnitMap _map;
    private readonly List<UnitCode> _kept = [];

    private DwarfCode(DwarfSections sections)
    {
        _sections = sections;
        _map = new(sections);
    }

    /// <summary>What was damaged of the first unit that could not be read; null if all could.</summary>
    internal string? Problem { get; private set; }

    /// <summary>Opens the debug information of a file.</summary>
    /// <param name="file">The file; it must live as long as this.</param>
    /// <returns>Null if it has none.</returns>
    /// <exception cref="DumpFormatException">A section as a whole is damaged.</exception>
    internal static DwarfCode? TryOpen(ElfObjectFile file) => DwarfSections.TryOpen(file) is { } sections ? new(sections) : null;

    /// <summary>The place of an instruction, innermost function first; the last one is the function that has the frame.</summary>
    /// <param name="address">Link-time address.</param>
    /// <returns>Empty if nothing is known of it.</returns>
    internal List<DwarfPlace> Find(ulong address)
    {
        try
        {
            return _map.Find(address) is { } at && Code(at) is { } code ? Places(code, address) : [];
        }
        catch (DwarfException e)
        {
            Problem ??= e.Message;
            return [];
        }
    }

    private UnitCode Code(long at)
    {
        if (_kept.Find(u => u.Unit.Header.Start == at) is { } known)
            return known;
        DwarfUnit unit = _sections.Load(at);
        var code = new UnitCode(unit, Lines(unit), Functions(unit));
        if (_kept.Count == KeptUnits)
            _kept.RemoveAt(0);
        _kept.Add(code);
        return code;
    }

    // Without lines a unit still tells its functions.
    private DwarfLineRow[] Lines(DwarfUnit unit)
    {
        try
        {
            return DwarfLineTable.Read(_sections, unit);
        }
        catch (DwarfException e)
        {
            Problem ??= e.Message;
            return [];
        }
    }

    private List<Function> Functions(DwarfUnit unit)
    {
        List<Function> found = [];
        var entry = new DwarfEntry();
        entry.Read(unit, unit.Header.HeaderSize);
        if (!entry.HasChildren)
            return found;
        for (int at = entry.End; at < unit.Header.Length;)
        {
            entry.Read(unit, at);
            if (entry.Tag == 0)
                break;
            if (entry.Tag == DwarfTag.Subprogram)
            {
                foreach (VirtualRange range in DwarfRanges.Of(_sections, unit, entry))
                {
                    if (found.Count < _sections.Limits.DwarfRanges)
                        found.Add(new(range, at));
                }
            }

            at = unit.SkipChildren(entry);
        }

        return found;
    }

    private List<DwarfPlace> Places(UnitCode code, ulong address)
    {
        DwarfLineRow? row = RowAt(code.Lines, address);
        string? file = row is null ? null : FileOf(code, row.File);
        int line = row?.Line ?? 0;
        List<DwarfPlace> places = [];
        if (code.Functions.Find(f => f.Range.Contains(address)) is { } function)
        {
            // From the outermost inward; what is told is from the innermost outward.
            List<Call> calls = Calls(code.Unit, function.Entry, address);
            for (int i = calls.Count - 1; i >= 0; i--)
            {
                places.Add(new(calls[i].Function, file, line, i > 0));
                if (i > 0)
                    (file, line) = (FileOf(code, calls[i].File), calls[i].Line);
            }
        }
        else if (row is not null)
        {
            places.Add(new(null, file, line, false));
        }

        return places;
    }

    private List<Call> Calls(DwarfUnit unit, int at, ulong address)
    {
        var entry = new DwarfEntry();
        entry.Read(unit, at);
        List<Call> calls = [new(NameOf(unit, entry), 0, 0)];
        bool isFound = true;
        entry.Read(unit, at);
        while (isFound && entry.HasChildren && calls.Count <= _sections.Limits.InlinedCalls)
        {
            isFound = false;
            for (int next = entry.End; next < unit.Header.Length;)
            {
                entry.Read(unit, next);
                if (entry.Tag == 0)
                    break;
                if (entry.Tag is DwarfTag.InlinedSubroutine or DwarfTag.LexicalBlock
                    && DwarfRanges.Of(_sections, unit, entry).Exists(r => r.Contains(address)))
                {
                    isFound = true;
                    break;
                }

                next = unit.SkipChildren(entry);
            }

            if (isFound && entry.Tag == DwarfTag.InlinedSubroutine)
            {
                int here = entry.Offset;
                ulong file = entry.CallFile;
                int line = entry.CallLine;
                calls.Add(new(NameOf(unit, entry), file, line));
                entry.Read(unit, here);
            }
        }

        return calls;
    }

    // The name stands where the function is declared, or at the instance that is not inlined. Leaves the entry at another place.
    private string? NameOf(DwarfUnit unit, DwarfEntry entry)
    {
        for (int i = 0; i < _sections.Limits.DwarfReferences; i++)
        {
            ReadOnlySpan<byte> name = unit.TextOf(entry.Name);
            if (!name.IsEmpty)
                return Encoding.UTF8.GetString(name);
            if ((entry.AbstractOrigin ?? entry.Specification) is not { } origin)
                return null;
            long inside = origin - unit.Header.Start;
            if (inside < 0 || inside >= unit.Header.Length)
            {
                if (_map.UnitOf(origin) is not { } other)
                    return null;
                unit = _sections.Load(other);
                inside = origin - other;
            }

            entry.Read(unit, (int)inside);
        }

        return null;
    }

    private static DwarfLineRow? RowAt(DwarfLineRow[] rows, ulong address)
    {
        int low = 0, high = rows.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (rows[middle].Start <= address)
                low = middle + 1;
            else
                high = middle;
        }

        return low > 0 && address < rows[low - 1].End ? rows[low - 1] : null;
    }

    private string? FileOf(UnitCode code, ulong number)
    {
        if (code.Files.TryGetValue(number, out string? known))
            return known;
        string? file = DwarfLineFiles.Find(_sections, code.Unit, number);
        if (file is not null)
        {
            string folder = Encoding.UTF8.GetString(code.Unit.TextOf(code.Unit.Directory)).TrimEnd('/') + "/";
            if (folder.Length > 1 && file.StartsWith(folder, StringComparison.Ordinal))
                file = file[folder.Length..];
            if (file.StartsWith("./", StringComparison.Ordinal))
                file = file[2..];
        }

        code.Files.Add(number, file);
        return file;
    }

    /// <summary>A function's code, and its entry's offset in the unit.</summary>
    private sealed record Function(VirtualRange Range, int Entry);

    /// <summary>A function, and where it was called if it was inlined.</summary>
    private sealed record Call(string? Function, ulong File, int Line);

    private sealed record UnitCode(DwarfUnit Unit, DwarfLineRow[] Lines, List<Function> Functions)
    {
        internal Dictionary<ulong, string?> Files { get; } = [];
    }
}
