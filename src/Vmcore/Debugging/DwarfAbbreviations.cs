using Vmcore.IO;

namespace Vmcore.Debugging;

/// <summary>One attribute of an abbreviation.</summary>
/// <param name="Name">DW_AT number.</param>
/// <param name="Form">DW_FORM number.</param>
/// <param name="Implicit">The value, for DW_FORM_implicit_const.</param>
internal readonly record struct DwarfAttributeSpec(ushort Name, ushort Form, long Implicit);

/// <summary>The shape of entries with one abbreviation code.</summary>
/// <param name="Tag">DW_TAG number.</param>
/// <param name="HasChildren">True if a list of children follows.</param>
/// <param name="Attributes">The attributes in their order.</param>
/// <param name="FixedSize">Bytes of all attributes if that is the same for each entry of a 32-bit unit with 8-byte addresses, otherwise −1.</param>
internal sealed record DwarfAbbreviation(ushort Tag, bool HasChildren, DwarfAttributeSpec[] Attributes, int FixedSize);

/// <summary>One table of .debug_abbrev.</summary>
internal sealed class DwarfAbbreviations
{
    // Least bytes of an entry (code, tag, children) and of an attribute (name, form).
    private const int PerEntry = 3, PerAttribute = 2;

    private readonly List<DwarfAbbreviation> _dense = [];
    private readonly Dictionary<ulong, DwarfAbbreviation> _others = [];

    private DwarfAbbreviations()
    {
    }

    /// <summary>The abbreviation with a code; null if there is none.</summary>
    internal DwarfAbbreviation? this[ulong code] =>
        code - 1 < (ulong)_dense.Count ? _dense[(int)code - 1] : _others.GetValueOrDefault(code);

    /// <summary>Parses the table at an offset.</summary>
    /// <param name="section">The section.</param>
    /// <param name="offset">Where the table starts in it.</param>
    /// <param name="budget">Bytes that may still be parsed: charged for what is looked at, also if it turns out to be damaged.</param>
    /// <param name="limits">The bound on attributes.</param>
    /// <exception cref="DwarfException">It is damaged, or the budget ends in it.</exception>
    internal static DwarfAbbreviations Parse(ReadOnlySpan<byte> section, int offset, ref long budget, ReadLimits limits)
    {
        var table = new DwarfAbbreviations();
        var cursor = new DwarfCursor(section, offset);
        List<DwarfAttributeSpec> attributes = [];
        while (!cursor.IsAtEnd && cursor.Uleb() is var code and not 0)
        {
            ulong tag = cursor.Uleb();
            bool hasChildren = cursor.Byte() != 0;
            attributes.Clear();
            budget -= PerEntry;
            int size = 0;
            while (true)
            {
                budget -= PerAttribute;
                ulong name = cursor.Uleb(), form = cursor.Uleb();
                long constant = form == DwarfForm.ImplicitConst ? cursor.Sleb() : 0;
                if (name == 0 && form == 0)
                    break;
                if (attributes.Count == limits.DwarfAttributes || form > ushort.MaxValue)
                    throw new DwarfException($"abbreviation {code} is damaged");
                attributes.Add(new(name > ushort.MaxValue ? (ushort)0 : (ushort)name, (ushort)form, constant));
                int width = DwarfForms.FixedSize((ushort)form);
                size = width < 0 || size < 0 ? -1 : size + width;
            }

            if (budget <= 0)
                throw new DwarfException("the units share abbreviations more often than a compiler would let them");
            var abbreviation = new DwarfAbbreviation((ushort)Math.Min(tag, ushort.MaxValue), hasChildren, [.. attributes], size);
            if (code == (ulong)table._dense.Count + 1)
                table._dense.Add(abbreviation);
            else
                table._others.TryAdd(code, abbreviation);
        }

        return table;
    }
}
