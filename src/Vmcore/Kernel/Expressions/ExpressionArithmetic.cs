using Vmcore.Kernel.Types;

namespace Vmcore.Kernel.Expressions;

/// <summary>Arithmetic, bit operations and comparisons with C's promotions and conversions (C17 6.3.1), in the sizes of a 64-bit Linux.</summary>
internal static class ExpressionArithmetic
{
    private const int Bits = 64;

    // Ranks of integers: int, long, long long.
    private static readonly string[] s_names = ["int", "long", "long long"];

    /// <summary>An integer type by its name, also where the kernel has no variable of it.</summary>
    internal static KernelType Type(KernelExpressionContext context, string name) => context.Types.Find(name)
        ?? new(KernelTypeKind.Integer, name, name.EndsWith("int", StringComparison.Ordinal) ? sizeof(int) : sizeof(long)) { IsSigned = name[0] != 'u' };

    /// <summary>True for what is an address: a pointer, or an array, which stands for its first element.</summary>
    internal static bool IsAddress(KernelObject item) => item.Type.Underlying().Kind is KernelTypeKind.Pointer or KernelTypeKind.Array;

    /// <summary>True for a number that is not 0 and an address that is not NULL.</summary>
    internal static bool IsTrue(KernelObject item) => (IsAddress(item) ? Address(item) : Promote(item, out _, out _)) != 0;

    /// <summary>The result of a test.</summary>
    internal static KernelObject Truth(KernelExpressionContext context, bool value) =>
        KernelObject.Value(context.Memory, Type(context, "int"), value ? 1UL : 0);

    /// <summary>An operator with one operand: <c>-</c>, <c>+</c>, <c>~</c>.</summary>
    internal static KernelObject Unary(KernelExpressionContext context, string name, KernelObject operand)
    {
        ulong value = Promote(operand, out int rank, out bool signed);
        return Make(context, name switch { "-" => 0 - value, "~" => ~value, _ => value }, rank, signed);
    }

    /// <summary>An operator with two operands that are both looked at.</summary>
    /// <exception cref="KernelObjectException">It is not defined for them, or cannot be carried out.</exception>
    internal static KernelObject Binary(KernelExpressionContext context, string name, KernelObject left, KernelObject right)
    {
        bool isComparison = name is "==" or "!=" or "<" or "<=" or ">" or ">=";
        if (IsAddress(left) || IsAddress(right))
            return Pointers(context, name, left, right, isComparison);
        ulong a = Promote(left, out int rank, out bool signed), b = Promote(right, out int otherRank, out bool otherSigned);
        if (name is "<<" or ">>")
        {
            int width = rank == 0 ? Bits / 2 : Bits;
            if (b >= (ulong)width)
                throw new KernelObjectException($"a shift of {width} bits by {(otherSigned ? $"{(long)b}" : $"{b}")} is not defined");
            return Make(context, name == "<<" ? a << (int)b : signed ? (ulong)((long)a >> (int)b) : a >> (int)b, rank, signed);
        }

        if (signed != otherSigned)
        {
            // The unsigned one wins, unless the other holds all of its values.
            int ofUnsigned = signed ? otherRank : rank, ofSigned = signed ? rank : otherRank;
            signed = ofSigned > ofUnsigned && ofUnsigned == 0;
        }

        rank = Math.Max(rank, otherRank);
        (a, b) = (Cut(a, rank, signed), Cut(b, rank, signed));
        return isComparison ? Truth(context, Compare(name, a, b, signed)) : Make(context, Calculate(name, a, b, signed), rank, signed);
    }

    private static ulong Calculate(string name, ulong a, ulong b, bool signed)
    {
        if (name is "/" or "%")
        {
            if (b == 0)
                throw new KernelObjectException("division by 0");

            // The one quotient that has no room.
            if (signed && (long)b == -1)
                return name == "/" ? 0 - a : 0;
            ulong quotient = signed ? (ulong)((long)a / (long)b) : a / b;
            return name == "/" ? quotient : a - (quotient * b);
        }

        return name switch { "+" => a + b, "-" => a - b, "*" => a * b, "&" => a & b, "|" => a | b, _ => a ^ b };
    }

    private static bool Compare(string name, ulong a, ulong b, bool signed)
    {
        int order = signed ? ((long)a).CompareTo((long)b) : a.CompareTo(b);
        return name switch { "==" => order == 0, "!=" => order != 0, "<" => order < 0, "<=" => order <= 0, ">" => order > 0, _ => order >= 0 };
    }

    // Addresses and numbers of elements. That a number is compared with an address as it is goes beyond C, and is what one asks of a dump.
    private static KernelObject Pointers(KernelExpressionContext context, string name, KernelObject left, KernelObject right, bool isComparison)
    {
        ulong a = IsAddress(left) ? Address(left) : Promote(left, out _, out _), b = IsAddress(right) ? Address(right) : Promote(right, out _, out _);
        if (isComparison)
            return Truth(context, Compare(name, a, b, signed: false));
        if (name == "-" && IsAddress(left) && IsAddress(right))
        {
            ulong size = ElementSize(left);
            return size == ElementSize(right) && size != 0 ? Make(context, (ulong)((long)(a - b) / (long)size), 1, signed: true)
                : throw new KernelObjectException($"'{left.Type}' and '{right.Type}' point to elements of different size");
        }

        if (name is not ("+" or "-") || (IsAddress(right) && (name == "-" || IsAddress(left))))
            throw new KernelObjectException($"'{name}' is not defined for '{left.Type}' and '{right.Type}'");
        KernelObject pointer = IsAddress(left) ? left : right;
        ulong count = (IsAddress(left) ? b : a) * ElementSize(pointer);
        KernelType type = pointer.Type.Underlying() is { Kind: KernelTypeKind.Array } array ? TypeNameParser.PointerTo(array.Target) : pointer.Type;
        return KernelObject.Value(context.Memory, type, name == "+" ? (IsAddress(left) ? a : b) + count : a - count);
    }

    private static ulong Address(KernelObject item) => item.Type.Underlying().Kind == KernelTypeKind.Pointer ? item.AsUInt64()
        : item.Address ?? throw new KernelObjectException("a computed value has no elements");

    // As gcc has it, void and functions are one byte.
    private static ulong ElementSize(KernelObject pointer)
    {
        KernelType target = pointer.Type.Underlying().Target;
        return target.Underlying().Kind is KernelTypeKind.Void or KernelTypeKind.Function ? 1
            : (ulong)(target.Size ?? throw new KernelObjectException($"the size of '{target}' is not known"));
    }

    // A number as C takes it into a calculation: what is narrower than int becomes one, bit-fields by their width.
    private static ulong Promote(KernelObject item, out int rank, out bool signed)
    {
        KernelType type = item.Type.Underlying();
        ulong value = item.AsUInt64();
        int width = item.BitWidth > 0 ? item.BitWidth : (int)(type.Size ?? 0) * 8;
        const int Int = 32;
        signed = width < Int || type.IsSigned;
        rank = width <= Int ? 0 : type.Name.Contains("long long", StringComparison.Ordinal) ? 2 : 1;
        return value;
    }

    private static ulong Cut(ulong value, int rank, bool signed) => ScalarBits.Extend(value, rank == 0 ? Bits / 2 : Bits, signed);

    private static KernelObject Make(KernelExpressionContext context, ulong value, int rank, bool signed) =>
        KernelObject.Value(context.Memory, Type(context, (signed ? "" : "unsigned ") + s_names[rank]), Cut(value, rank, signed));
}
