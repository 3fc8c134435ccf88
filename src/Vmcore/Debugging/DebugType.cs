namespace Vmcore.Debugging;

/// <summary>What kind of type it is.</summary>
internal enum DebugTypeKind
{
    /// <summary>No type, as of a function that returns nothing or what <c>void *</c> points to; also what could not be read.</summary>
    Void,

    /// <summary>An integer, a character or a truth value.</summary>
    Integer,

    /// <summary>A floating point number.</summary>
    Float,

    /// <summary>A pointer; <see cref="DebugType.Target"/> is what it points to.</summary>
    Pointer,

    /// <summary>An array; <see cref="DebugType.Target"/> is one element.</summary>
    Array,

    /// <summary>A structure.</summary>
    Struct,

    /// <summary>A union.</summary>
    Union,

    /// <summary>An enumeration.</summary>
    Enumeration,

    /// <summary>A function.</summary>
    Function,

    /// <summary>Another name for <see cref="DebugType.Target"/>.</summary>
    Typedef,

    /// <summary>const, volatile, restrict or _Atomic of <see cref="DebugType.Target"/>.</summary>
    Qualifier,
}

/// <summary>A member of a structure or union.</summary>
/// <param name="Name">Its name; empty for an anonymous structure or union, whose members are members of what is around it.</param>
/// <param name="BitOffset">Offset from the start of the structure in bits.</param>
/// <param name="BitWidth">Width of a bit-field in bits; 0 if the member is none.</param>
/// <param name="Type">Its type.</param>
internal sealed record DebugMember(string Name, long BitOffset, int BitWidth, DebugType Type)
{
    /// <summary>Offset in bytes; null for a bit-field, and for a member that does not start on a byte.</summary>
    public long? ByteOffset => BitWidth == 0 && BitOffset % 8 == 0 ? BitOffset / 8 : null;
}

/// <summary>
/// One type of the crashed kernel, from DWARF or BTF. What it refers to is read when it is asked for: types refer to themselves, and hostile ones
/// without end. Whoever follows them bounds the steps.
/// </summary>
internal abstract class DebugType
{
    private const int MaxAliases = 32;

    /// <summary>The type that is none.</summary>
    public static DebugType Void { get; } = new VoidType();

    /// <summary>The kind.</summary>
    public abstract DebugTypeKind Kind { get; }

    /// <summary>The name without <c>struct</c>, <c>union</c> or <c>enum</c>; empty if it has none.</summary>
    public virtual string Name => "";

    /// <summary>Size in bytes as far as the type itself says it; see <see cref="ByteSize"/>.</summary>
    protected virtual long? OwnSize => null;

    /// <summary>What it points to, is made of, or stands for; <see cref="Void"/> if nothing.</summary>
    public virtual DebugType Target => Void;

    /// <summary>Number of elements of an array, all dimensions together; null if it is not known (a flexible array).</summary>
    public virtual long? Count => null;

    /// <summary>Members of a structure or union, in their order.</summary>
    public virtual IReadOnlyList<DebugMember> Members => [];

    /// <summary>Names and values of an enumeration, in their order.</summary>
    public virtual IReadOnlyList<KeyValuePair<string, long>> Enumerators => [];

    /// <summary>True for an integer or enumeration that can be negative.</summary>
    public virtual bool IsSigned => false;

    /// <summary>The type behind typedefs and qualifiers; <see cref="Void"/> if they do not end.</summary>
    public DebugType Resolve()
    {
        DebugType type = this;
        for (int i = 0; i < MaxAliases; i++)
        {
            if (type.Kind is not (DebugTypeKind.Typedef or DebugTypeKind.Qualifier))
                return type;
            type = type.Target;
        }

        return Void;
    }

    /// <summary>True for a structure or union, also by another name.</summary>
    public bool IsComposite => Resolve().Kind is DebugTypeKind.Struct or DebugTypeKind.Union;

    /// <summary>Size in bytes; null if it is not known: void, functions, flexible arrays and structures that are only declared.</summary>
    public long? ByteSize
    {
        get
        {
            DebugType type = this;
            long count = 1;
            for (int i = 0; i < MaxAliases; i++)
            {
                if (type.OwnSize is { } size)
                    return size <= long.MaxValue / count ? size * count : null;
                if (type.Kind == DebugTypeKind.Array)
                {
                    if (type.Count is not (>= 0 and < 1L << 31) || (count *= Math.Max(1, type.Count.Value)) > 1L << 40)
                        return null;
                    if (type.Count == 0)
                        return 0;
                }
                else if (type.Kind is not (DebugTypeKind.Typedef or DebugTypeKind.Qualifier))
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
    public DebugMember? Find(string path)
    {
        int budget = 1 << 15;
        DebugType type = this;
        DebugMember? member = null;
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

    private static DebugMember? Find(DebugType type, string name, int depth, ref int budget)
    {
        const int MaxDepth = 16;
        if (depth > MaxDepth || type.Kind is not (DebugTypeKind.Struct or DebugTypeKind.Union))
            return null;
        foreach (DebugMember member in type.Members)
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

    private sealed class VoidType : DebugType
    {
        public override DebugTypeKind Kind => DebugTypeKind.Void;
    }
}

/// <summary>The types of a kernel or of a module, wherever they come from.</summary>
internal interface IDebugTypes
{
    /// <summary>Finds a structure or union by its name, or by that of a typedef of one. Of several the first.</summary>
    /// <param name="name">Name without <c>struct</c>.</param>
    /// <returns>Null if there is none.</returns>
    DebugType? FindComposite(string name);

    /// <summary>Finds a structure that has a member, among several of the same name.</summary>
    /// <param name="name">Name without <c>struct</c>.</param>
    /// <param name="path">Member, or members of members.</param>
    /// <returns>The member with its offset; null if there is none.</returns>
    DebugMember? FindMember(string name, string path);

    /// <summary>Finds the type of a variable.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="linkAddress">Its link-time address, to tell variables of the same name apart; null if it is not known.</param>
    /// <returns>Null if there is none, or its type is not known.</returns>
    DebugType? FindVariable(string name, ulong? linkAddress);

    /// <summary>The value of an enumerator, in whatever enumeration it is.</summary>
    /// <returns>Null if there is none of that name.</returns>
    long? FindEnumerator(string name);
}
