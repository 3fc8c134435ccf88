using System.Text;
using Vmcore.Formats.Elf;
using Vmcore.IO;

namespace Vmcore.Debugging;

/// <summary>
/// The types of a kernel or module out of DWARF 2 to 5 (.debug_info of a vmlinux or of a .debug file). One pass finds where each name is defined; a
/// type is read when it is asked for. Damage costs the unit that it is in, and <see cref="Problem"/> says so.
/// </summary>
/// <remarks>Reads from the file as long as it is used. Not safe for several threads at once.</remarks>
internal sealed class DwarfTypes
{
    private readonly DwarfSections _sections;
    private readonly DwarfIndex _index;
    private readonly Dictionary<long, DwarfType> _types = [];
    private int _steps;

    private DwarfTypes(DwarfSections sections)
    {
        _sections = sections;
        _index = DwarfIndex.Build(sections);
    }

    /// <summary>The bounds on what the debug information may ask for.</summary>
    internal ReadLimits Limits => _sections.Limits;

    /// <summary>Number of units.</summary>
    public int UnitCount => _index.Units.Count;

    /// <summary>Number of names: types, variables and enumerators.</summary>
    public int NameCount => _index.Count;

    /// <summary>What could not be read, in one clause; null if everything could.</summary>
    public string? Problem => _index.Problem
        ?? (_index.NeedsOtherFile ? "parts of the debug information are in another file (dwz or split DWARF), which is not read" : null);

    /// <summary>Reads the debug information of a file.</summary>
    /// <param name="file">The file; it must live as long as the types.</param>
    /// <param name="problem">One clause for the operator on why there are no types, or what could not be read of them; null if all is well.</param>
    /// <returns>Null if the file has no debug information.</returns>
    /// <exception cref="DumpFormatException">A section as a whole is damaged.</exception>
    public static DwarfTypes? TryLoad(ElfObjectFile file, out string? problem)
    {
        if (DwarfSections.TryOpen(file) is not { } sections)
        {
            problem = "there is no debug information (.debug_info) in it";
            return null;
        }

        var types = new DwarfTypes(sections);
        problem = types.Problem;
        if (types.NameCount > 0)
            return types;
        problem ??= "its debug information (.debug_info) has no types";
        return null;
    }

    /// <summary>Finds a structure or union by its name, or by that of a typedef of one. Of several the first.</summary>
    /// <param name="name">Name without <c>struct</c>.</param>
    /// <returns>Null if there is none.</returns>
    public DwarfType? FindComposite(string name)
    {
        foreach (DwarfKind kind in (ReadOnlySpan<DwarfKind>)[DwarfKind.Composite, DwarfKind.Typedef])
        {
            foreach ((DwarfType type, _) in Named(kind, name))
            {
                if (type.IsComposite)
                    return type;
            }
        }

        return null;
    }

    /// <summary>Finds a structure that has a member, among several of the same name.</summary>
    /// <param name="name">Name without <c>struct</c>.</param>
    /// <param name="path">Member, or members of members.</param>
    /// <returns>The member with its offset; null if there is none.</returns>
    public DwarfMember? FindMember(string name, string path)
    {
        foreach (DwarfKind kind in (ReadOnlySpan<DwarfKind>)[DwarfKind.Composite, DwarfKind.Typedef])
        {
            foreach ((DwarfType type, _) in Named(kind, name))
            {
                if (type.Find(path) is { } member)
                    return member;
            }
        }

        return null;
    }

    /// <summary>Finds the type of a variable.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="linkAddress">Its link-time address, to tell variables of the same name apart; null if it is not known.</param>
    /// <returns>Null if there is none, or its type is not known.</returns>
    public DwarfType? FindVariable(string name, ulong? linkAddress)
    {
        DwarfType? first = null;
        foreach (DwarfKind kind in (ReadOnlySpan<DwarfKind>)[DwarfKind.Variable, DwarfKind.Declaration])
        {
            foreach ((DwarfType type, ulong? address) in Named(kind, name))
            {
                if (linkAddress is not null && address == linkAddress)
                    return type;
                // A declaration says less than the definition: arrays without their length.
                first ??= type;
            }
        }

        return first;
    }

    /// <summary>The value of an enumerator, in whatever enumeration it is.</summary>
    /// <returns>Null if there is none of that name.</returns>
    public long? FindEnumerator(string name)
    {
        foreach ((DwarfType type, _) in Named(DwarfKind.Enumerator, name))
        {
            foreach (KeyValuePair<string, long> value in type.Enumerators)
            {
                if (value.Key == name)
                    return value.Value;
            }
        }

        return null;
    }

    /// <summary>The source file in which a typedef is declared, as the compiler was told it.</summary>
    /// <returns>Null if there is no such typedef, or the line tables do not say.</returns>
    public string? FindTypedefFile(string name)
    {
        foreach ((long offset, _) in _index.Find(DwarfKind.Typedef, Encoding.UTF8.GetBytes(name)))
        {
            if (ReadAt(offset) is { } at && Text(at, at.Entry.Name) == name)
                return DwarfLineFiles.Find(_sections, at.Unit, at.Entry.DeclarationFile);
        }

        return null;
    }

    /// <summary>All definitions of a name: structures and unions, enumerations, then typedefs.</summary>
    internal IEnumerable<DwarfType> FindAll(string name) =>
        Named(DwarfKind.Composite, name).Concat(Named(DwarfKind.Enumeration, name)).Concat(Named(DwarfKind.Typedef, name)).Select(n => n.Type);

    /// <summary>The type at an offset of .debug_info; void if there is none.</summary>
    internal DwarfType TypeAt(long? offset)
    {
        if (offset is not { } at)
            return DwarfType.Void;
        if (_types.TryGetValue(at, out DwarfType? known))
            return known;
        if (_types.Count >= Limits.CachedTypes)
            _types.Clear();
        _steps++;
        DwarfType type = ReadAt(at) is { } found ? Build(found) : DwarfType.Void;
        _steps--;
        _types[at] = type;
        return type;
    }

    internal DwarfType TypeOfSignature(ulong signature) => TypeAt(_index.FindSignature(signature));

    /// <summary>Reads the entry at an offset of .debug_info; null if it is damaged.</summary>
    internal (DwarfUnit Unit, DwarfEntry Entry)? ReadAt(long offset)
    {
        try
        {
            if (_index.UnitOf(offset) is not { } start)
                return null;
            DwarfUnit unit = _sections.Load(start);
            if (offset - start < unit.Header.HeaderSize || offset - start >= unit.Header.Length)
                return null;
            var entry = new DwarfEntry();
            entry.Read(unit, (int)(offset - start));
            return (unit, entry);
        }
        catch (DwarfException)
        {
            return null;
        }
    }

    internal static string Text((DwarfUnit Unit, DwarfEntry Entry) at, DwarfText text) => Encoding.UTF8.GetString(at.Unit.TextOf(text));

    private DwarfType TypeOf(DwarfEntry entry, DwarfEntry? declaration)
    {
        if (entry.Type is null && entry.TypeSignature == 0 && declaration is not null)
            entry = declaration;
        return entry.Type is null && entry.TypeSignature != 0 ? TypeOfSignature(entry.TypeSignature) : TypeAt(entry.Type);
    }

    private DwarfType Build((DwarfUnit Unit, DwarfEntry Entry) at)
    {
        DwarfEntry entry = at.Entry;
        if (_steps < Limits.DwarfReferences && entry.Tag is (DwarfTag.StructureType or DwarfTag.UnionType or DwarfTag.ClassType or DwarfTag.EnumerationType))
        {
            if (entry.TypeSignature != 0 && _index.FindSignature(entry.TypeSignature) is { } signed && signed != at.Unit.Header.Start + entry.Offset)
                return TypeAt(signed);
            if (entry.IsDeclaration && FindDefinition(at) is { } definition)
                return definition;
        }

        return new DwarfType(this, at.Unit.Header.Start, entry, Text(at, entry.Name));
    }

    // A pointer to a structure that its unit only declares: some other unit defines it.
    private DwarfType? FindDefinition((DwarfUnit Unit, DwarfEntry Entry) at)
    {
        string name = Text(at, at.Entry.Name);
        DwarfKind kind = at.Entry.Tag == DwarfTag.EnumerationType ? DwarfKind.Enumeration : DwarfKind.Composite;
        ushort tag = at.Entry.Tag;
        foreach ((long offset, _) in _index.Find(kind, Encoding.UTF8.GetBytes(name)))
        {
            if (ReadAt(offset) is { } other && other.Entry.Tag == tag && !other.Entry.IsDeclaration && Text(other, other.Entry.Name) == name)
                return TypeAt(offset);
        }

        return null;
    }

    // Variables give their type, and the address if they have one; enumerators the enumeration that they are in.
    private IEnumerable<(DwarfType Type, ulong? Address)> Named(DwarfKind kind, string name)
    {
        foreach ((long offset, ulong? address) in _index.Find(kind, Encoding.UTF8.GetBytes(name)))
        {
            if (ReadAt(offset) is not { } at)
                continue;
            if (kind is not (DwarfKind.Variable or DwarfKind.Declaration))
            {
                if (kind == DwarfKind.Enumerator || Text(at, at.Entry.Name) == name)
                    yield return (TypeAt(offset), null);
                continue;
            }

            DwarfEntry entry = at.Entry;
            DwarfEntry? declaration = entry.Specification is { } specification && ReadAt(specification) is { } other ? other.Entry : null;
            DwarfText text = entry.Name.Place != DwarfTextPlace.None || declaration is null ? entry.Name : declaration.Name;
            if (Text(at, text) == name && TypeOf(entry, declaration) is { Kind: not DwarfTypeKind.Void } type)
                yield return (type, _sections.File.IsRelocatable ? null : address);
        }
    }
}
