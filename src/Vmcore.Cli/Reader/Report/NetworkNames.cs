namespace Vmcore.Cli.Reader.Report;

/// <summary>Addresses of networks within a word, whatever stands before and behind them: <c>tcp:10.0.0.1:2049</c>.</summary>
internal static class NetworkNames
{
    /// <summary>True if four numbers below 256 with dots between them are in it.</summary>
    internal static bool HasIpv4(ReadOnlySpan<char> word)
    {
        for (int i = 0; i < word.Length; i++)
        {
            if (char.IsAsciiDigit(word[i]) && (i == 0 || !char.IsAsciiDigit(word[i - 1])) && BeginsWithIpv4(word[i..]))
                return true;
        }

        return false;
    }

    /// <summary>True if it is one, up to a prefix or the name of an interface; or if hexadecimal digits and colons in a row are in it, two colons together or
    /// seven in all, and a decimal digit among them: <c>core::panicking</c> is none.</summary>
    internal static bool HasIpv6(ReadOnlySpan<char> word)
    {
        int after = word.IndexOfAny("/%");
        ReadOnlySpan<char> whole = after >= 0 ? word[..after] : word;
        if (whole.IndexOfAnyExcept("0123456789abcdefABCDEF:.") < 0 && whole.IndexOfAnyExcept(":.") >= 0 && IsLong(whole))
            return true;
        for (int start = 0; start < word.Length;)
        {
            int end = start;
            while (end < word.Length && (char.IsAsciiHexDigit(word[end]) || word[end] == ':'))
                end++;
            ReadOnlySpan<char> run = word[start..end];
            if (run.IndexOfAnyInRange('0', '9') >= 0 && IsLong(run))
                return true;
            start = Math.Max(end, start + 1);
        }

        return false;
    }

    /// <summary>True if six pairs of digits (Ethernet; the longer ones of EUI-64 and InfiniBand have as many) are in it with colons or dashes between, or three
    /// times four with dots.</summary>
    internal static bool HasMac(ReadOnlySpan<char> word)
    {
        for (int i = 0; i < word.Length; i++)
        {
            if (BeginsWithGroups(word[i..], 6, 2, ":-") || BeginsWithGroups(word[i..], 3, 4, "."))
                return true;
        }

        return false;
    }

    private static bool IsLong(ReadOnlySpan<char> digits) => digits.IndexOf("::") >= 0 || digits.Count(':') >= 7;

    private static bool BeginsWithIpv4(ReadOnlySpan<char> text)
    {
        int parts = 0, at = 0;
        while (true)
        {
            int value = 0, digits = 0;
            while (at < text.Length && char.IsAsciiDigit(text[at]) && digits <= 3)
                (value, digits, at) = ((value * 10) + (text[at] - '0'), digits + 1, at + 1);
            if (digits is 0 or > 3 || value > 255)
                return false;
            if (++parts == 4)
                return true;
            if (at >= text.Length || text[at++] != '.')
                return false;
        }
    }

    private static bool BeginsWithGroups(ReadOnlySpan<char> text, int groups, int digits, string between)
    {
        int length = (groups * (digits + 1)) - 1;
        if (text.Length < length)
            return false;
        for (int i = 0; i < length; i++)
        {
            if (i % (digits + 1) == digits ? !between.Contains(text[i]) : !char.IsAsciiHexDigit(text[i]))
                return false;
        }

        return true;
    }
}
