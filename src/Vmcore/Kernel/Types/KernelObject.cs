using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Vmcore.Memory;

namespace Vmcore.Kernel.Types;

/// <summary>
/// A typed piece of the crashed kernel's memory: a variable, a struct at an address, a member of one; or a value that was computed, such as an address.
/// Reading is done when the value is asked for.
/// </summary>
public sealed class KernelObject
{
    private readonly ulong? _value;
    private readonly int _bitOffset;
    private readonly int _bitWidth;

    private KernelObject(IVirtualMemory memory, KernelType type, ulong? address, ulong? value, int bitOffset, int bitWidth)
    {
        Memory = memory;
        Type = type;
        Address = address;
        _value = value;
        _bitOffset = bitOffset;
        _bitWidth = bitWidth;
    }

    /// <summary>The type.</summary>
    public KernelType Type { get; }

    /// <summary>Virtual address; null for a value that is nowhere.</summary>
    public ulong? Address { get; }

    /// <summary>An object in memory.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="type">The type.</param>
    /// <param name="address">Virtual address of its first byte.</param>
    public static KernelObject At(IVirtualMemory memory, KernelType type, ulong address) => new(memory, type, address, null, 0, 0);

    /// <summary>A number or a pointer that is not in memory.</summary>
    /// <param name="memory">The kernel's memory, for what a pointer points to.</param>
    /// <param name="type">An integer, an enum or a pointer.</param>
    /// <param name="value">Its bits.</param>
    public static KernelObject Value(IVirtualMemory memory, KernelType type, ulong value) => new(memory, type, null, value, 0, 0);

    /// <summary>A member of a struct or union; of what it points to, if this is a pointer.</summary>
    /// <param name="name">One name, without dots; those of anonymous structs inside are found too.</param>
    /// <exception cref="KernelObjectException">There is no such member, or the pointer cannot be read.</exception>
    public KernelObject Member(string name)
    {
        if (IsPointer && Type.Underlying().Target.Underlying().Kind == KernelTypeKind.Void)
            throw new KernelObjectException($"what this '{Type}' points to is of a type that is not known, so it has no member '{name}': "
                + $"say its type, ((struct NAME *)...)->{name}");
        KernelObject target = IsPointer ? Dereference() : this;
        KernelTypeMember member = target.Type.FindMember(name) ?? throw new KernelObjectException($"'{target.Type}' has no member '{name}'");
        if (member is { BitWidth: 0, ByteOffset: null })
            throw new KernelObjectException($"'{name}' of '{target.Type}' does not start on a byte: the types are damaged");
        ulong address = target.Address ?? throw new KernelObjectException("a computed value has no members");
        return member.BitWidth > 0
            ? new(Memory, member.Type, address + (ulong)(member.BitOffset / 8), null, (int)(member.BitOffset % 8), member.BitWidth)
            : At(Memory, member.Type, address + (ulong)(member.BitOffset / 8));
    }

    /// <summary>What a pointer points to; the first element of an array.</summary>
    /// <exception cref="KernelObjectException">It is no pointer, or cannot be read.</exception>
    public KernelObject Dereference() => Element(0);

    /// <summary>An element of an array, or of what a pointer points to.</summary>
    /// <param name="index">Index, may be negative.</param>
    /// <exception cref="KernelObjectException">It is neither array nor pointer, or cannot be read.</exception>
    public KernelObject Element(long index)
    {
        KernelType type = Type.Underlying();
        if (type.Kind is not (KernelTypeKind.Pointer or KernelTypeKind.Array))
            throw new KernelObjectException($"'{Type}' is neither a pointer nor an array");
        long size = type.Target.Size ?? throw new KernelObjectException($"the size of '{type.Target}' is not known");
        ulong start = type.Kind == KernelTypeKind.Array ? Address ?? throw new KernelObjectException("a computed value has no elements") : AsUInt64();
        return At(Memory, type.Target, unchecked(start + (ulong)(index * size)));
    }

    /// <inheritdoc cref="Member"/>
    public KernelObject this[string name] => Member(name);

    /// <inheritdoc cref="Element"/>
    public KernelObject this[long index] => Element(index);

    /// <summary>All elements of an array whose length its type says.</summary>
    /// <returns>The elements, each read when its value is asked for.</returns>
    /// <exception cref="KernelObjectException">It is no array, the array is flexible, or it has more than 16,777,216 elements.</exception>
    public IEnumerable<KernelObject> Elements()
    {
        KernelType type = Type.Underlying();
        if (type.Kind != KernelTypeKind.Array)
            throw new KernelObjectException($"'{Type}' is no array");
        return Elements(type.Length ?? throw new KernelObjectException($"'{Type}' does not say how many elements there are"));
    }

    /// <summary>The first elements of an array, or of what a pointer points to.</summary>
    /// <param name="count">How many. It often comes from the dump, so it is checked.</param>
    /// <returns>The elements, each read when its value is asked for.</returns>
    /// <exception cref="KernelObjectException">It is neither array nor pointer, it cannot be read, or the number is negative or above 16,777,216.</exception>
    public IEnumerable<KernelObject> Elements(long count)
    {
        if (count < 0 || count > Memory.Limits.ObjectElements)
            throw new KernelObjectException(string.Create(CultureInfo.InvariantCulture,
                $"'{Type}' with {count} elements is expected to have 0 to {Memory.Limits.ObjectElements}"));
        if (count == 0)
            return [];
        KernelObject first = Element(0);
        return Following(first, count);
    }

    /// <summary>The structure that this is a member of (the kernel's <c>container_of</c>); for a pointer, the structure that has what it points to.</summary>
    /// <param name="type">The structure or union.</param>
    /// <param name="member">The member, or members of members: <c>signal.list</c>. Anonymous ones are passed through.</param>
    /// <exception cref="KernelObjectException">There is no such member, it is a bit-field, or this cannot be read or is nowhere.</exception>
    public KernelObject ContainerOf(KernelType type, string member)
    {
        ArgumentNullException.ThrowIfNull(type);
        ulong address = IsPointer ? AsUInt64() : Address ?? throw new KernelObjectException("a computed value is in no structure");
        return At(Memory, type, unchecked(address - (ulong)type.OffsetOf(member)));
    }

    /// <summary>A pointer to this object.</summary>
    /// <exception cref="KernelObjectException">It is a computed value or a bit-field: it has no address.</exception>
    public KernelObject AddressOf() => Address is { } address && _bitWidth == 0
        ? Value(Memory, TypeNameParser.PointerTo(Type), address)
        : throw new KernelObjectException("only what is in memory and no bit-field has an address");

    /// <summary>The same memory, or the same value, as another type.</summary>
    /// <param name="type">The type.</param>
    /// <exception cref="KernelObjectException">The value cannot be read.</exception>
    public KernelObject As(KernelType type)
    {
        ArgumentNullException.ThrowIfNull(type);
        KernelType plain = type.Underlying();
        if (plain.IsComposite || plain.Kind == KernelTypeKind.Array)
            return Address is { } address ? At(Memory, type, address) : throw new KernelObjectException($"a computed value is no '{type}'");
        return Value(Memory, type, Type.Underlying().Kind == KernelTypeKind.Array && Address is { } start ? start : AsUInt64());
    }

    /// <summary>The value of an integer, a character, a boolean, an enum or a pointer: sign-extended to 64 bits if its type is signed.</summary>
    /// <exception cref="KernelObjectException">It is none of these, or cannot be read.</exception>
    public ulong AsUInt64()
    {
        KernelType type = Type.Underlying();
        if (type.Kind is not (KernelTypeKind.Integer or KernelTypeKind.Character or KernelTypeKind.Boolean or KernelTypeKind.Enum or KernelTypeKind.Pointer)
            || type.Size is not ({ } size and >= 1 and <= 8))
            throw new KernelObjectException($"'{Type}' is no number");
        if (_value is { } value)
            return ScalarBits.Extend(value, (int)size * 8, type.IsSigned);
        if (_bitWidth == 0)
        {
            Span<byte> bytes = stackalloc byte[(int)size];
            Read(Address!.Value, bytes);
            return ScalarBits.Read(bytes, 0, 0, type);
        }

        Span<byte> field = stackalloc byte[(_bitOffset + _bitWidth + 7) / 8];
        Read(Address!.Value, field);
        return ScalarBits.Read(field, _bitOffset, _bitWidth, type);
    }

    /// <summary>The value as a signed number.</summary>
    /// <exception cref="KernelObjectException">It is no number, cannot be read, or is an unsigned one above <see cref="long.MaxValue"/>.</exception>
    public long AsInt64()
    {
        ulong value = AsUInt64();
        return value <= long.MaxValue || Type.Underlying().IsSigned ? (long)value
            : throw new KernelObjectException(string.Create(CultureInfo.InvariantCulture, $"{value} ('{Type}') is no signed number of 64 bits"));
    }

    /// <summary>True for a number that is not 0, and for a pointer that is not NULL.</summary>
    /// <exception cref="KernelObjectException">It is neither, or cannot be read.</exception>
    public bool AsBool() => AsUInt64() != 0;

    /// <summary>The text in an array of characters, or that a pointer to characters points to, up to its NUL.</summary>
    /// <returns>
    /// The text. Bytes that are not UTF-8 become U+FFFD; control characters stay: it is the crashed machine's text, nothing to send to a terminal.
    /// </returns>
    /// <exception cref="KernelObjectException">
    /// It is no text, the pointer is NULL, it cannot be read, or what a pointer points to has no NUL within 65,536 bytes. An array may have none: then it
    /// is all text.
    /// </exception>
    public string ReadString()
    {
        KernelType type = Type.Underlying();
        if (type.Kind is not (KernelTypeKind.Pointer or KernelTypeKind.Array) || type.Target.Underlying() is not { Size: 1 } character
            || character.Kind is not (KernelTypeKind.Character or KernelTypeKind.Integer))
            throw new KernelObjectException($"'{Type}' is no text");
        if (type is { Kind: KernelTypeKind.Array, Length: not null })
        {
            ReadOnlySpan<byte> bytes = ReadBytes();
            int nul = bytes.IndexOf((byte)0);
            return Encoding.UTF8.GetString(nul >= 0 ? bytes[..nul] : bytes);
        }

        ulong address = type.Kind == KernelTypeKind.Pointer ? AsUInt64() : Address ?? throw new KernelObjectException("a computed value has no elements");
        if (address == 0)
            throw new KernelObjectException($"the pointer ('{Type}') is NULL: there is no text");
        return Encoding.UTF8.GetString(KernelText.TryRead(Memory, address, new(), Memory.Limits.StringBytes)
            ?? throw new KernelObjectException($"the text at 0x{address:x} ('{Type}') cannot be read to its end"));
    }

    /// <summary>The bytes of the object.</summary>
    /// <exception cref="KernelObjectException">Its size is not known or too large, or it cannot be read.</exception>
    public byte[] ReadBytes()
    {
        if (_value is { } value)
        {
            byte[] word = new byte[sizeof(ulong)];
            BinaryPrimitives.WriteUInt64LittleEndian(word, value);
            return word;
        }

        if (_bitWidth > 0)
        {
            byte[] field = new byte[(_bitOffset + _bitWidth + 7) / 8];
            Read(Address!.Value, field);
            return field;
        }

        long size = Type.Size ?? throw new KernelObjectException($"the size of '{Type}' is not known");
        if (size < 0 || size > Memory.Limits.ObjectBytes)
            throw new KernelObjectException($"'{Type}' has {size} bytes, more than {Memory.Limits.ObjectBytes}");
        byte[] bytes = new byte[size];
        Read(Address!.Value, bytes);
        return bytes;
    }

    /// <summary>The kernel's memory.</summary>
    internal IVirtualMemory Memory { get; }

    internal int BitOffset => _bitOffset;

    internal int BitWidth => _bitWidth;

    private bool IsPointer => Type.Underlying().Kind == KernelTypeKind.Pointer;

    private static IEnumerable<KernelObject> Following(KernelObject first, long count)
    {
        ulong size = (ulong)(first.Type.Size ?? 0);
        for (long i = 0; i < count; i++)
            yield return At(first.Memory, first.Type, unchecked(first.Address!.Value + ((ulong)i * size)));
    }

    private void Read(ulong address, Span<byte> bytes)
    {
        MemoryStatus status = Memory.Read(address, bytes);
        if (status != MemoryStatus.Ok)
            throw new KernelObjectException(
                $"{bytes.Length} bytes at 0x{address:x} ('{Type}') cannot be read: {MemoryStatusText.Of(status)}{AddressPattern.Clause(address)}");
    }
}

/// <summary>A typed piece of memory cannot be had: it is not in the dump, or its type has nothing of that name.</summary>
public sealed class KernelObjectException : VmcoreException
{
    /// <summary>Creates the error.</summary>
    /// <param name="message">One sentence for the operator.</param>
    public KernelObjectException(string message)
        : base(message)
    {
    }
}
