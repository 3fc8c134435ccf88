using Vmcore.Ranges;

namespace Vmcore.Debugging;

/// <summary>The addresses of an entry: one range, or a list of them. Source: DWARF 4, 2.17.3; DWARF 5, 2.17.3 and 7.25.</summary>
internal static class DwarfRanges
{
    /// <summary>The ranges of an entry, half-open, with link-time addresses; none if it has no code.</summary>
    /// <param name="sections">The sections.</param>
    /// <param name="unit">The unit of the entry.</param>
    /// <param name="entry">The entry.</param>
    /// <exception cref="DwarfException">They are damaged.</exception>
    internal static List<VirtualRange> Of(DwarfSections sections, DwarfUnit unit, DwarfEntry entry)
    {
        List<VirtualRange> found = [];
        if (entry.Ranges is not { } at)
        {
            if (entry is { LowPc: { } low, HighPc: { } high })
                Add(found, low, high);
        }
        else if (unit.Header.Version >= 5)
        {
            FromLists(found, sections, unit, entry.IsRangesIndex ? Indexed(sections, unit, at) : at);
        }
        else
        {
            FromPairs(found, sections, unit, at);
        }

        return found;
    }

    private static ulong Indexed(DwarfSections sections, DwarfUnit unit, ulong index)
    {
        ulong size = unit.Header.OffsetSize, start = unit.RangeListsBase ?? (unit.Header.Is64 ? 20UL : 12);
        ulong length = (ulong)sections.RangeLists.Length;
        if (index > length || start > length || start + (index * size) + size > length)
            throw new DwarfException($"range list {index} lies outside .debug_rnglists");
        var cursor = new DwarfCursor(sections.RangeLists, (int)(start + (index * size)));
        return start + cursor.Offset(unit.Header.Is64);
    }

    private static void FromPairs(List<VirtualRange> found, DwarfSections sections, DwarfUnit unit, ulong at)
    {
        DwarfCursor cursor = At(sections.Ranges, at);
        int size = unit.Header.AddressSize;
        ulong highest = size == 8 ? ulong.MaxValue : uint.MaxValue, start = unit.LowPc ?? 0;
        while (found.Count < sections.Limits.DwarfRanges)
        {
            ulong low = cursor.Unsigned(size), high = cursor.Unsigned(size);
            if (low == 0 && high == 0)
                return;
            if (low == highest)
                start = high;
            else
                Add(found, unchecked(start + low), unchecked(start + high));
        }
    }

    private static void FromLists(List<VirtualRange> found, DwarfSections sections, DwarfUnit unit, ulong at)
    {
        DwarfCursor cursor = At(sections.RangeLists, at);
        int size = unit.Header.AddressSize;
        ulong start = unit.LowPc ?? 0;
        while (found.Count < sections.Limits.DwarfRanges)
        {
            switch (cursor.Byte())
            {
                case 0: return;
                case 1: // A base, indexed.
                    start = unit.IndexedAddress(cursor.Uleb()) ?? throw new DwarfException("an address lies outside .debug_addr");
                    break;
                case 2: // Start and end, indexed.
                    ulong first = cursor.Uleb();
                    Add(found, unit.IndexedAddress(first), unit.IndexedAddress(cursor.Uleb()));
                    break;
                case 3: // Start, indexed, and length.
                    ulong? low = unit.IndexedAddress(cursor.Uleb());
                    Add(found, low, unchecked(low + cursor.Uleb()));
                    break;
                case 4: // Offsets from the base.
                    ulong from = cursor.Uleb();
                    Add(found, unchecked(start + from), unchecked(start + cursor.Uleb()));
                    break;
                case 5: // A base.
                    start = cursor.Unsigned(size);
                    break;
                case 6: // Start and end.
                    ulong begin = cursor.Unsigned(size);
                    Add(found, begin, cursor.Unsigned(size));
                    break;
                case 7: // Start and length.
                    ulong address = cursor.Unsigned(size);
                    Add(found, address, unchecked(address + cursor.Uleb()));
                    break;
                default: throw new DwarfException("an entry of a range list is of an unknown kind");
            }
        }
    }

    private static DwarfCursor At(byte[] section, ulong at) => at < (ulong)section.Length ? new(section, (int)at)
        : throw new DwarfException("a list of ranges lies outside of its section");

    private static void Add(List<VirtualRange> found, ulong? low, ulong? high)
    {
        if (low is { } start && high is { } end && start < end)
            found.Add(new(start, end));
    }
}
