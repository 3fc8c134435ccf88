namespace Vmcore.Kernel.Types;

/// <summary>What sort of type a <see cref="KernelType"/> is.</summary>
public enum KernelTypeKind
{
    /// <summary><c>void</c>, and what a damaged description leads to.</summary>
    Void,

    /// <summary>An integer that is neither a character nor a boolean.</summary>
    Integer,

    /// <summary><c>char</c>, <c>signed char</c> or <c>unsigned char</c>.</summary>
    Character,

    /// <summary><c>_Bool</c>.</summary>
    Boolean,

    /// <summary>A floating-point number.</summary>
    Float,

    /// <summary>A pointer to <see cref="KernelType.Target"/>.</summary>
    Pointer,

    /// <summary>An array of <see cref="KernelType.Target"/>.</summary>
    Array,

    /// <summary>A struct.</summary>
    Struct,

    /// <summary>A union.</summary>
    Union,

    /// <summary>An enum.</summary>
    Enum,

    /// <summary>Another name for <see cref="KernelType.Target"/>.</summary>
    Typedef,

    /// <summary><c>const</c> <see cref="KernelType.Target"/>.</summary>
    Const,

    /// <summary><c>volatile</c> <see cref="KernelType.Target"/>.</summary>
    Volatile,

    /// <summary><c>restrict</c> <see cref="KernelType.Target"/>.</summary>
    Restrict,

    /// <summary>A function that returns <see cref="KernelType.Target"/>.</summary>
    Function,
}

/// <summary>A member of a struct or union, or a parameter of a function.</summary>
/// <param name="Name">Name; empty for an anonymous struct or union, whose members belong to the one around it.</param>
/// <param name="Type">Its type.</param>
/// <param name="BitOffset">Offset from the start of the struct in bits; 0 for parameters.</param>
/// <param name="BitWidth">Width of a bit-field in bits; 0 if it is none.</param>
public sealed record KernelTypeMember(string Name, KernelType Type, long BitOffset, int BitWidth)
{
    /// <summary>Offset in bytes; null for a bit-field, and for a member that does not start on a byte.</summary>
    public long? ByteOffset => BitWidth == 0 && BitOffset % 8 == 0 ? BitOffset / 8 : null;
}

/// <summary>One name of an enum.</summary>
/// <param name="Name">The name.</param>
/// <param name="Value">Its value; of an unsigned enum of 64 bits the same bits.</param>
public sealed record KernelEnumerator(string Name, long Value);

/// <summary>A C type of the crashed kernel. What it refers to is looked up when asked for, so cycles cost nothing.</summary>
/// <remarks>Descriptions come from a file that may be damaged: following types needs a bound. Safe for several threads at once.</remarks>
public sealed class KernelType
{
    // So many names in a row stand for one type, so many arrays are in each other: C compilers need not take more than 12 (C17 5.2.4.1).
    private const int LongestChain = 32;

    private readonly Lazy<KernelType>? _target;
    private readonly Lazy<IReadOnlyList<KernelTypeMember>>? _members;
    private readonly Lazy<IReadOnlyList<KernelEnumerator>>? _enumerators;

    /// <summary>Creates a type.</summary>
    /// <param name="kind">The kind.</param>
    /// <param name="name">Name without <c>struct</c> and the like; empty for an anonymous one.</param>
    /// <param name="size">Size in bytes; null if it follows from the target, or is not known.</param>
    /// <param name="target">Gives the type referred to.</param>
    /// <param name="members">Gives members or parameters.</param>
    /// <param name="enumerators">Gives the names of an enum.</param>
    internal KernelType(
        KernelTypeKind kind,
        string name,
        long? size = null,
        Func<KernelType>? target = null,
        Func<IReadOnlyList<KernelTypeMember>>? members = null,
        Func<IReadOnlyList<KernelEnumerator>>? enumerators = null)
    {
        Kind = kind;
        Name = name;
        DeclaredSize = size;
        _target = target is null ? null : new(target);
        _members = members is null ? null : new(members);
        _enumerators = enumerators is null ? null : new(enumerators);
    }

    /// <summary><c>void</c>.</summary>
    public static KernelType Void { get; } = new(KernelTypeKind.Void, "void");

    /// <summary>The kind.</summary>
    public KernelTypeKind Kind { get; }

    /// <summary>Name without <c>struct</c>, <c>union</c> or <c>enum</c>; empty for an anonymous type, and for those that have none.</summary>
    public string Name { get; }

    /// <summary>Integers, characters and enums: true if they are signed.</summary>
    public bool IsSigned { get; init; }

    /// <summary>Number of elements of an array; null if it is not known (a flexible array) and
    /// for other types. BTF has [0] at the end of a struct as a flexible array.</summary>
    public long? Length { get; init; }

    /// <summary>Functions: true if more parameters may follow (<c>...</c>).</summary>
    public bool IsVariadic { get; init; }

    /// <summary>Structs and unions: false if only the name is known.</summary>
    public bool IsComplete { get; init; } = true;

    /// <summary>The type that a pointer, array, typedef or qualifier refers to, or that a function returns; void for others.</summary>
    public KernelType Target => _target?.Value ?? Void;

    /// <summary>Members of a struct or union, parameters of a function; empty for others.</summary>
    public IReadOnlyList<KernelTypeMember> Members => _members?.Value ?? [];

    /// <summary>The names of an enum; empty for others.</summary>
    public IReadOnlyList<KernelEnumerator> Enumerators => _enumerators?.Value ?? [];

    /// <summary>True for typedefs and qualifiers.</summary>
    public bool IsAlias => Kind is KernelTypeKind.Typedef || IsQualifier;

    /// <summary>True for const, volatile and restrict.</summary>
    public bool IsQualifier => Kind is KernelTypeKind.Const or KernelTypeKind.Volatile or KernelTypeKind.Restrict;

    /// <summary>True for structs and unions.</summary>
    public bool IsComposite => Kind is KernelTypeKind.Struct or KernelTypeKind.Union;

    /// <summary>Size in bytes; null for void, functions and types of which only the name is known. 0 for a flexible array.</summary>
    public long? Size => SizeWithin(LongestChain);

    /// <summary>The same, but null for a flexible array too, also of or in other arrays: where it ends nobody knows.</summary>
    internal long? KnownSize
    {
        get
        {
            KernelType type = Underlying();
            for (int i = 0; i < LongestChain && type.Kind == KernelTypeKind.Array; i++)
            {
                if (type.Length is null)
                    return null;
                type = type.Target.Underlying();
            }

            return Size;
        }
    }

    private long? DeclaredSize { get; }

    /// <summary>The type behind typedefs and qualifiers; void if they do not end.</summary>
    public KernelType Underlying() => Strip(typedefs: true);

    /// <summary>The type behind qualifiers; void if they do not end.</summary>
    public KernelType Unqualified() => Strip(typedefs: false);

    /// <summary>Finds a member by name, also inside anonymous structs and unions.</summary>
    /// <param name="name">One name, without dots.</param>
    /// <returns>The member, its offset that from the start of this type; null if there is none.</returns>
    public KernelTypeMember? FindMember(string name)
    {
        int budget = 1 << 14;
        return FindMember(Underlying(), name, 0, 16, ref budget);
    }

    /// <summary>Finds a member by its path.</summary>
    /// <param name="path">Member, or members of members: <c>d_name.len</c>. Anonymous members are passed through; elements of arrays are not.</param>
    /// <returns>The member, its offset that from the start of this type; null if there is none, or a bit-field is on the way.</returns>
    public KernelTypeMember? FindPath(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        KernelType type = this;
        KernelTypeMember? member = null;
        long offset = 0;
        foreach (string name in path.Split('.'))
        {
            if (name.Length == 0 || member is { BitWidth: > 0 } || type.FindMember(name) is not { } found)
                return null;
            offset += found.BitOffset;
            member = found with { BitOffset = offset };
            type = found.Type;
        }

        return member;
    }

    /// <summary>Offset of a member in bytes (the kernel's <c>offsetof</c>).</summary>
    /// <param name="path">Member, or members of members.</param>
    /// <exception cref="KernelObjectException">There is no such member, or it is a bit-field.</exception>
    public long OffsetOf(string path) => FindPath(path) is not { } member ? throw new KernelObjectException($"'{this}' has no member '{path}'")
        : member.ByteOffset ?? throw new KernelObjectException($"'{path}' of '{this}' is a bit-field, so it has no address");

    /// <summary>The type as C writes it without a variable: <c>struct list_head *[2]</c>.</summary>
    public override string ToString() => ToString(new AnswerBudget());

    /// <summary>The same within the budget of an answer.</summary>
    /// <param name="budget">What the answer may still look at; beyond it <c>...</c> is written.</param>
    public string ToString(AnswerBudget budget)
    {
        ArgumentNullException.ThrowIfNull(budget);
        return TypeNames.Name(this, budget);
    }

    private static KernelTypeMember? FindMember(KernelType type, string name, long offset, int depth, ref int budget)
    {
        // What a function has in their place are its parameters.
        if (depth == 0 || !type.IsComposite)
            return null;
        foreach (KernelTypeMember member in type.Members)
        {
            if (--budget < 0)
                return null;
            if (member.Name == name)
                return member with { BitOffset = member.BitOffset + offset };
            if (member.Name.Length == 0 && member.BitWidth == 0
                && FindMember(member.Type.Underlying(), name, offset + member.BitOffset, depth - 1, ref budget) is { } inner)
                return inner;
        }

        return null;
    }

    private KernelType Strip(bool typedefs)
    {
        KernelType type = this;
        for (int i = 0; i < LongestChain; i++)
        {
            if (!type.IsQualifier && !(typedefs && type.Kind == KernelTypeKind.Typedef))
                return type;
            type = type.Target;
        }

        return Void;
    }

    private long? SizeWithin(int depth)
    {
        if (DeclaredSize is { } size)
            return size;
        if (depth == 0)
            return null;
        if (IsAlias)
            return Target.SizeWithin(depth - 1);
        if (Kind != KernelTypeKind.Array)
            return null;
        long? element = Target.SizeWithin(depth - 1);
        return element is { } one && one >= 0 && Math.BigMul(one, Length ?? 0) is var all && all < int.MaxValue ? (long)all : null;
    }
}
