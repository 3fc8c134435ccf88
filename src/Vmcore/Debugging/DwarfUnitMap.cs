using Vmcore.Ranges;

namespace Vmcore.Debugging;

/// <summary>Which unit has the code at an address: by .debug_aranges, and where that does not say by the first entry of every unit.</summary>
/// <param name="sections">The sections.</param>
internal sealed class DwarfUnitMap(DwarfSections sections)
{
    private readonly List<long> _units = [];
    private List<Piece>? _listed;
    private List<Piece>? _walked;

    /// <summary>Offset of the unit that has the code at a link-time address; null if none is known.</summary>
    internal long? Find(ulong address) => In(_listed ??= ReadList(), address) ?? In(_walked ??= Walk(), address);

    /// <summary>Offset of the unit that an offset in .debug_info lies in; null if there is none.</summary>
    internal long? UnitOf(long offset)
    {
        if (_units.Count == 0)
            FindUnits();
        int at = _units.BinarySearch(offset);
        return at >= 0 ? _units[at] : ~at > 0 ? _units[~at - 1] : null;
    }

    private static long? In(List<Piece> pieces, ulong address)
    {
        int low = 0, high = pieces.Count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (pieces[middle].Start <= address)
                low = middle + 1;
            else
                high = middle;
        }

        // Neighbours may overlap by a few bytes that the linker put between them.
        for (int i = low - 1; i >= Math.Max(0, low - 4); i--)
        {
            if (address < pieces[i].End)
                return pieces[i].Unit;
        }

        return null;
    }

    private List<Piece> ReadList()
    {
        List<Piece> found = [];
        byte[] bytes = sections.UnitRanges;
        try
        {
            for (int at = 0; at + 12 < bytes.Length;)
            {
                var cursor = new DwarfCursor(bytes, at);
                ulong length = cursor.UInt32();
                bool is64 = length == 0xffff_ffff;
                if (is64)
                    length = cursor.UInt64();
                int first = cursor.At;
                cursor.Skip(length);
                int end = cursor.At;
                cursor = new(bytes.AsSpan(0, end), first);
                int version = cursor.UInt16();
                ulong unit = cursor.Offset(is64);
                int size = cursor.Byte(), segment = cursor.Byte();
                if (version == 2 && size is 4 or 8 && segment == 0 && unit < (ulong)sections.Info.Length)
                {
                    // The first pair stands at a multiple of its own size from the head.
                    cursor.Skip((ulong)((2 * size) - ((cursor.At - at) % (2 * size))) % (ulong)(2 * size));
                    while (cursor.At + (2 * size) <= end && found.Count < sections.Limits.DwarfRanges)
                    {
                        ulong start = cursor.Unsigned(size), count = cursor.Unsigned(size);
                        if (count > 0 && start <= ulong.MaxValue - count)
                            found.Add(new(start, start + count, (long)unit));
                    }
                }

                at = end;
            }
        }
        catch (DwarfException)
        {
            // What was read so far is right; the rest is found by walking.
        }

        return Sorted(found);
    }

    private List<Piece> Walk()
    {
        List<Piece> found = [];
        FindUnits();
        var root = new DwarfEntry();
        foreach (long at in _units)
        {
            try
            {
                DwarfUnit unit = sections.Load(at);
                root.Read(unit, unit.Header.HeaderSize);
                foreach (VirtualRange range in DwarfRanges.Of(sections, unit, root))
                {
                    if (found.Count < sections.Limits.DwarfRanges)
                        found.Add(new(range.Start, range.End, at));
                }
            }
            catch (DwarfException)
            {
                // A damaged unit has no lines; others have.
            }
        }

        return Sorted(found);
    }

    private void FindUnits()
    {
        if (_units.Count > 0)
            return;
        for (long at = 0, length = 0; at < sections.Info.Length && _units.Count < sections.Limits.DwarfUnits; at += length)
        {
            try
            {
                sections.ReadHeader(at, out length);
                _units.Add(at);
            }
            catch (DwarfException)
            {
                if (length == 0)
                    return;
            }
        }
    }

    private static List<Piece> Sorted(List<Piece> pieces) => [.. pieces.OrderBy(static p => p.Start)];

    private sealed record Piece(ulong Start, ulong End, long Unit);
}
