using System.Text;
using Vmcore.IO;

namespace Vmcore.Debugging;

/// <summary>
/// A type out of DWARF. What it refers to and its children are read when they are asked for: types refer to themselves, and hostile ones without end.
/// Whoever follows them bounds the steps. All but the room itself and vmcoreinfo ask for it as a KernelType.
/// </summary>
internal sealed class DwarfType
{
    private readonly DwarfTypes? _types;
    private readonly long _offset;
    private readonly ushort _tag;
    private readonly long? _size;
    private readonly long? _target;
    private readonly ulong _targetSignature;
    private readonly int _encoding;
    private readonly Lazy<IReadOnlyList<DwarfMember>> _members;
    private readonly Lazy<IReadOnlyList<KeyValuePair<string, long>>> _enumerators;
    private readonly Lazy<long?> _count;

    internal DwarfType(DwarfTypes types, long unit, DwarfEntry entry, string name)
        : this(name)
    {
        _types = types;
        _offset = unit + entry.Offset;
        _tag = entry.Tag;
        _size = entry.ByteSize;
        _target = entry.Type;
        _targetSignature = entry.TypeSignature;
        _encoding = entry.Encoding;
        IsDeclaration = entry.IsDeclaration;
    }

    private DwarfType(string name)
    {
        Name = name;
        _members = new(ReadMembers, LazyThreadSafetyMode.None);
        _enumerators = new(ReadEnumerators, LazyThreadSafetyMode.None);
        _count = new(ReadCount, LazyThreadSafetyMode.None);
    }

    /// <summary>The type that is none.</summary>
    public static DwarfType Void { get; } = new("");

    /// <summary>The name without <c>struct</c>, <c>union</c> or <c>enum</c>; empty if it has none.</summary>
    public string Name { get; }

    private ReadLimits Limits => _types?.Limits ?? ReadLimits.Default;

    /// <summary>The DW_TAG number: qualifiers are told apart by it.</summary>
    internal ushort Tag => _tag;

    /// <summary>The DW_ATE number of a base type.</summary>
    internal int BaseEncoding => _encoding;

    /// <summary>True if only the name is known, and no unit defines it.</summary>
    internal bool IsDeclaration { get; }

    /// <summary>Elements of each dimension of an array, the outermost first; null for one that is not known (flexible).</summary>
    internal IReadOnlyList<long?> Dimensions => ReadDimensions();

    /// <summary>The kind.</summary>
    public DwarfTypeKind Kind => _tag switch
    {
        // DW_ATE_float and its kin are 3, 4 and 9.
        DwarfTag.BaseType => _encoding is 3 or 4 or 9 ? DwarfTypeKind.Float : DwarfTypeKind.Integer,
        DwarfTag.PointerType or DwarfTag.ReferenceType => DwarfTypeKind.Pointer,
        DwarfTag.ArrayType => DwarfTypeKind.Array,
        DwarfTag.StructureType or DwarfTag.ClassType => DwarfTypeKind.Struct,
        DwarfTag.UnionType => DwarfTypeKind.Union,
        DwarfTag.EnumerationType => DwarfTypeKind.Enumeration,
        DwarfTag.SubroutineType => DwarfTypeKind.Function,
        DwarfTag.Typedef => DwarfTypeKind.Typedef,
        DwarfTag.ConstType or DwarfTag.VolatileType or DwarfTag.RestrictType or DwarfTag.AtomicType => DwarfTypeKind.Qualifier,
        _ => DwarfTypeKind.Void,
    };

    // A pointer is 8 bytes also where its entry does not say so; all machines that Vmcore reads have 64 bits.
    private long? OwnSize => _size is >= 0 ? _size : Kind == DwarfTypeKind.Pointer ? 8 : null;

    /// <summary>What it points to, is made of, or stands for; <see cref="Void"/> if nothing.</summary>
    public DwarfType Target => TypeOf(_target, _targetSignature);

    /// <summary>Number of elements of an array, all dimensions together; null if it is not known (a flexible array).</summary>
    public long? Count => _count.Value;

    /// <summary>Members of a structure or union, in their order.</summary>
    public IReadOnlyList<DwarfMember> Members => _members.Value;

    /// <summary>Names and values of an enumeration, in their order.</summary>
    public IReadOnlyList<KeyValuePair<string, long>> Enumerators => _enumerators.Value;

    /// <summary>True for an integer or enumeration that can be negative.</summary>
    // DW_ATE_signed 5, DW_ATE_signed_char 6.
    public bool IsSigned => _tag switch
    {
        DwarfTag.BaseType => _encoding is 5 or 6,
        DwarfTag.EnumerationType => Enumerators.Any(e => e.Value < 0),
        _ => false,
    };

    /// <summary>The type behind typedefs and qualifiers; <see cref="Void"/> if they do not end.</summary>
    public DwarfType Resolve()
    {
        DwarfType type = this;
        for (int i = 0; i < Limits.TypeAliases; i++)
        {
            if (type.Kind is not (DwarfTypeKind.Typedef or DwarfTypeKind.Qualifier))
                return type;
            type = type.Target;
        }

        return Void;
    }

    /// <summary>True for a structure or union, also by another name.</summary>
    public bool IsComposite => Resolve().Kind is DwarfTypeKind.Struct or DwarfTypeKind.Union;

    /// <summary>Size in bytes; null if it is not known: void, functions, flexible arrays and structures that are only declared.</summary>
    public long? ByteSize
    {
        get
        {
            DwarfType type = this;
            long count = 1;
            for (int i = 0; i < Limits.TypeAliases; i++)
            {
                if (type.OwnSize is { } size)
                    return size <= long.MaxValue / count ? size * count : null;
                if (type.Kind == DwarfTypeKind.Array)
                {
                    if (type.Count is not (>= 0 and < 1L << 31) || (count *= Math.Max(1, type.Count.Value)) > 1L << 40)
                        return null;
                    if (type.Count == 0)
                        return 0;
                }
                else if (type.Kind is not (DwarfTypeKind.Typedef or DwarfTypeKind.Qualifier))
                {
                    return null;
                }

                type = type.Target;
            }

            return null;
        }
    }

    /// <summary>Finds a member of a structure or union by its path.</summary>
    /// <param name="path">Member, or members of members: <c>d_name.len</c>. Anonymous members are passed through; elements of arrays are not.</param>
    /// <returns>The member with its offset in this type; null if there is none.</returns>
    public DwarfMember? Find(string path)
    {
        int budget = 1 << 15;
        DwarfType type = this;
        DwarfMember? member = null;
        long offset = 0;
        foreach (string name in path.Split('.'))
        {
            if (name.Length == 0 || member is { BitWidth: > 0 } || Find(type.Resolve(), name, 0, ref budget) is not { } found)
                return null;
            offset += found.BitOffset;
            member = found with { BitOffset = offset };
            type = found.Type;
        }

        return member;
    }

    private static DwarfMember? Find(DwarfType type, string name, int depth, ref int budget)
    {
        if (depth > type.Limits.MemberDepth || type.Kind is not (DwarfTypeKind.Struct or DwarfTypeKind.Union))
            return null;
        foreach (DwarfMember member in type.Members)
        {
            if (--budget < 0)
                return null;
            if (member.Name == name)
                return member;
            if (member.Name.Length == 0 && Find(member.Type.Resolve(), name, depth + 1, ref budget) is { } inner)
                return inner with { BitOffset = inner.BitOffset + member.BitOffset };
        }

        return null;
    }

    private DwarfType TypeOf(long? offset, ulong signature) =>
        _types is null ? Void : offset is null && signature != 0 ? _types.TypeOfSignature(signature) : _types.TypeAt(offset);

    private IReadOnlyList<DwarfMember> ReadMembers()
    {
        List<DwarfMember> members = [];
        if (Kind is not (DwarfTypeKind.Struct or DwarfTypeKind.Union))
            return members;
        ForEachChild((unit, child) =>
        {
            if (child.Tag != DwarfTag.Member)
                return;
            DwarfType type = TypeOf(child.Type, child.TypeSignature);
            (long offset, int width) = Place(child, type);
            members.Add(new(Encoding.UTF8.GetString(unit.TextOf(child.Name)), offset, width, type));
        });
        return members;
    }

    private static (long BitOffset, int BitWidth) Place(DwarfEntry member, DwarfType type)
    {
        const long FarthestByte = 1L << 40; // Eight times as many bits are far from the end of a number.
        long bytes = member.MemberLocation is >= 0 and <= FarthestByte ? member.MemberLocation.Value : 0;
        if (member.BitSize is not (> 0 and <= 1024) || member.BitSize is not { } width)
            return (bytes * 8, 0);
        if (member.DataBitOffset is >= 0 and <= FarthestByte * 8)
            return ((bytes * 8) + member.DataBitOffset.Value, (int)width);
        // Before DWARF 4, bits counted from the high end of the storage unit.
        if (member.BitOffset is >= -1024 and <= 1024 && (member.ByteSize ?? type.ByteSize) is { } storage and <= 128)
            return (Math.Max(0, (bytes * 8) + (storage * 8) - member.BitOffset.Value - width), (int)width);
        return (bytes * 8, (int)width);
    }

    private IReadOnlyList<KeyValuePair<string, long>> ReadEnumerators()
    {
        List<KeyValuePair<string, long>> values = [];
        if (_tag != DwarfTag.EnumerationType)
            return values;

        // gcc gives values of an unsigned enumeration in the fewest bytes that hold them, and negative ones as signed numbers.
        ForEachChild((unit, child) =>
        {
            if (child is { Tag: DwarfTag.Enumerator, Constant: { } value })
                values.Add(new(Encoding.UTF8.GetString(unit.TextOf(child.Name)), value));
        });
        return values;
    }

    private long? ReadCount()
    {
        long count = 1;
        IReadOnlyList<long?> dimensions = ReadDimensions();
        foreach (long? elements in dimensions)
        {
            if (elements is not { } known || (known > 0 && count > Limits.ArrayElements / known))
                return null;
            count *= known;
        }

        return dimensions.Count > 0 ? count : null;
    }

    // One entry for each dimension; a flexible one has neither count nor bound.
    private List<long?> ReadDimensions()
    {
        List<long?> dimensions = [];
        if (_tag != DwarfTag.ArrayType)
            return dimensions;
        ForEachChild((_, child) =>
        {
            if (child.Tag is not (DwarfTag.SubrangeType or DwarfTag.EnumerationType))
                return;
            long? elements = child.Count ?? (child.UpperBound is >= -1 and < long.MaxValue ? child.UpperBound + 1 : null);
            dimensions.Add(elements >= 0 && elements <= Limits.ArrayElements ? elements : null);
        });
        return dimensions;
    }

    /// <summary>Reads the types of a function's parameters.</summary>
    /// <param name="isVariadic">Receives true if more may follow (<c>...</c>).</param>
    internal IReadOnlyList<DwarfType> ReadParameters(out bool isVariadic)
    {
        List<DwarfType> parameters = [];
        bool more = false;
        ForEachChild((_, child) =>
        {
            if (child.Tag == DwarfTag.FormalParameter)
                parameters.Add(TypeOf(child.Type, child.TypeSignature));
            more |= child.Tag == DwarfTag.UnspecifiedParameters;
        });
        isVariadic = more;
        return parameters;
    }

    private void ForEachChild(Action<DwarfUnit, DwarfEntry> visit)
    {
        if (_types?.ReadAt(_offset) is not { } at || !at.Entry.HasChildren)
            return;
        try
        {
            var child = new DwarfEntry();
            int next = at.Entry.End;
            for (int i = 0; i < Limits.DwarfChildren && next < at.Unit.Header.Length; i++)
            {
                child.Read(at.Unit, next);
                if (child.Tag == 0)
                    return;
                next = at.Unit.SkipChildren(child);
                visit(at.Unit, child);
            }
        }
        catch (DwarfException)
        {
            // What was read before the damage stays.
        }
    }
}
