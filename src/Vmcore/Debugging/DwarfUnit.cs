namespace Vmcore.Debugging;

/// <summary>A unit with its bytes and what its attribute forms need.</summary>
internal sealed class DwarfUnit
{
    private readonly DwarfSections _sections;
    private readonly byte[] _buffer;
    private readonly ulong _stringOffsets;
    private readonly ulong _addresses;

    /// <summary>Creates a unit and reads its first entry.</summary>
    /// <param name="sections">The sections.</param>
    /// <param name="header">Its header.</param>
    /// <param name="buffer">Its bytes from the header's length field on; may be longer.</param>
    /// <param name="abbreviations">Its abbreviations.</param>
    /// <param name="root">Receives its first entry.</param>
    /// <exception cref="DwarfException">The first entry is damaged.</exception>
    internal DwarfUnit(DwarfSections sections, DwarfUnitHeader header, byte[] buffer, DwarfAbbreviations abbreviations, DwarfEntry root)
    {
        _sections = sections;
        Header = header;
        _buffer = buffer;
        Abbreviations = abbreviations;
        // Behind the header of each contribution, where the unit does not say.
        _stringOffsets = _addresses = header.Is64 ? 16UL : 8;
        root.Read(this, header.HeaderSize);
        if (root.StringOffsetsBase is not null || root.AddressBase is not null)
        {
            _stringOffsets = root.StringOffsetsBase ?? _stringOffsets;
            _addresses = root.AddressBase ?? _addresses;
            root.Read(this, header.HeaderSize);
        }

        StatementList = root.StatementList;
        LowPc = root.LowPc;
        RangeListsBase = root.RangeListsBase;
        Directory = root.Directory;
    }

    internal DwarfUnitHeader Header { get; }

    internal ReadOnlySpan<byte> Bytes => _buffer.AsSpan(0, (int)Header.Length);

    internal DwarfAbbreviations Abbreviations { get; }

    /// <summary>Offset of its line table in .debug_line; null if it has none.</summary>
    internal long? StatementList { get; }

    /// <summary>What its ranges of addresses count from; null if it does not say.</summary>
    internal ulong? LowPc { get; }

    /// <inheritdoc cref="DwarfEntry.RangeListsBase"/>
    internal ulong? RangeListsBase { get; }

    /// <summary>The folder in which it was compiled.</summary>
    internal DwarfText Directory { get; }

    internal DwarfText IndexedText(ulong index)
    {
        ulong size = Header.OffsetSize;
        ReadOnlySpan<byte> table = _sections.StringOffsets;
        if (index > (ulong)table.Length || _stringOffsets > (ulong)table.Length || _stringOffsets + (index * size) + size > (ulong)table.Length)
            throw new DwarfException($"string index {index} lies outside .debug_str_offsets");
        var cursor = new DwarfCursor(table, (int)(_stringOffsets + (index * size)));
        return new(DwarfTextPlace.Strings, (long)cursor.Offset(Header.Is64));
    }

    internal ulong? IndexedAddress(ulong index)
    {
        ulong size = (ulong)Header.AddressSize;
        ReadOnlySpan<byte> table = _sections.Addresses;
        if (index > (ulong)table.Length || _addresses > (ulong)table.Length || _addresses + (index * size) + size > (ulong)table.Length)
            return null;
        var cursor = new DwarfCursor(table, (int)(_addresses + (index * size)));
        return cursor.Unsigned((int)size);
    }

    /// <summary>The bytes of a text; empty if it lies outside of its section.</summary>
    internal ReadOnlySpan<byte> TextOf(DwarfText text)
    {
        ReadOnlySpan<byte> place = text.Place switch
        {
            DwarfTextPlace.Unit => Bytes,
            DwarfTextPlace.Strings => _sections.Strings,
            DwarfTextPlace.LineStrings => _sections.LineStrings,
            _ => default,
        };
        if (text.Offset < 0 || text.Offset >= place.Length)
            return default;
        ReadOnlySpan<byte> rest = place.Slice((int)text.Offset, (int)Math.Min(place.Length - text.Offset, _sections.Limits.DwarfNameBytes));
        int nul = rest.IndexOf((byte)0);
        return nul >= 0 ? rest[..nul] : default;
    }

    /// <summary>Offset in the unit of what follows an entry and its children.</summary>
    /// <exception cref="DwarfException">The children are damaged.</exception>
    internal int SkipChildren(DwarfEntry entry)
    {
        if (!entry.HasChildren)
            return entry.End;
        if (entry.Sibling > entry.End && entry.Sibling <= Header.Length)
            return entry.Sibling;
        int at = entry.End, depth = 1;
        while (depth > 0)
            at = SkipOne(at, ref depth);
        return at;
    }

    private int SkipOne(int at, ref int depth)
    {
        var cursor = new DwarfCursor(Bytes, at);
        ulong code = cursor.Uleb();
        if (code == 0)
        {
            depth--;
            return cursor.At;
        }

        DwarfAbbreviation abbreviation = Abbreviations[code] ?? throw new DwarfException($"abbreviation {code} is not defined");
        SkipAttributes(ref cursor, abbreviation);
        if (abbreviation.HasChildren)
            depth++;
        return cursor.At;
    }

    /// <summary>Skips the attributes of an entry.</summary>
    internal void SkipAttributes(ref DwarfCursor cursor, DwarfAbbreviation abbreviation)
    {
        if (abbreviation.FixedSize >= 0 && Header is { Is64: false, AddressSize: 8 })
        {
            cursor.Skip((ulong)abbreviation.FixedSize);
            return;
        }

        foreach (DwarfAttributeSpec spec in abbreviation.Attributes)
            DwarfForms.Skip(ref cursor, Header, spec.Form);
    }
}
