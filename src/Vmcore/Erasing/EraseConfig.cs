using System.Globalization;
using System.Text;
using Vmcore.IO;

namespace Vmcore.Erasing;

/// <summary>A place in the kernel's memory as a rule names it: a symbol or loop variable, and members. Pointers on the way are followed.</summary>
/// <param name="Text">As it stands in the file.</param>
/// <param name="Cast">The type given in front of it, <c>struct foo</c> or <c>struct foo *</c>; null if none.</param>
/// <param name="Symbol">The first name.</param>
/// <param name="Members">The names after it.</param>
internal sealed record EraseExpression(string Text, string? Cast, string Symbol, IReadOnlyList<string> Members);

/// <summary>What one command of a section does.</summary>
/// <param name="Line">Line in the file, from 1 on.</param>
internal abstract record EraseCommand(int Line);

/// <summary><c>erase EXPRESSION [size …|nullify]</c>.</summary>
/// <param name="Line">Line in the file.</param>
/// <param name="Target">What is erased.</param>
/// <param name="Size">Bytes to erase; null if the rule gives no number.</param>
/// <param name="SizeFrom">Where the number of bytes is; null if the rule names no place.</param>
/// <param name="Nullify">True to set a pointer to NULL instead of erasing what it points to.</param>
internal sealed record EraseRule(int Line, EraseExpression Target, long? Size, EraseExpression? SizeFrom, bool Nullify) : EraseCommand(Line);

/// <summary><c>for ID in EXPRESSION [via MEMBER | within STRUCT:MEMBER] … endfor</c>.</summary>
/// <param name="Line">Line in the file.</param>
/// <param name="Variable">The loop variable.</param>
/// <param name="List">The array, the first structure, or the head of the list.</param>
/// <param name="Via">The member that leads to the next structure; null if there is none.</param>
/// <param name="WithinStruct">The structure that the list's elements are in; null if it is no such list.</param>
/// <param name="WithinMember">Its member of type struct list_head.</param>
/// <param name="Rules">The rules that are applied to each element.</param>
internal sealed record EraseLoop(int Line, string Variable, EraseExpression List, string? Via,
    string? WithinStruct, string? WithinMember, IReadOnlyList<EraseRule> Rules) : EraseCommand(Line);

/// <summary>The commands for one module.</summary>
/// <param name="Module"><c>vmlinux</c>, or the name of a module.</param>
/// <param name="Commands">The commands in their order.</param>
internal sealed record EraseSection(string Module, IReadOnlyList<EraseCommand> Commands);

/// <summary>A file of rules as makedumpfile.conf(5) describes it, and casts besides:
/// <c>erase (struct foo *)symbol.member</c>. Nothing that is not understood is passed over.</summary>
public sealed class EraseConfig
{
    private readonly string _file;
    private readonly List<EraseSection> _sections = [];
    private List<EraseCommand> _commands = [];
    private string _module = "vmlinux";
    private (EraseLoop Loop, List<EraseRule> Rules)? _loop;

    private EraseConfig(string file) => _file = file;

    /// <summary>The sections in the order of the file.</summary>
    internal IReadOnlyList<EraseSection> Sections => _sections;

    /// <summary>Reads a file of rules.</summary>
    /// <param name="path">The file.</param>
    /// <param name="limits">The bounds on what it may ask for; null for the default ones.</param>
    /// <exception cref="FileAccessException">It cannot be opened or read.</exception>
    /// <exception cref="EraseException">It has what is not understood.</exception>
    /// <exception cref="DumpFormatException">It is larger than any file of rules.</exception>
    public static EraseConfig Read(string path, ReadLimits? limits = null)
    {
        limits ??= ReadLimits.Default;
        using FileSource source = FileSource.Open(path);
        if (source.Length > limits.EraseRulesBytes)
            throw new DumpFormatException(path, 0, "erase rules", $"{source.Length} bytes", $"at most {limits.EraseRulesBytes}");
        byte[] bytes = new byte[source.Length];
        source.ReadExactly(0, bytes, "erase rules");
        return Parse(path, Encoding.UTF8.GetString(bytes));
    }

    /// <summary>Parses the text of a file.</summary>
    /// <param name="file">The file's name, for errors.</param>
    /// <param name="text">Its text.</param>
    /// <exception cref="DumpFormatException">A line is not understood.</exception>
    public static EraseConfig Parse(string file, string text)
    {
        var config = new EraseConfig(file);
        int number = 0, at = 0;
        foreach (string raw in text.Split('\n'))
        {
            number++;
            config.ParseLine(raw.TrimEnd('\r'), number, at);
            at += raw.Length + 1;
        }

        if (config._loop is { } open)
            throw config.Error(open.Loop.Line, at, "a for without endfor", "endfor before the end of the file");
        config.EndSection();
        return config;
    }

    private void ParseLine(string raw, int line, int at)
    {
        int comment = raw.IndexOf('#', StringComparison.Ordinal);
        string text = (comment >= 0 ? raw[..comment] : raw).Trim();
        if (text.Length == 0)
            return;
        if (text[0] == '[')
        {
            if (_loop is not null)
                throw Error(line, at, "a section inside a for", "endfor");
            EndSection();
            _module = text[^1] == ']' && IsName(text[1..^1].Trim(), '-') ? text[1..^1].Trim() : throw Error(line, at, $"'{text}'", "[MODULE]");
            return;
        }

        List<string> words = Words(text);
        switch (words[0])
        {
            case "erase":
                EraseRule rule = ParseRule(words, line, at);
                if (_loop is { } loop)
                    loop.Rules.Add(rule);
                else
                    _commands.Add(rule);
                break;
            case "for":
                if (_loop is not null)
                    throw Error(line, at, "a for inside a for", "erase or endfor");
                _loop = ParseLoop(words, line, at);
                break;
            case "endfor" when words.Count == 1 && _loop is { } ended:
                if (ended.Rules.Count == 0)
                    throw Error(line, at, "a for with nothing in it", "an erase command");
                _commands.Add(ended.Loop with { Rules = ended.Rules });
                _loop = null;
                break;
            default:
                throw Error(line, at, $"'{text}'", "erase, for, endfor or [MODULE]");
        }
    }

    private EraseRule ParseRule(List<string> words, int line, int at)
    {
        const string Expected = "erase SYMBOL[.MEMBER...] [size N[K|M] | size SYMBOL[.MEMBER...] | nullify]";
        if (words.Count < 2)
            throw Error(line, at, "nothing after erase", Expected);
        EraseExpression target = Expression(words[1], line, at);
        switch (words.Count)
        {
            case 2:
                return new(line, target, null, null, false);
            case 3 when words[2] == "nullify":
                return new(line, target, null, null, true);
            case 4 when words[2] == "size":
                return char.IsAsciiDigit(words[3][0])
                    ? new(line, target, Size(words[3]) ?? throw Error(line, at, $"the size '{words[3]}'",
                        "1 to 1024M bytes, with K or M behind the number if wanted"), null, false)
                    : new(line, target, null, Expression(words[3], line, at), false);
            default:
                throw Error(line, at, $"'{string.Join(' ', words.Skip(2))}' after {target.Text}", Expected);
        }
    }

    private (EraseLoop Loop, List<EraseRule> Rules) ParseLoop(List<string> words, int line, int at)
    {
        const string Expected = "for ID in ARRAY, for ID in STRUCTURE via MEMBER, or for ID in LIST_HEAD within STRUCTURE:MEMBER";
        if (words.Count is not (4 or 6) || words[2] != "in" || !IsName(words[1]))
            throw Error(line, at, $"'{string.Join(' ', words)}'", Expected);
        var loop = new EraseLoop(line, words[1], Expression(words[3], line, at), null, null, null, []);
        if (words.Count == 6)
        {
            string[] within = words[5].Split(':');
            loop = words[4] switch
            {
                "via" when IsPath(words[5]) => loop with { Via = words[5] },
                "within" when within.Length == 2 && IsName(within[0]) && IsPath(within[1]) => loop with { WithinStruct = within[0], WithinMember = within[1] },
                _ => throw Error(line, at, $"'{words[4]} {words[5]}'", Expected),
            };
        }

        return (loop, []);
    }

    private EraseExpression Expression(string text, int line, int at)
    {
        string? cast = null;
        string path = text;
        if (text[0] == '(')
        {
            int end = text.IndexOf(')', StringComparison.Ordinal);
            if (end < 0)
                throw Error(line, at, $"'{text}'", "a closing parenthesis");
            cast = string.Join(' ', text[1..end].Replace("*", " * ", StringComparison.Ordinal).Split(' ', StringSplitOptions.RemoveEmptyEntries));
            path = text[(end + 1)..].Trim();
        }

        string[] names = path.Split('.');
        return Array.TrueForAll(names, n => IsName(n)) && names.Length <= 32 ? new(text, cast, names[0], names[1..])
            : throw Error(line, at, $"'{text}'", "SYMBOL[.MEMBER...]");
    }

    private static long? Size(string text)
    {
        const long Most = 1L << 30;
        int shift = char.ToUpperInvariant(text[^1]) switch { 'K' => 10, 'M' => 20, _ => 0 };
        ReadOnlySpan<char> digits = shift > 0 ? text.AsSpan(0, text.Length - 1) : text;
        bool isHex = digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        bool ok = isHex
            ? long.TryParse(digits[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out long value)
            : long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out value);
        return ok && value > 0 && value <= Most >> shift ? value << shift : null;
    }

    // Blanks end a word, but not inside a cast, nor between it and what it is for.
    private static List<string> Words(string text)
    {
        List<string> words = [];
        string pending = "";
        int depth = 0;
        foreach (string word in text.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries))
        {
            pending = pending.Length == 0 ? word : pending + (depth > 0 ? " " : "") + word;
            depth += word.Count(c => c == '(') - word.Count(c => c == ')');
            if (depth > 0 || pending[^1] == ')')
                continue;
            words.Add(pending);
            pending = "";
        }

        if (pending.Length > 0)
            words.Add(pending);
        return words;
    }

    private static bool IsPath(string text) => Array.TrueForAll(text.Split('.'), n => IsName(n));

    private static bool IsName(string text, char also = '_') =>
        text.Length is > 0 and <= 512 && !char.IsAsciiDigit(text[0]) && text.All(c => char.IsAsciiLetterOrDigit(c) || c == '_' || c == also);

    private void EndSection()
    {
        if (_commands.Count > 0)
            _sections.Add(new(_module, _commands));
        _commands = [];
    }

    private DumpFormatException Error(int line, int at, string found, string expected) => new(_file, at, $"line {line}", Printable(found), expected);

    // A file that is no text at all must not be sent to a terminal.
    private static string Printable(string text)
    {
        const int Most = 100;
        string cut = text.Length > Most ? text[..Most] + "...'" : text;
        return string.Concat(cut.Select(c => char.IsControl(c) || c == '\ufffd' ? '?' : c));
    }
}
