using System.Runtime.InteropServices;

namespace Vmcore.Debugging;

/// <summary>Where the text of a name is.</summary>
internal enum DwarfTextPlace
{
    None,
    Unit,
    Strings,
    LineStrings,
}

/// <summary>A text: its place, and where in it.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct DwarfText(DwarfTextPlace Place, long Offset);

/// <summary>One entry (DIE) with the attributes that matter for types and variables. Reused, so that a pass over millions allocates nothing.</summary>
internal sealed class DwarfEntry
{
    /// <summary>Offset of the entry in its unit.</summary>
    internal int Offset { get; private set; }

    /// <summary>Offset in the unit of what follows the attributes: the first child, or the next entry.</summary>
    internal int End { get; private set; }

    /// <summary>DW_TAG number; 0 for the end of a list of children.</summary>
    internal ushort Tag { get; private set; }

    internal bool HasChildren { get; private set; }

    internal DwarfText Name { get; private set; }

    /// <summary>Offset in the unit of the next entry of the same depth; 0 if the entry does not say.</summary>
    internal int Sibling { get; private set; }

    /// <summary>Offset in .debug_info of the type.</summary>
    internal long? Type { get; private set; }

    /// <summary>Offset in .debug_info of the declaration that this entry completes.</summary>
    internal long? Specification { get; private set; }

    internal bool IsDeclaration { get; private set; }

    internal long? ByteSize { get; private set; }

    internal long? BitSize { get; private set; }

    /// <summary>Of DWARF 2 and 3: bits from the high end of the storage unit.</summary>
    internal long? BitOffset { get; private set; }

    internal long? DataBitOffset { get; private set; }

    internal long? MemberLocation { get; private set; }

    internal long? Constant { get; private set; }

    internal long? UpperBound { get; private set; }

    internal long? Count { get; private set; }

    internal int Encoding { get; private set; }

    internal ulong DeclarationFile { get; private set; }

    /// <summary>Link-time address of a variable.</summary>
    internal ulong? Address { get; private set; }

    internal long? StatementList { get; private set; }

    internal DwarfText Directory { get; private set; }

    internal ulong? StringOffsetsBase { get; private set; }

    internal ulong? AddressBase { get; private set; }

    /// <summary>Link-time address of the first instruction; of a unit what its ranges count from.</summary>
    internal ulong? LowPc { get; private set; }

    /// <summary>Link-time address behind the last instruction.</summary>
    internal ulong? HighPc { get; private set; }

    /// <summary>Where its ranges of addresses are: an offset in .debug_ranges or .debug_rnglists, or an index (<see cref="IsRangesIndex"/>).</summary>
    internal ulong? Ranges { get; private set; }

    /// <summary>True if <see cref="Ranges"/> is an index into the offsets at the unit's <see cref="RangeListsBase"/>.</summary>
    internal bool IsRangesIndex { get; private set; }

    /// <summary>Of a unit: offset in .debug_rnglists of its table of offsets.</summary>
    internal ulong? RangeListsBase { get; private set; }

    /// <summary>Offset in .debug_info of the function that this is an instance of.</summary>
    internal long? AbstractOrigin { get; private set; }

    /// <summary>Of an inlined call: number of the file that calls.</summary>
    internal ulong CallFile { get; private set; }

    /// <summary>Of an inlined call: the line that calls; 0 if not known.</summary>
    internal int CallLine { get; private set; }

    /// <summary>True if an attribute refers to another file (dwz), which is not read.</summary>
    internal bool NeedsOtherFile { get; private set; }

    /// <summary>Signature of the type that stands for this entry (DW_AT_signature, or a type given so); 0 if none.</summary>
    internal ulong TypeSignature { get; private set; }

    /// <summary>Reads the entry at an offset.</summary>
    /// <exception cref="DwarfException">It is damaged.</exception>
    internal void Read(DwarfUnit unit, int offset)
    {
        var cursor = new DwarfCursor(unit.Bytes, offset);
        ulong code = cursor.Uleb();
        Clear(offset);
        if (code == 0)
        {
            End = cursor.At;
            return;
        }

        DwarfAbbreviation abbreviation = unit.Abbreviations[code] ?? throw new DwarfException($"abbreviation {code} is not defined");
        Tag = abbreviation.Tag;
        HasChildren = abbreviation.HasChildren;
        foreach (DwarfAttributeSpec spec in abbreviation.Attributes)
        {
            ushort form = spec.Form == DwarfForm.Indirect ? DwarfForms.Direct(ref cursor) : spec.Form;
            Apply(ref cursor, unit, spec, form);
        }

        End = cursor.At;
    }

    private void Clear(int offset)
    {
        Offset = offset;
        Tag = 0;
        HasChildren = IsDeclaration = NeedsOtherFile = false;
        Name = Directory = default;
        Sibling = Encoding = 0;
        DeclarationFile = 0;
        TypeSignature = 0;
        Type = Specification = ByteSize = BitSize = BitOffset = DataBitOffset = MemberLocation = Constant = UpperBound = Count = StatementList = null;
        Address = StringOffsetsBase = AddressBase = LowPc = HighPc = Ranges = RangeListsBase = null;
        AbstractOrigin = null;
        IsRangesIndex = false;
        CallFile = 0;
        CallLine = 0;
    }

    private void Apply(ref DwarfCursor cursor, DwarfUnit unit, DwarfAttributeSpec spec, ushort form)
    {
        switch (spec.Name)
        {
            case DwarfAttribute.Name: Name = Text(ref cursor, unit, form); break;
            case DwarfAttribute.CompilationDirectory: Directory = Text(ref cursor, unit, form); break;
            case DwarfAttribute.Sibling: Sibling = (int)((Reference(ref cursor, unit, form) ?? unit.Header.Start) - unit.Header.Start); break;
            case DwarfAttribute.Type: Type = Reference(ref cursor, unit, form); break;
            case DwarfAttribute.Specification: Specification = Reference(ref cursor, unit, form); break;
            case DwarfAttribute.Signature: Type = Reference(ref cursor, unit, form); break;
            case DwarfAttribute.Declaration: IsDeclaration = Number(ref cursor, unit, spec, form) is not (null or 0); break;
            case DwarfAttribute.ByteSize: ByteSize = Number(ref cursor, unit, spec, form); break;
            case DwarfAttribute.BitSize: BitSize = Number(ref cursor, unit, spec, form); break;
            case DwarfAttribute.BitOffset: BitOffset = Number(ref cursor, unit, spec, form); break;
            case DwarfAttribute.DataBitOffset: DataBitOffset = Number(ref cursor, unit, spec, form); break;
            case DwarfAttribute.DataMemberLocation: MemberLocation = Number(ref cursor, unit, spec, form); break;
            case DwarfAttribute.ConstantValue: Constant = Number(ref cursor, unit, spec, form); break;
            case DwarfAttribute.UpperBound: UpperBound = Number(ref cursor, unit, spec, form); break;
            case DwarfAttribute.Count: Count = Number(ref cursor, unit, spec, form); break;
            case DwarfAttribute.Encoding: Encoding = (int)(Number(ref cursor, unit, spec, form) ?? 0); break;
            case DwarfAttribute.DeclarationFile: DeclarationFile = (ulong)(Number(ref cursor, unit, spec, form) ?? 0); break;
            case DwarfAttribute.StatementList: StatementList = Number(ref cursor, unit, spec, form); break;
            case DwarfAttribute.StringOffsetsBase: StringOffsetsBase = (ulong?)Number(ref cursor, unit, spec, form); break;
            case DwarfAttribute.AddressBase: AddressBase = (ulong?)Number(ref cursor, unit, spec, form); break;
            case DwarfAttribute.RangeListsBase: RangeListsBase = (ulong?)Number(ref cursor, unit, spec, form); break;
            case DwarfAttribute.AbstractOrigin: AbstractOrigin = Reference(ref cursor, unit, form); break;
            case DwarfAttribute.CallFile: CallFile = (ulong)(Number(ref cursor, unit, spec, form) ?? 0); break;
            case DwarfAttribute.CallLine: CallLine = (int)(Number(ref cursor, unit, spec, form) ?? 0); break;
            case DwarfAttribute.LowPc: LowPc = CodeAddress(ref cursor, unit, form); break;
            case DwarfAttribute.HighPc when IsAddress(form): HighPc = CodeAddress(ref cursor, unit, form); break;

            // Since DWARF 4 also its distance from the first instruction, which stands before it.
            case DwarfAttribute.HighPc: HighPc = unchecked(LowPc + (ulong?)Number(ref cursor, unit, spec, form)); break;
            case DwarfAttribute.Ranges:
                IsRangesIndex = form == DwarfForm.Rnglistx;
                Ranges = IsRangesIndex ? cursor.Uleb() : (ulong?)Number(ref cursor, unit, spec, form);
                break;
            case DwarfAttribute.Location when form is DwarfForm.Exprloc or DwarfForm.Block1 or DwarfForm.Block:
                Address = AddressOf(cursor.Take(form == DwarfForm.Block1 ? cursor.Byte() : cursor.Uleb()), unit);
                break;
            default: DwarfForms.Skip(ref cursor, unit.Header, form); break;
        }
    }

    private DwarfText Text(ref DwarfCursor cursor, DwarfUnit unit, ushort form)
    {
        bool is64 = unit.Header.Is64;
        switch (form)
        {
            case DwarfForm.String:
                int start = cursor.At;
                cursor.CString();
                return new(DwarfTextPlace.Unit, start);
            case DwarfForm.Strp: return new(DwarfTextPlace.Strings, (long)cursor.Offset(is64));
            case DwarfForm.LineStrp: return new(DwarfTextPlace.LineStrings, (long)cursor.Offset(is64));
            case DwarfForm.Strx or DwarfForm.GnuStrIndex: return unit.IndexedText(cursor.Uleb());
            case DwarfForm.Strx1: return unit.IndexedText(cursor.Unsigned(1));
            case DwarfForm.Strx2: return unit.IndexedText(cursor.Unsigned(2));
            case DwarfForm.Strx3: return unit.IndexedText(cursor.Unsigned(3));
            case DwarfForm.Strx4: return unit.IndexedText(cursor.Unsigned(4));
            default:
                NeedsOtherFile |= form is DwarfForm.StrpSup or DwarfForm.GnuStrpAlt;
                DwarfForms.Skip(ref cursor, unit.Header, form);
                return default;
        }
    }

    private long? Reference(ref DwarfCursor cursor, DwarfUnit unit, ushort form)
    {
        DwarfUnitHeader header = unit.Header;
        ulong offset;
        switch (form)
        {
            case DwarfForm.Ref1: offset = cursor.Unsigned(1); break;
            case DwarfForm.Ref2: offset = cursor.Unsigned(2); break;
            case DwarfForm.Ref4: offset = cursor.Unsigned(4); break;
            case DwarfForm.Ref8: offset = cursor.Unsigned(8); break;
            case DwarfForm.RefUdata: offset = cursor.Uleb(); break;
            case DwarfForm.RefAddr:
                ulong absolute = header.Version <= 2 ? cursor.Unsigned(header.AddressSize) : cursor.Offset(header.Is64);
                return absolute > long.MaxValue ? throw new DwarfException("a reference lies outside") : (long)absolute;
            case DwarfForm.RefSig8:
                TypeSignature = cursor.UInt64();
                return null;
            default:
                NeedsOtherFile |= form is DwarfForm.GnuRefAlt or DwarfForm.RefSup4 or DwarfForm.RefSup8;
                DwarfForms.Skip(ref cursor, header, form);
                return null;
        }

        if (offset >= (ulong)header.Length)
            throw new DwarfException("a reference leaves its unit");
        return header.Start + (long)offset;
    }

    private static long? Number(ref DwarfCursor cursor, DwarfUnit unit, DwarfAttributeSpec spec, ushort form)
    {
        switch (form)
        {
            case DwarfForm.Data1 or DwarfForm.Flag: return cursor.Byte();
            case DwarfForm.Data2: return cursor.UInt16();
            case DwarfForm.Data4: return cursor.UInt32();
            case DwarfForm.Data8: return unchecked((long)cursor.UInt64());
            case DwarfForm.Sdata: return cursor.Sleb();
            case DwarfForm.Udata: return unchecked((long)cursor.Uleb());
            case DwarfForm.FlagPresent: return 1;
            case DwarfForm.ImplicitConst: return spec.Implicit;
            case DwarfForm.SecOffset: return unchecked((long)cursor.Offset(unit.Header.Is64));
            case DwarfForm.Exprloc or DwarfForm.Block1 or DwarfForm.Block:
                // DWARF 2 gave member offsets as an expression: DW_OP_plus_uconst.
                ReadOnlySpan<byte> block = cursor.Take(form == DwarfForm.Block1 ? cursor.Byte() : cursor.Uleb());
                var inner = new DwarfCursor(block, 0);
                return block.Length > 1 && inner.Byte() == 0x23 ? unchecked((long)inner.Uleb()) : null;
            default:
                DwarfForms.Skip(ref cursor, unit.Header, form);
                return null;
        }
    }

    private static bool IsAddress(ushort form) => form is DwarfForm.Addr or DwarfForm.Addrx or DwarfForm.GnuAddrIndex
        or DwarfForm.Addrx1 or DwarfForm.Addrx2 or DwarfForm.Addrx3 or DwarfForm.Addrx4;

    private static ulong? CodeAddress(ref DwarfCursor cursor, DwarfUnit unit, ushort form)
    {
        switch (form)
        {
            case DwarfForm.Addr: return cursor.Unsigned(unit.Header.AddressSize);
            case DwarfForm.Addrx or DwarfForm.GnuAddrIndex: return unit.IndexedAddress(cursor.Uleb());
            case DwarfForm.Addrx1: return unit.IndexedAddress(cursor.Unsigned(1));
            case DwarfForm.Addrx2: return unit.IndexedAddress(cursor.Unsigned(2));
            case DwarfForm.Addrx3: return unit.IndexedAddress(cursor.Unsigned(3));
            case DwarfForm.Addrx4: return unit.IndexedAddress(cursor.Unsigned(4));
            default:
                DwarfForms.Skip(ref cursor, unit.Header, form);
                return null;
        }
    }

    // A variable at a fixed place is one operation: DW_OP_addr, or DW_OP_addrx with an index.
    private static ulong? AddressOf(ReadOnlySpan<byte> expression, DwarfUnit unit)
    {
        if (expression.IsEmpty)
            return null;
        var cursor = new DwarfCursor(expression, 1);
        return expression[0] switch
        {
            0x03 when expression.Length == 1 + unit.Header.AddressSize => cursor.Unsigned(unit.Header.AddressSize),
            0xa1 or 0xfb => unit.IndexedAddress(cursor.Uleb()),
            _ => null,
        };
    }
}
