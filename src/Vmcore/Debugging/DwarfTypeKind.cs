namespace Vmcore.Debugging;

/// <summary>What kind of type it is.</summary>
internal enum DwarfTypeKind
{
    /// <summary>No type, as of a function that returns nothing or what <c>void *</c> points to; also what could not be read.</summary>
    Void,

    /// <summary>An integer, a character or a truth value.</summary>
    Integer,

    /// <summary>A floating point number.</summary>
    Float,

    /// <summary>A pointer; <see cref="DwarfType.Target"/> is what it points to.</summary>
    Pointer,

    /// <summary>An array; <see cref="DwarfType.Target"/> is one element.</summary>
    Array,

    /// <summary>A structure.</summary>
    Struct,

    /// <summary>A union.</summary>
    Union,

    /// <summary>An enumeration.</summary>
    Enumeration,

    /// <summary>A function.</summary>
    Function,

    /// <summary>Another name for <see cref="DwarfType.Target"/>.</summary>
    Typedef,

    /// <summary>const, volatile, restrict or _Atomic of <see cref="DwarfType.Target"/>.</summary>
    Qualifier,
}

/// <summary>A member of a structure or union.</summary>
/// <param name="Name">Its name; empty for an anonymous structure or union, whose members are members of what is around it.</param>
/// <param name="BitOffset">Offset from the start of the structure in bits.</param>
/// <param name="BitWidth">Width of a bit-field in bits; 0 if the member is none.</param>
/// <param name="Type">Its type.</param>
internal sealed record DwarfMember(string Name, long BitOffset, int BitWidth, DwarfType Type)
{
    /// <summary>Offset in bytes; null for a bit-field, and for a member that does not start on a byte.</summary>
    public long? ByteOffset => BitWidth == 0 && BitOffset % 8 == 0 ? BitOffset / 8 : null;
}
