namespace Vmcore.Cli.Reader.Report;

/// <summary>How a piece of a report is meant.</summary>
internal enum Tone
{
    /// <summary>Like the rest.</summary>
    Plain,

    /// <summary>What it is all about.</summary>
    Bad,

    /// <summary>What wants attention.</summary>
    Warn,
}

/// <summary>What a report is written to: text for a terminal, or a page. All that comes from the dump goes through <see cref="Clean(string)"/>.</summary>
/// <param name="redactor">Takes out what strangers must not see; null to leave it in.</param>
internal abstract class ReportWriter(Redactor? redactor)
{
    /// <summary>What it is all about, in one line.</summary>
    internal abstract void Title(string text);

    /// <summary>Begins a section.</summary>
    /// <param name="title">Its title.</param>
    internal abstract void Section(string title);

    /// <summary>A name and what belongs to it. Nothing without a text.</summary>
    internal abstract void Field(string name, string? text, Tone tone = Tone.Plain);

    /// <summary>A sentence.</summary>
    internal abstract void Say(string text, Tone tone = Tone.Plain);

    /// <summary>Lines whose blanks count.</summary>
    internal abstract void Lines(string text);

    /// <summary>A title, and lines that can be folded away.</summary>
    internal abstract void Fold(string title, string lines, Tone tone = Tone.Plain);

    /// <summary>A table.</summary>
    /// <param name="headings">Names of the columns; one that starts with <c>&gt;</c> is aligned to the right.</param>
    /// <param name="rows">The rows.</param>
    internal abstract void Table(string[] headings, IEnumerable<string[]> rows);

    /// <summary>Text as it may be shown: without what moves a terminal's cursor, and without what is redacted.</summary>
    private protected string Clean(string text) => TerminalText.Clean(redactor is null ? text : redactor.Clean(text));

    private protected string[] Clean(string[] cells) => Array.ConvertAll(cells, Clean);
}
