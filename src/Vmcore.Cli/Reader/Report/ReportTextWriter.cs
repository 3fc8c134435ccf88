using System.Globalization;
using System.Text;

namespace Vmcore.Cli.Reader.Report;

/// <summary>A report as text.</summary>
/// <param name="style">Colours.</param>
/// <param name="redactor">Takes out what strangers must not see; null to leave it in.</param>
internal sealed class ReportTextWriter(TextStyle style, Redactor? redactor) : ReportWriter(redactor)
{
    private readonly StringBuilder _text = new();

    /// <summary>All that was written.</summary>
    public override string ToString() => _text.ToString();

    /// <inheritdoc/>
    internal override void Title(string text) => _text.Append(style.Bold(style.Red(Clean(text)))).Append('\n');

    /// <inheritdoc/>
    internal override void Section(string title) => _text.Append('\n').Append(style.Bold(title)).Append('\n');

    /// <inheritdoc/>
    internal override void Field(string name, string? text, Tone tone = Tone.Plain)
    {
        if (!string.IsNullOrEmpty(text))
            _text.Append(CultureInfo.InvariantCulture, $"{name + ":",-13}{Paint(tone, Clean(text))}\n");
    }

    /// <inheritdoc/>
    internal override void Say(string text, Tone tone = Tone.Plain) => _text.Append(Paint(tone, Clean(text))).Append('\n');

    /// <inheritdoc/>
    internal override void Lines(string text) => _text.Append(Clean(text.TrimEnd('\n'))).Append('\n');

    /// <inheritdoc/>
    internal override void Fold(string title, string lines, Tone tone = Tone.Plain)
    {
        Say(title, tone);
        Lines(lines);
    }

    /// <inheritdoc/>
    internal override void Table(string[] headings, IEnumerable<string[]> rows)
    {
        var table = new TextTable(style, headings);
        foreach (string[] row in rows)
            table.Add(Clean(row));
        _text.Append(table);
    }

    private string Paint(Tone tone, string text) => tone switch { Tone.Bad => style.Red(text), Tone.Warn => style.Yellow(text), _ => text };
}
