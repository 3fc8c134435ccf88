using System.Globalization;
using System.Text;

namespace Vmcore.Cli.Reader.Triage;

/// <summary>Groups as text for people, and as CSV (RFC 4180).</summary>
internal static class TriageText
{
    private const int NamesShown = 8;

    internal static string Build(IReadOnlyList<TriageGroup> groups)
    {
        var text = new StringBuilder();
        foreach (TriageGroup group in groups)
        {
            text.Append(text.Length > 0 ? "\n" : "").Append(CultureInfo.InvariantCulture, $"{group.Count} x {OneLine(group.First.Title)}\n");
            string note = !group.First.IsPartial ? "" : group.Like is { } like ? $"  (partial; what is known of it is as in {like})" : "  (partial)";
            Field(text, "signature", group.First.Signature + note);
            Field(text, "path", string.Join(" < ", group.First.Frames));
            Field(text, "module", group.First.Module is { } module ? $"{module} (suspected)" : null);
            Field(text, "crashed", group.FirstTime == group.LastTime ? UtcTime.Text(group.FirstTime)
                : $"{UtcTime.Text(group.FirstTime)} to {UtcTime.Text(group.LastTime)}");
            Field(text, "kernels", Names(group.Kernels));
            Field(text, "dumps", Names(group.Files));
        }

        return TerminalText.Clean(text.ToString());
    }

    internal static string BuildCsv(IReadOnlyList<TriageGroup> groups)
    {
        var text = new StringBuilder("count,signature,partial,kind,title,suspected_module,first,last,kernels,frames,files\r\n");
        foreach (TriageGroup group in groups)
        {
            string?[] cells =
            [
                group.Count.ToString(CultureInfo.InvariantCulture), group.First.Signature, group.First.IsPartial ? "true" : "false", group.First.Kind,
                group.First.Title, group.First.Module, IsoTime(group.FirstTime), IsoTime(group.LastTime), string.Join(' ', group.Kernels),
                string.Join(" < ", group.First.Frames), string.Join(' ', group.Files),
            ];
            for (int i = 0; i < cells.Length; i++)
                text.Append(i > 0 ? "," : "").Append(Quoted(cells[i] ?? ""));
            text.Append("\r\n");
        }

        return text.ToString();
    }

    private static string? IsoTime(long? time) => UtcTime.Text(time)?.Replace(" UTC", "Z", StringComparison.Ordinal).Replace(' ', 'T');

    // A cell that begins like a formula is run by spreadsheets.
    private static string Quoted(string cell) => QuotedText(cell.Length > 0 && "=+-@\t\r".Contains(cell[0], StringComparison.Ordinal) ? "'" + cell : cell);

    private static string QuotedText(string cell) =>
        cell.AsSpan().ContainsAny("\",\r\n") ? $"\"{cell.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : cell;

    private static void Field(StringBuilder text, string name, string? value)
    {
        if (!string.IsNullOrWhiteSpace(value))
            text.Append("    ").Append(name.PadRight(11)).Append(OneLine(value)).Append('\n');
    }

    // A file of lines is anybody's, and a name may have a newline: neither makes a line that this did not write.
    private static string OneLine(string value) => value.ReplaceLineEndings(" ").Replace('\t', ' ');

    private static string Names(IReadOnlyList<string> names)
    {
        var text = new StringBuilder();
        for (int i = 0; i < names.Count && i < NamesShown; i++)
            text.Append(i > 0 ? ", " : "").Append(names[i]);
        return names.Count > NamesShown ? text.Append(CultureInfo.InvariantCulture, $", and {names.Count - NamesShown} more").ToString() : text.ToString();
    }
}
