using System.Text;

namespace Vmcore.Cli;

/// <summary>Text for a terminal: what would move its cursor or change its state is shown as a number. Names and lines of files may have that.</summary>
internal static class TerminalText
{
    /// <summary>The text without control characters but newline, tabulator and carriage return.</summary>
    internal static string Clean(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\0', '\u001f') && !text.AsSpan().ContainsAnyInRange('\u007f', '\u009f'))
            return text;
        var clean = new StringBuilder(text.Length + 16);
        foreach (char c in text)
        {
            if (c is < ' ' and not ('\n' or '\t' or '\r') or (>= '\u007f' and <= '\u009f'))
                clean.Append("\\x").Append(((int)c).ToString("x2", System.Globalization.CultureInfo.InvariantCulture));
            else
                clean.Append(c);
        }

        return clean.ToString();
    }
}
