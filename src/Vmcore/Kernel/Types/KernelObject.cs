using System.Buffers.Binary;
using Vmcore.IO;
using Vmcore.Memory;

namespace Vmcore.Kernel.Types;

/// <summary>
/// A typed piece of the crashed kernel's memory: a variable, a struct at an address, a member of one; or a value that was computed, such as an address.
/// Reading is done when the value is asked for.
/// </summary>
public sealed class KernelObject
{
    private readonly IVirtualMemory _memory;
    private readonly ulong? _value;
    private readonly int _bitOffset;
    private readonly int _bitWidth;

    private KernelObject(IVirtualMemory memory, KernelType type, ulong? address, ulong? value, int bitOffset, int bitWidth)
    {
        _memory = memory;
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
        bool isPointer = Type.Underlying().Kind == KernelTypeKind.Pointer;
        if (isPointer && Type.Underlying().Target.Underlying().Kind == KernelTypeKind.Void)
            throw new KernelObjectException($"what this '{Type}' points to is of a type that is not known, so it has no member '{name}': "
                + $"say its type, ((struct NAME *)...)->{name}");
        KernelObject target = isPointer ? Dereference() : this;
        KernelTypeMember member = target.Type.FindMember(name) ?? throw new KernelObjectException($"'{target.Type}' has no member '{name}'");
        ulong address = target.Address ?? throw new KernelObjectException("a computed value has no members");
        return member.BitWidth > 0
            ? new(_memory, member.Type, address + (ulong)(member.BitOffset / 8), null, (int)(member.BitOffset % 8), member.BitWidth)
            : At(_memory, member.Type, address + (ulong)(member.BitOffset / 8));
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
        return At(_memory, type.Target, unchecked(start + (ulong)(index * size)));
    }

    /// <summary>A pointer to this object.</summary>
    /// <exception cref="KernelObjectException">It is a computed value or a bit-field: it has no address.</exception>
    public KernelObject AddressOf() => Address is { } address && _bitWidth == 0
        ? Value(_memory, TypeNameParser.PointerTo(Type), address)
        : throw new KernelObjectException("only what is in memory and no bit-field has an address");

    /// <summary>The same memory, or the same value, as another type.</summary>
    /// <param name="type">The type.</param>
    /// <exception cref="KernelObjectException">The value cannot be read.</exception>
    public KernelObject As(KernelType type)
    {
        ArgumentNullException.ThrowIfNull(type);
        KernelType plain = type.Underlying();
        if (plain.IsComposite || plain.Kind == KernelTypeKind.Array)
            return Address is { } address ? At(_memory, type, address) : throw new KernelObjectException($"a computed value is no '{type}'");
        return Value(_memory, type, Type.Underlying().Kind == KernelTypeKind.Array && Address is { } start ? start : AsUInt64());
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
        if (size < 0 || size > ReadLimits.Default.ObjectBytes)
            throw new KernelObjectException($"'{Type}' has {size} bytes, more than {ReadLimits.Default.ObjectBytes}");
        byte[] bytes = new byte[size];
        Read(Address!.Value, bytes);
        return bytes;
    }

    internal int BitOffset => _bitOffset;

    internal int BitWidth => _bitWidth;

    private void Read(ulong address, Span<byte> bytes)
    {
        MemoryStatus status = _memory.Read(address, bytes);
        if (status != MemoryStatus.Ok)
            throw new KernelObjectException($"{bytes.Length} bytes at 0x{address:x} ('{Type}') cannot be read: {MemoryStatusText.Of(status)}");
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
