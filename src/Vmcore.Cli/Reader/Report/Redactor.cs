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
    private static readonly string[] s_private = ["ommand line: ", "ommand line parameters ", "SerialNumber: ", "Hostname set to ", "hostname "];

    private readonly string _host = host is null or "" or "(none)" or "localhost" ? "" : host;
    private readonly HashSet<string?> _kept = [.. kept];
    private readonly Dictionary<string, string> _labels = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _counts = new(StringComparer.Ordinal);

    /// <summary>The text without that.</summary>
    /// <param name="text">One line, or several.</param>
    internal string Clean(string text)
    {
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
            if (line.IndexOf(word) is >= 0 and var found)
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

    private static bool IsBetween(char c) => char.IsWhiteSpace(c) || "\"'`()[]{}<>,;=|".Contains(c, StringComparison.Ordinal);

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
        if (HasHost(word))
            return "host";
        if (word.IndexOf('@') is > 0 and var at && at < word.Length - 1)
            return "name";
        if (IsUuid(word))
            return "uuid";
        if (IsMac(word))
            return "mac";
        if (IsIpv4(word) || IsIpv6(word))
            return "ip";
        return IsPath(word) ? "path" : IsDomain(word) ? "name" : null;
    }

    private bool HasHost(ReadOnlySpan<char> word)
    {
        if (_host.Length == 0)
            return false;
        for (int from = 0; word[from..].IndexOf(_host, StringComparison.OrdinalIgnoreCase) is >= 0 and var found; from += found + 1)
        {
            int start = from + found, end = start + _host.Length;
            if ((start == 0 || !char.IsAsciiLetterOrDigit(word[start - 1])) && (end == word.Length || !char.IsAsciiLetterOrDigit(word[end])))
                return true;
        }

        return false;
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

    // Six pairs or more: Ethernet, EUI-64, InfiniBand.
    private static bool IsMac(ReadOnlySpan<char> word)
    {
        if (word.Length < 17 || word.Length % 3 != 2)
            return false;
        for (int i = 0; i < word.Length; i++)
        {
            if (i % 3 == 2 ? word[i] is not (':' or '-') : !char.IsAsciiHexDigit(word[i]))
                return false;
        }

        return true;
    }

    // Four numbers below 256, and what may follow: a port, a prefix.
    private static bool IsIpv4(ReadOnlySpan<char> word)
    {
        int end = word.IndexOfAnyExceptInRange('.', '9');
        ReadOnlySpan<char> address = end >= 0 ? word[..end] : word;
        if (address.IndexOf('/') is >= 0 and var slash)
            address = address[..slash];
        if (end >= 0 && word[end] is not (':' or '-' or '%'))
            return false;
        int parts = 1, value = -1;
        foreach (char c in address)
        {
            if (c == '.' && value >= 0)
                (parts, value) = (parts + 1, -1);
            else if (!char.IsAsciiDigit(c) || (value = (Math.Max(value, 0) * 10) + (c - '0')) > 255)
                return false;
        }

        return parts == 4 && value >= 0;
    }

    // Hexadecimal digits and colons: two of them together, or seven in all.
    private static bool IsIpv6(ReadOnlySpan<char> word)
    {
        int end = word.IndexOfAny("/%");
        ReadOnlySpan<char> address = end >= 0 ? word[..end] : word;
        if (address.IndexOfAnyExcept("0123456789abcdefABCDEF:.") >= 0 || address.IndexOfAnyExcept(":.") < 0)
            return false;
        return address.IndexOf("::") >= 0 || address.Count(':') == 7;
    }

    private static bool IsPath(ReadOnlySpan<char> word)
    {
        // Of the kernel's source a trace names the file: kernel/panic.c:302.
        int slash = word.IndexOf('/');
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
        ReadOnlySpan<char> name = word.IndexOf(':') is >= 0 and var colon ? word[..colon] : word;
        if (name.Count('.') < 2 || name.IndexOf("..") >= 0 || name[0] == '.')
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
