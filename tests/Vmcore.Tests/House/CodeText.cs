using System.Text;

namespace Vmcore.Tests.House;

/// <summary>C# text with its comments blanked, and with the text of its strings blanked too. Lines and columns stay where they are.</summary>
/// <param name="Code">Without comments and without what strings say; the expressions in an interpolated string stay.</param>
/// <param name="WithStrings">Without comments.</param>
internal sealed record CodeText(string Code, string WithStrings)
{
    internal static CodeText Of(string text)
    {
        var reader = new Reader(text);
        reader.Run(0, inHole: false);
        return new(reader.Code.ToString(), reader.WithStrings.ToString());
    }

    private sealed class Reader(string text)
    {
        internal StringBuilder Code { get; } = new(text);

        internal StringBuilder WithStrings { get; } = new(text);

        /// <summary>Reads code up to the end, or up to the brace that closes the hole of an interpolated string.</summary>
        /// <returns>The position of what ends it.</returns>
        internal int Run(int at, bool inHole)
        {
            int depth = 0;
            while (at < text.Length)
            {
                char c = text[at];
                if (c == '/' && Next(at) == '/')
                    at = Blank(at, EndOf(at, "\n"), Code, WithStrings);
                else if (c == '/' && Next(at) == '*')
                    at = Blank(at, Math.Min(text.Length, EndOf(at + 2, "*/") + 2), Code, WithStrings);
                else if (c == '\'')
                    at = Blank(at, Quoted(at, '\''), Code);
                else if (c == '"')
                    at = String(at);
                else if (inHole && c == '}' && depth == 0)
                    return at;
                else
                {
                    depth += c == '{' ? 1 : c == '}' ? -1 : 0;
                    at++;
                }
            }

            return at;
        }

        private int String(int start)
        {
            int prefix = start;
            while (prefix > 0 && text[prefix - 1] is '$' or '@')
                prefix--;
            int holes = text[prefix..start].Count(static c => c == '$');
            bool verbatim = text[prefix..start].Contains('@', StringComparison.Ordinal);
            int quotes = 1;
            while (Next(start + quotes - 1) == '"')
                quotes++;
            if (quotes == 2)
                return start + 2;
            int at = start + quotes;
            string end = new('"', quotes);
            for (; at < text.Length && string.CompareOrdinal(text, at, end, 0, quotes) != 0; at++)
            {
                if (quotes == 1 && text[at] == '\\' && !verbatim)
                    at++;
                else if (quotes == 1 && holes == 1 && text[at] == '{' && Next(at) == '{')
                    at++;
                else if (holes > 0 && text[at] == '{' && string.CompareOrdinal(text, at, new string('{', holes), 0, holes) == 0)
                {
                    int close = Run(at + holes, inHole: true);
                    Blank(start, at + holes, Code);
                    start = close;
                    at = close;
                }
            }

            return Blank(start, Math.Min(text.Length, at + quotes), Code);
        }

        private int Quoted(int at, char quote)
        {
            for (at++; at < text.Length && text[at] != quote; at++)
                at += text[at] == '\\' ? 1 : 0;
            return Math.Min(text.Length, at + 1);
        }

        private char Next(int at) => at + 1 < text.Length ? text[at + 1] : '\0';

        private int EndOf(int at, string what) =>
            text.IndexOf(what, Math.Min(at, text.Length), StringComparison.Ordinal) is >= 0 and var end ? end : text.Length;

        private int Blank(int from, int to, params ReadOnlySpan<StringBuilder> places)
        {
            foreach (StringBuilder place in places)
            {
                for (int i = from; i < to; i++)
                    place[i] = text[i] == '\n' ? '\n' : ' ';
            }

            return to;
        }
    }
}
