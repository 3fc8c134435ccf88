using System.Text;

namespace Vmcore.Debugging;

/// <summary>A type out of DWARF; its children are read when they are asked for.</summary>
internal sealed class DwarfType : DebugType
{
    private const int MaxChildren = 1 << 16;
    private const long MaxCount = 1L << 40;

    private readonly DwarfTypes _types;
    private readonly long _offset;
    private readonly ushort _tag;
    private readonly long? _size;
    private readonly long? _target;
    private readonly ulong _targetSignature;
    private readonly int _encoding;
    private readonly Lazy<IReadOnlyList<DebugMember>> _members;
    private readonly Lazy<IReadOnlyList<KeyValuePair<string, long>>> _enumerators;
    private readonly Lazy<long?> _count;

    internal DwarfType(DwarfTypes types, long unit, DwarfEntry entry, string name)
    {
        _types = types;
        _offset = unit + entry.Offset;
        _tag = entry.Tag;
        _size = entry.ByteSize;
        _target = entry.Type;
        _targetSignature = entry.TypeSignature;
        _encoding = entry.Encoding;
        IsDeclaration = entry.IsDeclaration;
        Name = name;
        _members = new(ReadMembers, LazyThreadSafetyMode.None);
        _enumerators = new(ReadEnumerators, LazyThreadSafetyMode.None);
        _count = new(ReadCount, LazyThreadSafetyMode.None);
    }

    public override string Name { get; }

    /// <summary>The DW_TAG number: qualifiers are told apart by it.</summary>
    internal ushort Tag => _tag;

    /// <summary>The DW_ATE number of a base type.</summary>
    internal int BaseEncoding => _encoding;

    /// <summary>True if only the name is known, and no unit defines it.</summary>
    internal bool IsDeclaration { get; }

    /// <summary>Elements of each dimension of an array, the outermost first; null for one that is not known (flexible).</summary>
    internal IReadOnlyList<long?> Dimensions => ReadDimensions();

    public override DebugTypeKind Kind => _tag switch
    {
        // DW_ATE_float and its kin are 3, 4 and 9.
        DwarfTag.BaseType => _encoding is 3 or 4 or 9 ? DebugTypeKind.Float : DebugTypeKind.Integer,
        DwarfTag.PointerType or DwarfTag.ReferenceType => DebugTypeKind.Pointer,
        DwarfTag.ArrayType => DebugTypeKind.Array,
        DwarfTag.StructureType or DwarfTag.ClassType => DebugTypeKind.Struct,
        DwarfTag.UnionType => DebugTypeKind.Union,
        DwarfTag.EnumerationType => DebugTypeKind.Enumeration,
        DwarfTag.SubroutineType => DebugTypeKind.Function,
        DwarfTag.Typedef => DebugTypeKind.Typedef,
        DwarfTag.ConstType or DwarfTag.VolatileType or DwarfTag.RestrictType or DwarfTag.AtomicType => DebugTypeKind.Qualifier,
        _ => DebugTypeKind.Void,
    };

    // A pointer is 8 bytes also where its entry does not say so; all machines that Vmcore reads have 64 bits.
    protected override long? OwnSize => _size is >= 0 ? _size : Kind == DebugTypeKind.Pointer ? 8 : null;

    public override DebugType Target => _targetSignature != 0 && _target is null ? _types.TypeOfSignature(_targetSignature) : _types.TypeAt(_target);

    public override long? Count => _count.Value;

    public override IReadOnlyList<DebugMember> Members => _members.Value;

    public override IReadOnlyList<KeyValuePair<string, long>> Enumerators => _enumerators.Value;

    // DW_ATE_signed 5, DW_ATE_signed_char 6.
    public override bool IsSigned => _tag switch
    {
        DwarfTag.BaseType => _encoding is 5 or 6,
        DwarfTag.EnumerationType => Enumerators.Any(e => e.Value < 0),
        _ => false,
    };

    private IReadOnlyList<DebugMember> ReadMembers()
    {
        List<DebugMember> members = [];
        if (Kind is not (DebugTypeKind.Struct or DebugTypeKind.Union))
            return members;
        ForEachChild((unit, child) =>
        {
            if (child.Tag != DwarfTag.Member)
                return;
            DebugType type = child.Type is null && child.TypeSignature != 0 ? _types.TypeOfSignature(child.TypeSignature) : _types.TypeAt(child.Type);
            (long offset, int width) = Place(child, type);
            members.Add(new(Encoding.UTF8.GetString(unit.TextOf(child.Name)), offset, width, type));
        });
        return members;
    }

    private static (long BitOffset, int BitWidth) Place(DwarfEntry member, DebugType type)
    {
        const long MaxBytes = 1L << 40;
        long bytes = member.MemberLocation is >= 0 and <= MaxBytes ? member.MemberLocation.Value : 0;
        if (member.BitSize is not (> 0 and <= 1024) || member.BitSize is not { } width)
            return (bytes * 8, 0);
        if (member.DataBitOffset is >= 0 and <= MaxBytes * 8)
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
            if (elements is not { } known || (known > 0 && count > MaxCount / known))
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
            long? elements = child.Count ?? (child.UpperBound is >= -1 and < MaxCount ? child.UpperBound + 1 : null);
            dimensions.Add(elements is >= 0 and <= MaxCount ? elements : null);
        });
        return dimensions;
    }

    /// <summary>Reads the types of a function's parameters.</summary>
    /// <param name="isVariadic">Receives true if more may follow (<c>...</c>).</param>
    internal IReadOnlyList<DebugType> ReadParameters(out bool isVariadic)
    {
        List<DebugType> parameters = [];
        bool more = false;
        ForEachChild((_, child) =>
        {
            if (child.Tag == DwarfTag.FormalParameter)
                parameters.Add(child.Type is null && child.TypeSignature != 0 ? _types.TypeOfSignature(child.TypeSignature) : _types.TypeAt(child.Type));
            more |= child.Tag == DwarfTag.UnspecifiedParameters;
        });
        isVariadic = more;
        return parameters;
    }

    private void ForEachChild(Action<DwarfUnit, DwarfEntry> visit)
    {
        if (_types.ReadAt(_offset) is not { } at || !at.Entry.HasChildren)
            return;
        try
        {
            var child = new DwarfEntry();
            int next = at.Entry.End;
            for (int i = 0; i < MaxChildren && next < at.Unit.Header.Length; i++)
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
