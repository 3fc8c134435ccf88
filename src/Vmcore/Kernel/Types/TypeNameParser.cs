using System.Globalization;

namespace Vmcore.Kernel.Types;

/// <summary>Reads names of types as C writes them: base, qualifiers, stars, array bounds, pointers to arrays. Functions are left to typedefs.</summary>
internal sealed class TypeNameParser(KernelTypes types, string text)
{
    private static readonly HashSet<string> s_words = new(StringComparer.Ordinal) { "unsigned", "signed", "long", "short", "int", "char" };

    private readonly List<string> _tokens = Tokens(text);
    private int _at;

    private string Next => _at < _tokens.Count ? _tokens[_at] : "";

    /// <summary>Parses the whole text.</summary>
    internal KernelType? ParseAll(out string? problem)
    {
        KernelType? type = Base(out problem);
        for (int i = 0; type is not null && i < types.Limits.TypeNameParts && Next is "*" or "const" or "volatile"; i++)
        {
            type = Next switch { "*" => PointerTo(type), "const" => Qualified(KernelTypeKind.Const, type), _ => Qualified(KernelTypeKind.Volatile, type) };
            _at++;
        }

        if (type is null)
            return null;
        // A pointer to an array: int (*)[4].
        int pointers = 0;
        if (Next == "(")
        {
            for (_at++; Next == "*" && pointers < types.Limits.TypeNameParts; _at++)
                pointers++;
            if (pointers == 0 || Next != ")")
            {
                problem = $"'{text}' is no name of a type: '{Next}' was not expected";
                return null;
            }

            _at++;
        }

        List<long?> bounds = [];
        while (Next == "[" && bounds.Count < types.Limits.TypeNameParts)
        {
            _at++;
            bounds.Add(long.TryParse(Next, NumberStyles.None, CultureInfo.InvariantCulture, out long n) && n is <= int.MaxValue ? n : null);
            if (bounds[^1] is not null)
                _at++;
            if (Next != "]")
            {
                problem = $"'{text}' is no name of a type: a ']' was expected";
                return null;
            }

            _at++;
        }

        if (_at < _tokens.Count)
        {
            problem = $"'{text}' is no name of a type: '{Next}' was not expected";
            return null;
        }

        for (int i = bounds.Count - 1; i >= 0; i--)
        {
            KernelType element = type;
            type = new(KernelTypeKind.Array, "", null, () => element) { Length = bounds[i] };
        }

        for (; pointers > 0; pointers--)
            type = PointerTo(type);
        return type;
    }

    /// <summary>A pointer to a type.</summary>
    internal static KernelType PointerTo(KernelType target) => new(KernelTypeKind.Pointer, "", sizeof(ulong), () => target);

    private static KernelType Qualified(KernelTypeKind kind, KernelType target) => new(kind, "", null, () => target);

    private KernelType? Base(out string? problem)
    {
        List<KernelTypeKind> qualifiers = [];
        Qualifiers();
        string word = Next;
        KernelType? type;
        if (word is "struct" or "union" or "enum")
        {
            _at++;
            KernelTypeKind kind = word switch { "struct" => KernelTypeKind.Struct, "union" => KernelTypeKind.Union, _ => KernelTypeKind.Enum };
            word += " " + Next;
            type = types.FindNamed(kind, Next);
            _at++;
        }
        else if (s_words.Contains(word))
        {
            List<string> words = [];
            while (s_words.Contains(Next) && words.Count < types.Limits.TypeNameParts)
                words.Add(_tokens[_at++]);
            word = Integer(words);
            type = types.FindBare(word);
        }
        else
        {
            _at++;
            type = word is "void" ? KernelType.Void : types.FindBare(word is "_Bool" ? "bool" : word);
        }

        Qualifiers();
        problem = type is not null ? null : word.Length == 0 ? "the name of a type was expected" : $"there is no type '{word}'";
        if (type is null)
            return null;
        foreach (KernelTypeKind qualifier in qualifiers)
            type = Qualified(qualifier, type);
        return type;

        void Qualifiers()
        {
            for (; Next is "const" or "volatile" && qualifiers.Count < types.Limits.TypeNameParts; _at++)
                qualifiers.Add(Next == "const" ? KernelTypeKind.Const : KernelTypeKind.Volatile);
        }
    }

    private static string Integer(List<string> words)
    {
        bool unsigned = words.Contains("unsigned");
        if (words.Contains("char"))
            return unsigned ? "unsigned char" : words.Contains("signed") ? "signed char" : "char";
        string size = words.Count(w => w == "long") switch { 0 => words.Contains("short") ? "short" : "int", 1 => "long", _ => "long long" };
        return unsigned ? "unsigned " + size : size;
    }

    private static List<string> Tokens(string text)
    {
        List<string> tokens = [];
        for (int i = 0; i < text.Length;)
        {
            int end = i;
            while (end < text.Length && (char.IsAsciiLetterOrDigit(text[end]) || text[end] == '_'))
                end++;
            if (end == i)
                end++;
            if (!char.IsWhiteSpace(text[i]))
                tokens.Add(text[i..end]);
            i = end;
        }

        return tokens;
    }
}
