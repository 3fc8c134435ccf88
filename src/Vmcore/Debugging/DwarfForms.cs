namespace Vmcore.Debugging;

/// <summary>How long attribute values are, and what they mean.</summary>
internal static class DwarfForms
{
    /// <summary>Bytes of a value in a unit of the 32-bit format with 8-byte addresses; −1 if that depends on the value.</summary>
    internal static int FixedSize(ushort form) => form switch
    {
        DwarfForm.FlagPresent or DwarfForm.ImplicitConst => 0,
        DwarfForm.Data1 or DwarfForm.Ref1 or DwarfForm.Flag or DwarfForm.Strx1 or DwarfForm.Addrx1 => 1,
        DwarfForm.Data2 or DwarfForm.Ref2 or DwarfForm.Strx2 or DwarfForm.Addrx2 => 2,
        DwarfForm.Strx3 or DwarfForm.Addrx3 => 3,
        DwarfForm.Data4 or DwarfForm.Ref4 or DwarfForm.Strx4 or DwarfForm.Addrx4 or DwarfForm.RefSup4 => 4,
        DwarfForm.Strp or DwarfForm.LineStrp or DwarfForm.SecOffset or DwarfForm.StrpSup or DwarfForm.GnuRefAlt or DwarfForm.GnuStrpAlt => 4,
        DwarfForm.Data8 or DwarfForm.Ref8 or DwarfForm.RefSig8 or DwarfForm.RefSup8 or DwarfForm.Addr => 8,
        DwarfForm.Data16 => 16,
        _ => -1,
    };

    /// <summary>Skips a value.</summary>
    /// <exception cref="DwarfException">The form is unknown, or the value overruns the unit.</exception>
    internal static void Skip(ref DwarfCursor cursor, DwarfUnitHeader unit, ushort form)
    {
        switch (form)
        {
            case DwarfForm.Addr:
                cursor.Skip((ulong)unit.AddressSize);
                return;
            case DwarfForm.RefAddr:
                cursor.Skip(unit.Version <= 2 ? (ulong)unit.AddressSize : unit.OffsetSize);
                return;
            case DwarfForm.Strp or DwarfForm.LineStrp or DwarfForm.SecOffset or DwarfForm.StrpSup or DwarfForm.GnuRefAlt or DwarfForm.GnuStrpAlt:
                cursor.Skip(unit.OffsetSize);
                return;
            case DwarfForm.String:
                cursor.CString();
                return;
            case DwarfForm.Block1:
                cursor.Skip(cursor.Byte());
                return;
            case DwarfForm.Block2:
                cursor.Skip(cursor.UInt16());
                return;
            case DwarfForm.Block4:
                cursor.Skip(cursor.UInt32());
                return;
            case DwarfForm.Block or DwarfForm.Exprloc:
                cursor.Skip(cursor.Uleb());
                return;
            case DwarfForm.Sdata or DwarfForm.Udata or DwarfForm.RefUdata or DwarfForm.Strx or DwarfForm.Addrx or DwarfForm.Loclistx or DwarfForm.Rnglistx
                or DwarfForm.GnuAddrIndex or DwarfForm.GnuStrIndex:
                cursor.Uleb();
                return;
            case DwarfForm.Indirect:
                Skip(ref cursor, unit, Direct(ref cursor));
                return;
            default:
                int size = FixedSize(form);
                if (size < 0)
                    throw new DwarfException($"the attribute form 0x{form:x} is unknown");
                cursor.Skip((ulong)size);
                return;
        }
    }

    /// <summary>The form that a value of DW_FORM_indirect names.</summary>
    internal static ushort Direct(ref DwarfCursor cursor)
    {
        ulong form = cursor.Uleb();
        return form is DwarfForm.Indirect or DwarfForm.ImplicitConst or > ushort.MaxValue
            ? throw new DwarfException("an indirect attribute form names another one")
            : (ushort)form;
    }
}
