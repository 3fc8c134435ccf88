namespace Vmcore.Debugging;

/// <summary>The header of a unit in .debug_info (DWARF 2 to 5).</summary>
internal sealed record DwarfUnitHeader
{
    private const byte UnitType = 2;
    private const byte UnitSkeleton = 4;
    private const byte UnitSplitType = 6;

    /// <summary>Offset of the unit in the section.</summary>
    internal long Start { get; private init; }

    /// <summary>Bytes of the whole unit, the length field included.</summary>
    internal long Length { get; private init; }

    internal int Version { get; private init; }

    /// <summary>True in the 64-bit format of DWARF.</summary>
    internal bool Is64 { get; private init; }

    internal ulong OffsetSize => Is64 ? 8UL : 4;

    internal int AddressSize { get; private init; }

    /// <summary>Offset of its abbreviations in .debug_abbrev.</summary>
    internal ulong Abbreviations { get; private init; }

    /// <summary>Bytes of the header: the first entry is there.</summary>
    internal int HeaderSize { get; private init; }

    /// <summary>True if the unit only names a file (.dwo) with the rest.</summary>
    internal bool IsSkeleton { get; private init; }

    /// <summary>Signature of the type in a type unit; 0 in others.</summary>
    internal ulong Signature { get; private init; }

    /// <summary>Offset of that type in the unit.</summary>
    internal ulong TypeOffset { get; private init; }

    /// <summary>Most bytes that <see cref="Parse"/> looks at.</summary>
    internal const int HeaderBytes = 48;

    /// <summary>Parses a header.</summary>
    /// <param name="bytes">The first bytes of the unit: <see cref="HeaderBytes"/>, or what is left of the section.</param>
    /// <param name="start">Offset of the unit in the section.</param>
    /// <param name="left">Bytes from there to the section's end.</param>
    /// <param name="length">Receives the unit's length, also if the rest of the header is not understood; 0 if that is damaged too.</param>
    /// <exception cref="DwarfException">The header is damaged or of an unknown version.</exception>
    internal static DwarfUnitHeader Parse(ReadOnlySpan<byte> bytes, long start, long left, out long length)
    {
        length = 0;
        var cursor = new DwarfCursor(bytes, 0);
        ulong unit = cursor.UInt32();
        bool is64 = unit == 0xffff_ffff;
        if (is64)
            unit = cursor.UInt64();
        else if (unit >= 0xffff_fff0)
            throw new DwarfException($"the unit length 0x{unit:x} is reserved");
        if (unit > (ulong)left || (long)unit > left - cursor.At || unit < 7)
            throw new DwarfException($"a unit of {unit} bytes overruns the section");
        length = (long)unit + cursor.At;
        int version = cursor.UInt16();
        if (version is < 2 or > 5)
            throw new DwarfException($"DWARF version {version} is unknown");
        byte type = 1;
        int addressSize;
        ulong abbreviations, signature = 0, typeOffset = 0;
        if (version >= 5)
        {
            type = cursor.Byte();
            addressSize = cursor.Byte();
            abbreviations = cursor.Offset(is64);
            if (type is UnitType or UnitSplitType)
            {
                signature = cursor.UInt64();
                typeOffset = cursor.Offset(is64);
            }
            else if (type is UnitSkeleton or 5)
            {
                cursor.Skip(8);
            }
        }
        else
        {
            abbreviations = cursor.Offset(is64);
            addressSize = cursor.Byte();
        }

        if (addressSize is not (4 or 8))
            throw new DwarfException($"addresses of {addressSize} bytes are not supported");
        return new()
        {
            Start = start,
            Length = length,
            Version = version,
            Is64 = is64,
            AddressSize = addressSize,
            Abbreviations = abbreviations,
            HeaderSize = cursor.At,
            IsSkeleton = type == UnitSkeleton,
            Signature = signature,
            TypeOffset = typeOffset,
        };
    }
}
