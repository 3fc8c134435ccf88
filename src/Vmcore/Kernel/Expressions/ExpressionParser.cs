using System.Globalization;
using Vmcore.Kernel.Types;

namespace Vmcore.Kernel.Expressions;

/// <summary>Reads an expression. Names of types and symbols are looked up while it is read, since only they tell a cast from a parenthesis.</summary>
internal sealed class ExpressionParser(string text, KernelExpressionContext context)
{
    // From the loosest to the tightest.
    private static readonly string[][] s_levels =
        [["||"], ["&&"], ["|"], ["^"], ["&"], ["==", "!="], ["<", "<=", ">", ">="], ["<<", ">>"], ["+", "-"], ["*", "/", "%"]];

    // What would be taken for a shorter operator.
    private static readonly string[] s_long = ["||", "&&", "==", "!=", "<=", ">=", "<<", ">>", "->"];

    private static readonly string[] s_prefixes = ["*", "&", "-", "+", "~", "!"];

    private int _at;
    private int _depth;

    /// <summary>True if a variable is in it whose type the dump does not say.</summary>
    internal bool HasUntyped { get; private set; }

    /// <summary>Reads all of it.</summary>
    /// <exception cref="KernelObjectException">It is malformed, or names what is not there.</exception>
    internal ExpressionNode ParseAll()
    {
        if (text.Length > context.Memory.Limits.ExpressionCharacters)
            throw new KernelObjectException($"the expression has {text.Length} characters; at most {context.Memory.Limits.ExpressionCharacters} are read");
        ExpressionNode node = Binary(0);
        return Peek() == '\0' ? node : throw Unexpected();
    }

    private KernelObjectException Unexpected() =>
        new(_at < text.Length ? $"'{text}': '{text[_at..]}' was not expected" : $"'{text}' ends too early");

    private char Peek()
    {
        while (_at < text.Length && char.IsWhiteSpace(text[_at]))
            _at++;
        return _at < text.Length ? text[_at] : '\0';
    }

    private string Operator()
    {
        Peek();
        foreach (string one in s_long)
        {
            if (text.AsSpan(_at).StartsWith(one))
                return one;
        }

        return _at < text.Length ? text[_at].ToString() : "";
    }

    private bool Take(string token)
    {
        if (Operator() != token)
            return false;
        _at += token.Length;
        return true;
    }

    private void Expect(string token)
    {
        if (!Take(token))
            throw Unexpected();
    }

    private string Identifier(bool withDots = false)
    {
        Peek();
        int start = _at;
        while (_at < text.Length && (char.IsAsciiLetterOrDigit(text[_at]) || text[_at] == '_' || (withDots && text[_at] == '.')))
            _at++;
        return start < _at ? text[start.._at] : throw Unexpected();
    }

    private ExpressionNode Node(int start, ExpressionKind kind, string name, ExpressionNode? left = null, ExpressionNode? right = null,
        KernelType? type = null, bool isSource = false)
    {
        if (left?.Source is not null && right?.Source is not null)
            throw new KernelObjectException($"'{text[start.._at].Trim()}': both sides stand for several values; take them one by one");
        var node = new ExpressionNode(kind, name, left, right, isSource) { Type = type, Start = start, End = _at };
        return node.Depth <= context.Memory.Limits.ExpressionDepth * 8 ? node : throw new KernelObjectException($"'{text}' is nested too deeply");
    }

    private ExpressionNode Binary(int level)
    {
        if (level == s_levels.Length)
            return Unary();
        Peek();
        int start = _at;
        ExpressionNode left = Binary(level + 1);
        while (Array.Find(s_levels[level], Take) is { } found)
            left = Node(start, ExpressionKind.Binary, found, left, Binary(level + 1));
        return left;
    }

    private ExpressionNode Unary()
    {
        if (++_depth > context.Memory.Limits.ExpressionDepth)
            throw new KernelObjectException($"'{text}' is nested too deeply");
        Peek();
        int start = _at;
        ExpressionNode node = Array.Find(s_prefixes, Take) is { } found ? Node(start, ExpressionKind.Unary, found, Unary())
            : TryType() is { } type ? Node(start, ExpressionKind.Cast, "", Unary(), type: type) : Postfix();
        _depth--;
        return node;
    }

    // A parenthesis with the name of a type in it is a cast.
    private KernelType? TryType()
    {
        if (Peek() != '(')
            return null;
        int close = text.IndexOf(')', _at);
        if (close < 0)
            return null;
        string inside = text[(_at + 1)..close].Trim();

        // A parenthesis in it holds the cast: ((struct page *)0x…)->flags. But (int (*)[4]) is one.
        bool isOfArray = false;
        if (inside.IndexOf('(', StringComparison.Ordinal) is >= 0 and var inner)
        {
            int end = text.IndexOf(')', close + 1);
            if (inner == 0 || end < 0 || inside[(inner + 1)..].AsSpan().Trim().Trim('*').Trim().Length > 0 || !inside.EndsWith('*'))
                return null;
            (close, inside, isOfArray) = (end, text[(_at + 1)..end].Trim(), true);
        }

        bool looksLikeType = isOfArray || inside.EndsWith('*') || inside.StartsWith("struct ", StringComparison.Ordinal)
            || inside.StartsWith("union ", StringComparison.Ordinal) || inside.StartsWith("enum ", StringComparison.Ordinal);
        if (!looksLikeType && (context.Symbol(inside) is not null || char.IsAsciiDigit(inside.FirstOrDefault())))
            return null;
        KernelType? type = context.Types.Find(inside, out string? problem);
        if (type is not null)
            _at = close + 1;
        return type is not null || !looksLikeType || inside[0] is '*' or '&' ? type : throw new KernelObjectException($"'{text}': {problem}");
    }

    private ExpressionNode Postfix()
    {
        Peek();
        int start = _at;
        ExpressionNode node = Primary();
        while (true)
        {
            if (Take("->") || Take("."))
            {
                node = Node(start, ExpressionKind.Member, Identifier(), node);
            }
            else if (Take("["))
            {
                ExpressionNode index = Binary(0);
                Expect("]");
                node = Node(start, ExpressionKind.Index, "[]", node, index);
            }
            else
            {
                return node;
            }
        }
    }

    private ExpressionNode Primary()
    {
        if (Take("("))
        {
            ExpressionNode inner = Binary(0);
            Expect(")");
            return inner;
        }

        int start = _at;
        string name = Identifier();
        if (char.IsAsciiDigit(name[0]))
            return Number(name, start);
        if (Peek() == '(')
            return Call(name, start);
        if (name == "sizeof")
            return Number(start, Unary());
        return Variable(ExpressionKind.Symbol, name, start);
    }

    private ExpressionNode Variable(ExpressionKind kind, string name, int start, ExpressionNode? cpu = null)
    {
        if (context.Symbol(name) is not { } address)
        {
            // A name of a value, as C has them beside variables.
            return kind == ExpressionKind.Symbol && context.Types.FindEnumerator(name, out long value) is { } constants
                ? new(ExpressionKind.Number, "") { Value = (ulong)value, Type = constants, Start = start, End = _at }
                : throw new KernelObjectException($"there is no symbol '{name}'");
        }

        if (kind == ExpressionKind.PerCpu && context.IsPerCpu(name, address) == false)
            throw new KernelObjectException($"'{name}' is there once, and not for each CPU: say {name} without per_cpu");
        KernelType? type = context.Types.VariableType(name, out bool isPerCpu);
        if (isPerCpu && kind == ExpressionKind.Symbol)
            throw new KernelObjectException($"'{name}' is there once for each CPU: say per_cpu({name}, CPU), or per_cpu({name}) for all");
        HasUntyped |= type is null;
        return new(kind, name, cpu, isSource: kind == ExpressionKind.PerCpu && cpu is null)
        {
            Type = type ?? context.Untyped,
            Value = address,
            Start = start,
            End = _at,
        };
    }

    private ExpressionNode Call(string name, int start)
    {
        // Also what is refused is in a parenthesis, and may nest.
        Expect("(");
        if (name == "sizeof")
        {
            _at--;
            return TryType() is { } type ? Number(start, type) : Number(start, Unary());
        }

        if (name is "per_cpu" or "per_cpu_ptr")
        {
            string variable = name == "per_cpu" ? Identifier() : "";
            ExpressionNode? pointer = name == "per_cpu" ? null : Binary(0);
            ExpressionNode? cpu = Take(",") ? Binary(0) : null;
            Expect(")");
            return pointer is null ? Variable(ExpressionKind.PerCpu, variable, start, cpu)
                : Node(start, ExpressionKind.PerCpuPointer, name, pointer, cpu, isSource: cpu is null);
        }

        if (name == "offsetof")
        {
            KernelType outer = TypeArgument();
            Expect(",");
            string path = Identifier(withDots: true);
            Expect(")");
            return Constant(start, (ulong)outer.OffsetOf(path), "unsigned long");
        }

        bool isEntries = name is "xa_for_each" or "mt_for_each", isChain = name == "chain_for_each", isContainer = name == "container_of";
        if (!isEntries && !isChain && !isContainer && name is not ("list_for_each" or "hlist_for_each" or "llist_for_each" or "rb_for_each"))
            throw new KernelObjectException($"there is no function '{name}'");
        ExpressionNode head = Binary(0);
        Expect(",");
        KernelType? of = isChain ? null : TypeArgument();
        string link = "";
        if (!isEntries)
        {
            if (!isChain)
                Expect(",");
            link = Identifier(withDots: true);
        }

        Expect(")");
        return isContainer ? Node(start, ExpressionKind.Container, link, head, type: of)
            : Node(start, ExpressionKind.Walk, name, head, new(ExpressionKind.Number, link), of, isSource: true);
    }

    private KernelType TypeArgument()
    {
        Peek();
        int end = text.AsSpan(_at).IndexOfAny(',', ')');
        if (end < 0)
        {
            _at = text.Length;
            throw Unexpected();
        }

        string name = text.Substring(_at, end).Trim();
        _at += end;
        return context.Types.Find(name, out string? problem) ?? throw new KernelObjectException($"'{text}': {problem}");
    }

    private ExpressionNode Number(int start, KernelType type) => Constant(start,
        type.Underlying().Kind == KernelTypeKind.Void ? 1UL
            : (ulong)(type.Size ?? throw new KernelObjectException($"the size of '{type}' is not known")), "unsigned long");

    // What it has is not read.
    private ExpressionNode Number(int start, ExpressionNode operand) => Node(start, ExpressionKind.Unary, "sizeof", operand);

    private ExpressionNode Constant(int start, ulong value, string type) =>
        new(ExpressionKind.Number, "") { Value = value, Type = ExpressionArithmetic.Type(context, type), Start = start, End = _at };

    // The first type that holds it, as C has it: decimal numbers are signed unless U says otherwise.
    private ExpressionNode Number(string word, int start)
    {
        string digits = word.TrimEnd('u', 'U', 'l', 'L');
        string suffix = word[digits.Length..].ToUpperInvariant();
        bool isHex = digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase), isOctal = !isHex && digits.Length > 1 && digits[0] == '0';
        ulong value = 0;
        bool ok = suffix is "" or "U" or "L" or "UL" or "LU" or "LL" or "ULL" or "LLU" && (isHex
            ? ulong.TryParse(digits.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value)
            : ulong.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out value));
        if (!ok || isOctal)
            throw new KernelObjectException($"'{text}': '{word}' is no number{(isOctal ? ": one that begins with 0 is octal in C, and not read here" : "")}");
        bool isUnsigned = suffix.Contains('U', StringComparison.Ordinal);
        bool fitsSigned = !isUnsigned && value <= long.MaxValue, isLong = suffix.Contains('L', StringComparison.Ordinal);
        string size = suffix.Contains("LL", StringComparison.Ordinal) ? "long long" : "long";
        return Constant(start, value, !isLong && value <= uint.MaxValue && (isUnsigned || isHex || value <= int.MaxValue)
            ? isUnsigned || value > int.MaxValue ? "unsigned int" : "int" : fitsSigned ? size : "unsigned " + size);
    }
}
