using System.Globalization;
using System.Text;

namespace Vmcore.Cli.Reader.Report;

/// <summary>
/// Takes out of texts what tells strangers whose machine it was: its name, addresses of memory and of networks, paths, command lines, UUIDs. It goes by what
/// words look like, so a name that looks like any other word stays. The same thing gets the same label wherever it is: <c>[path 3]</c>.
/// </summary>
/// <param name="host">The machine's name; null or empty if it is not known.</param>
/// <param name="kept">Words that look like an address, and are none: of the crash, not of the machine.</param>
internal sealed class Redactor(string? host, params IEnumerable<string?> kept)
{
    // What is smaller is an offset, a number of something, a flag; what is above is an error number (-4095 and up).
    private const ulong SmallestAddress = 0x10000;
    private const ulong SmallestError = unchecked((ulong)-4095L);

    // Behind these words of a line comes what nobody but its owner should read.
    private static readonly string[] s_private =
    [
        "ommand line: ", "ommand line parameters", "erialNumber: ", "erial number", "serial=", "Hostname set to ", "hostname ", "argc=", "with arguments",
        "password=", "ll header: ",
    ];

    private readonly string _host = host is null or "" or "(none)" or "localhost" ? "" : host;
    private readonly string _shortHost = host is not null && host.IndexOf('.') is > 1 and var dot ? host[..dot] : "";
    private readonly HashSet<string?> _kept = [.. kept];
    private readonly Dictionary<string, string> _labels = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _counts = new(StringComparer.Ordinal);

    /// <summary>Names that are taken out wherever they are, whatever they look like: sources of mounts, paths with spaces, the dump's file.</summary>
    internal IReadOnlyList<string> Names { get; init; } = [];

    /// <summary>The text without that.</summary>
    /// <param name="text">One line, or several.</param>
    internal string Clean(string text)
    {
        foreach (string name in Names)
            text = WithoutName(text, name);
        var clean = new StringBuilder(text.Length);
        for (int at = 0; at < text.Length;)
        {
            int end = text.IndexOf('\n', at);
            end = end < 0 ? text.Length : end + 1;
            Line(clean, text.AsSpan(at, end - at));
            at = end;
        }

        return clean.ToString();
    }

    private void Line(StringBuilder clean, ReadOnlySpan<char> line)
    {
        int keep = line.Length;
        foreach (string word in s_private)
        {
            if (line.IndexOf(word, StringComparison.OrdinalIgnoreCase) is >= 0 and var found)
                keep = Math.Min(keep, found + word.Length);
        }

        int start = 0;
        for (int i = 0; i <= keep; i++)
        {
            if (i < keep && !IsBetween(line[i]))
                continue;
            Word(clean, line[start..i], isTag: start > 0 && line[start - 1] == '<' && i < line.Length && line[i] == '>');
            if (i < keep)
                clean.Append(line[i]);
            start = i + 1;
        }

        if (keep < line.Length)
            clean.Append("[hidden]").Append(line[^1] == '\n' ? "\n" : "");
    }

    private static bool IsBetween(char c) => char.IsWhiteSpace(c) || "\"'`()[]{}<>,;=|#".Contains(c, StringComparison.Ordinal);

    // One word: what ends a sentence or a clause is none of it. </TASK> of a trace is no path.
    private void Word(StringBuilder clean, ReadOnlySpan<char> word, bool isTag)
    {
        if (isTag && word.IndexOfAnyExceptInRange('/', 'Z') < 0)
        {
            clean.Append(word);
            return;
        }

        ReadOnlySpan<char> body = word.TrimEnd(".:!?");
        if (KindOf(body) is { } kind)
            clean.Append(LabelOf(kind, body));
        else
            Addresses(clean, body);
        clean.Append(word[body.Length..]);
    }

    private string? KindOf(ReadOnlySpan<char> word)
    {
        if (word.Length < 2)
            return null;
        if (Has(word, _host) || Has(word, _shortHost))
            return "host";
        if (word.IndexOf('@') is > 0 and var at && at < word.Length - 1)
            return "name";
        if (IsUuid(word))
            return "uuid";
        if (NetworkNames.HasMac(word))
            return "mac";
        if (NetworkNames.HasIpv4(word) || NetworkNames.HasIpv6(word))
            return "ip";
        return IsPath(word) ? "path" : IsDomain(word) ? "name" : null;
    }

    private static bool Has(ReadOnlySpan<char> word, string name) => name.Length > 0 && Find(word, name, StringComparison.OrdinalIgnoreCase) >= 0;

    // Not within a longer name.
    private static int Find(ReadOnlySpan<char> text, string name, StringComparison how)
    {
        for (int from = 0; text[from..].IndexOf(name, how) is >= 0 and var found; from += found + 1)
        {
            int start = from + found, end = start + name.Length;
            if ((start == 0 || !char.IsAsciiLetterOrDigit(text[start - 1])) && (end == text.Length || !char.IsAsciiLetterOrDigit(text[end])))
                return start;
        }

        return -1;
    }

    private string WithoutName(string text, string name)
    {
        while (name.Length > 0 && Find(text, name, StringComparison.Ordinal) is >= 0 and var at)
            text = string.Concat(text.AsSpan(0, at), LabelOf("path", name), text.AsSpan(at + name.Length));
        return text;
    }

    // Blocks of 8, 4, 4, 4 and 12 digits.
    private static bool IsUuid(ReadOnlySpan<char> word)
    {
        for (int at = 0; at + 36 <= word.Length; at++)
        {
            if (Guid.TryParseExact(word.Slice(at, 36), "D", out _))
                return true;
        }

        return false;
    }

    private static bool IsPath(ReadOnlySpan<char> word)
    {
        // Of the kernel's source a trace names the file: kernel/panic.c:302.
        int slash = word.IndexOf('/');
        if (word.IndexOf('\\') >= 0)
            return true;
        if (slash < 0 || word.TrimStart('/').IsEmpty)
            return false;
        if (slash == 0 || word.IndexOf("://") >= 0 || word.IndexOf(":/") >= 0)
            return true;
        ReadOnlySpan<char> file = word.IndexOf(':') is >= 0 and var colon ? word[..colon] : word;
        bool isSource = file.EndsWith(".c") || file.EndsWith(".h") || file.EndsWith(".S") || file.EndsWith(".rs");
        bool isNumbers = word.IndexOfAnyExceptInRange('/', '9') < 0;
        return word[0] is '.' or '~' || (word.Count('/') > 1 && !isSource && !isNumbers && word.IndexOf("/0x") < 0);
    }

    // A name with two dots or more, whose last part is a word: files.example.com.
    private static bool IsDomain(ReadOnlySpan<char> word)
    {
        int colon = word.IndexOfAny(":/");
        ReadOnlySpan<char> name = colon >= 0 ? word[..colon] : word;

        // With something behind a slash one dot is enough, unless it is a file of the kernel's source.
        bool isServer = colon > 0 && word[colon] == '/' && !(name.EndsWith(".c") || name.EndsWith(".h") || name.EndsWith(".S"));
        if (name.Count('.') < (isServer ? 1 : 2) || name.IndexOf("..") >= 0 || name[0] == '.')
            return false;
        foreach (char c in name)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('.' or '-'))
                return false;
        }

        ReadOnlySpan<char> last = name[(name.LastIndexOf('.') + 1)..];
        foreach (char c in last)
        {
            if (!char.IsAsciiLetter(c))
                return false;
        }

        return last.Length >= 2;
    }

    // Addresses within a word; what follows the name of a function, +0x1a/0x40, is none.
    private void Addresses(StringBuilder clean, ReadOnlySpan<char> word)
    {
        for (int i = 0; i < word.Length;)
        {
            int end = i;
            while (end < word.Length && (char.IsAsciiLetterOrDigit(word[end]) || word[end] == '_'))
                end++;
            if (end == i)
            {
                clean.Append(word[i++]);
                continue;
            }

            ReadOnlySpan<char> part = word[i..end];
            bool isOffset = i > 0 && (word[i - 1] == '+' || (word[i - 1] == '/' && word.IndexOf('+') >= 0));
            if (!isOffset && IsAddress(part) && !_kept.Contains(part.ToString()))
                clean.Append(LabelOf("address", part.StartsWith("0x") ? part[2..].TrimStart('0') : part.TrimStart('0')));
            else
                clean.Append(part);
            i = end;
        }
    }

    // With 0x, or as many digits as a pointer has; eight or more with a letter among them.
    private static bool IsAddress(ReadOnlySpan<char> part)
    {
        const int Pointer = 16, Short = 8;
        bool isHex = part.StartsWith("0x") || part.StartsWith("0X");
        ReadOnlySpan<char> digits = isHex ? part[2..] : part;
        if (!ulong.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong value))
            return digits.Length > Pointer && digits.IndexOfAnyExcept("0123456789abcdefABCDEF") < 0;
        if (value is < SmallestAddress or >= SmallestError)
            return false;
        return isHex || digits.Length >= Pointer || (digits.Length >= Short && digits.IndexOfAnyExceptInRange('0', '9') >= 0);
    }

    private string LabelOf(string kind, ReadOnlySpan<char> what)
    {
        string key = kind + what.ToString();
        if (kind == "host")
            return "[host]";
        if (!_labels.TryGetValue(key, out string? label))
        {
            int number = _counts[kind] = _counts.GetValueOrDefault(kind) + 1;
            _labels[key] = label = string.Create(CultureInfo.InvariantCulture, $"[{kind} {number}]");
        }

        return label;
    }
}
