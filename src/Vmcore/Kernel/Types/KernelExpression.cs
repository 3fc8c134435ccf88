using System.Globalization;
using Vmcore.Memory;

namespace Vmcore.Kernel.Types;

/// <summary>What a <see cref="KernelExpression"/> stands on.</summary>
/// <param name="Memory">The kernel's memory.</param>
/// <param name="Types">Its types.</param>
/// <param name="Symbol">Gives the address of a symbol; null if there is none of that name.</param>
/// <param name="PerCpuOffset">Gives the offset of a CPU's area; null if there is no such CPU.</param>
public sealed record KernelExpressionContext(IVirtualMemory Memory, KernelTypes Types, Func<string, ulong?> Symbol, Func<int, ulong?> PerCpuOffset);

/// <summary>
/// The small part of C that names things in a kernel: symbols, <c>.</c> and <c>-&gt;</c>, <c>[i]</c>, <c>*</c>, <c>&amp;</c>, casts, numbers, sums, and
/// <c>per_cpu(variable, cpu)</c>.
/// </summary>
public sealed class KernelExpression
{
    private readonly KernelExpressionContext _context;
    private readonly string _text;
    private int _at;
    private int _depth;

    private KernelExpression(string text, KernelExpressionContext context)
    {
        _text = text;
        _context = context;
    }

    /// <summary>Finds out what an expression names.</summary>
    /// <param name="text">For example <c>init_task.tasks</c>, <c>((struct page *)0xffffea0000000000)-&gt;flags</c>.</param>
    /// <param name="context">The kernel.</param>
    /// <exception cref="KernelObjectException">It is malformed, or names what is not there.</exception>
    public static KernelObject Evaluate(string text, KernelExpressionContext context)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(context);
        if (text.Length > context.Memory.Limits.ExpressionCharacters)
            throw new KernelObjectException($"the expression has {text.Length} characters; at most {context.Memory.Limits.ExpressionCharacters} are read");
        var expression = new KernelExpression(text, context);
        KernelObject item = expression.Sum();
        return expression.Peek() is null ? item : throw expression.Unexpected();
    }

    private KernelType Word => _context.Types.Find("unsigned long") ?? new(KernelTypeKind.Integer, "unsigned long", sizeof(ulong));

    private KernelObjectException Unexpected() =>
        new(_at < _text.Length ? $"'{_text}': '{_text[_at..]}' was not expected" : $"'{_text}' ends too early");

    private char? Peek()
    {
        while (_at < _text.Length && char.IsWhiteSpace(_text[_at]))
            _at++;
        return _at < _text.Length ? _text[_at] : null;
    }

    private bool Take(string token)
    {
        Peek();
        if (!_text.AsSpan(_at).StartsWith(token))
            return false;
        _at += token.Length;
        return true;
    }

    private void Expect(string token)
    {
        if (!Take(token))
            throw Unexpected();
    }

    private string Identifier()
    {
        Peek();
        int start = _at;
        while (_at < _text.Length && (char.IsAsciiLetterOrDigit(_text[_at]) || _text[_at] == '_'))
            _at++;
        return start < _at ? _text[start.._at] : throw Unexpected();
    }

    // Sums of numbers, and of a pointer and a number of elements.
    private KernelObject Sum()
    {
        KernelObject left = Unary();
        while (true)
        {
            int sign = Take("+") ? 1 : Peek() == '-' && !_text.AsSpan(_at).StartsWith("->") && Take("-") ? -1 : 0;
            if (sign == 0)
                return left;
            long right = sign * (long)Unary().AsUInt64();
            bool isPointer = left.Type.Underlying().Kind is KernelTypeKind.Pointer or KernelTypeKind.Array;
            left = isPointer ? left.Element(right).AddressOf() : KernelObject.Value(_context.Memory, Word, left.AsUInt64() + (ulong)right);
        }
    }

    private KernelObject Unary()
    {
        if (++_depth > _context.Memory.Limits.ExpressionDepth)
            throw new KernelObjectException($"'{_text}' is nested too deeply");
        try
        {
            if (Take("*"))
                return Unary().Dereference();
            if (Take("&"))
                return Unary().AddressOf();
            return TryCast() ?? Postfix();
        }
        finally
        {
            _depth--;
        }
    }

    // A parenthesis with the name of a type in it is a cast.
    private KernelObject? TryCast()
    {
        if (Peek() != '(')
            return null;
        int close = _text.IndexOf(')', _at);
        if (close < 0)
            return null;
        string inside = _text[(_at + 1)..close].Trim();

        // A parenthesis in it holds the cast: ((struct page *)0x…)->flags.
        if (inside.Contains('(', StringComparison.Ordinal))
            return null;
        bool looksLikeType = inside.EndsWith('*') || inside.StartsWith("struct ", StringComparison.Ordinal)
            || inside.StartsWith("union ", StringComparison.Ordinal) || inside.StartsWith("enum ", StringComparison.Ordinal);
        if (!looksLikeType && (_context.Symbol(inside) is not null || char.IsAsciiDigit(inside.FirstOrDefault())))
            return null;
        KernelType? type = _context.Types.Find(inside, out string? problem);
        if (type is null)
            return looksLikeType && !inside.StartsWith('*') && !inside.StartsWith('&') ? throw new KernelObjectException($"'{_text}': {problem}") : null;
        _at = close + 1;
        KernelObject operand = Unary();
        KernelType plain = type.Underlying();

        // A struct "cast" of a number names what is at that address.
        return plain.IsComposite && operand.Address is null ? KernelObject.At(_context.Memory, type, operand.AsUInt64()) : operand.As(type);
    }

    private KernelObject Postfix()
    {
        KernelObject item = Primary();
        while (true)
        {
            if (Take("->") || Take("."))
            {
                item = item.Member(Identifier());
            }
            else if (Take("["))
            {
                item = item.Element((long)Sum().AsUInt64());
                Expect("]");
            }
            else
            {
                return item;
            }
        }
    }

    private KernelObject Primary()
    {
        if (Take("("))
        {
            KernelObject item = Sum();
            Expect(")");
            return item;
        }

        string name = Identifier();
        if (char.IsAsciiDigit(name[0]))
            return Number(name);
        if (name == "per_cpu" && Take("("))
        {
            string variable = Identifier();
            Expect(",");
            ulong cpu = Sum().AsUInt64();
            Expect(")");
            return PerCpu(variable, cpu);
        }

        ulong address = _context.Symbol(name) ?? throw new KernelObjectException($"there is no symbol '{name}'");
        KernelType? type = _context.Types.VariableType(name, out bool isPerCpu);
        if (isPerCpu)
            throw new KernelObjectException($"'{name}' is there once for each CPU: say per_cpu({name}, CPU)");
        return type is not null ? KernelObject.At(_context.Memory, type, address) : Untyped(address);
    }

    // Nothing says what type this variable has: its address is what is known, and a cast can say the rest.
    private KernelObject Untyped(ulong address) =>
        KernelObject.Value(_context.Memory, new(KernelTypeKind.Pointer, "", sizeof(ulong), () => KernelType.Void), address);

    private KernelObject PerCpu(string variable, ulong cpu)
    {
        ulong symbol = _context.Symbol(variable) ?? throw new KernelObjectException($"there is no symbol '{variable}'");
        ulong offset = (cpu <= int.MaxValue ? _context.PerCpuOffset((int)cpu) : null) ?? throw new KernelObjectException($"there is no CPU {cpu}");
        KernelType? type = _context.Types.VariableType(variable, out _);
        return type is not null ? KernelObject.At(_context.Memory, type, unchecked(symbol + offset)) : Untyped(unchecked(symbol + offset));
    }

    private KernelObject Number(string text)
    {
        bool hex = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        bool ok = hex ? ulong.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong value)
            : ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
        return ok ? KernelObject.Value(_context.Memory, Word, value) : throw new KernelObjectException($"'{_text}': '{text}' is no number");
    }
}
