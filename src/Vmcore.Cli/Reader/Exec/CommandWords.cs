using System.Text;

namespace Vmcore.Cli.Reader.Exec;

/// <summary>
/// A line of commands in words, as a shell has simple words: blanks part them; <c>'…'</c> keeps all, <c>"…"</c> all but a backslash before <c>"</c>,
/// <c>\</c>, <c>$</c> and <c>`</c>; a backslash keeps the character behind it; <c>#</c> at the start of a word begins a comment. Nothing is expanded, and no
/// other character means anything.
/// </summary>
internal static class CommandWords
{
    /// <summary>Parts a line.</summary>
    /// <param name="line">The line.</param>
    /// <param name="problem">What is wrong with it; null if nothing is.</param>
    /// <returns>The words; none of an empty line or a comment.</returns>
    internal static List<string> Of(string line, out string? problem)
    {
        List<string> words = [];
        var word = new StringBuilder();
        bool isWord = false;
        char quote = '\0';
        problem = null;
        for (int i = 0; i < line.Length; i++)
        {
            char c = line[i];
            if (quote == '\0' && c is ' ' or '\t' or '\r')
            {
                End();
            }
            else if (c == '#' && !isWord)
            {
                break;
            }
            else if (quote == '\0' && c is '\'' or '"')
            {
                (quote, isWord) = (c, true);
            }
            else if (c == quote)
            {
                quote = '\0';
            }
            else
            {
                isWord = true;
                if (c == '\\' && quote != '\'')
                {
                    if (i + 1 == line.Length)
                    {
                        problem = "a backslash ends the line: a command is one line";
                        return words;
                    }

                    if (quote == '\0' || line[i + 1] is '"' or '\\' or '$' or '`')
                        c = line[++i];
                }

                word.Append(c);
            }
        }

        if (quote != '\0')
            problem = $"a quote {quote} is not closed: a command is one line";
        End();
        return words;

        void End()
        {
            if (isWord)
                words.Add(word.ToString());
            word.Clear();
            isWord = false;
        }
    }
}
