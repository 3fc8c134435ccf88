using System.Globalization;
using System.Net;
using System.Text;

namespace Vmcore.Cli.Reader.Report;

/// <summary>A report as a page that needs nothing else: no script, and every text is escaped, whatever the crashed machine called its things.</summary>
/// <param name="redactor">Takes out what strangers must not see; null to leave it in.</param>
internal sealed class ReportHtmlWriter(Redactor? redactor) : ReportWriter(redactor)
{
    private readonly StringBuilder _body = new();
    private readonly StringBuilder _contents = new();
    private int _sections;
    private string _title = "Report of a crash";

    /// <summary>The page.</summary>
    internal string Page()
    {
        using Stream resource = typeof(ReportHtmlWriter).Assembly.GetManifestResourceStream("report.html")
            ?? throw new MissingInformationException("the executable lacks the page of vmcore report");
        using var reader = new StreamReader(resource);

        // One pass: what is put in is not looked at again.
        var page = new StringBuilder();
        string[] parts = reader.ReadToEnd().Split("{{}}");
        string name = Escape(_title);
        string[] content = [name, name, _contents.ToString(), _body.ToString()];
        for (int i = 0; i < parts.Length; i++)
            page.Append(parts[i]).Append(i < content.Length ? content[i] : "");
        return page.ToString();
    }

    /// <inheritdoc/>
    internal override void Title(string text) => _title = text;

    /// <inheritdoc/>
    internal override void Section(string title)
    {
        _body.Append(CultureInfo.InvariantCulture, $"{(_sections > 0 ? "</section>\n" : "")}<section id=\"s{++_sections}\"><h2>{Escape(title)}</h2>\n");
        _contents.Append(CultureInfo.InvariantCulture, $"<li><a href=\"#s{_sections}\">{Escape(title)}</a></li>\n");
    }

    /// <inheritdoc/>
    internal override void Field(string name, string? text, Tone tone = Tone.Plain)
    {
        if (!string.IsNullOrEmpty(text))
            _body.Append(CultureInfo.InvariantCulture, $"<div class=\"f{ClassOf(tone)}\"><b>{Escape(name)}</b><span>{Escape(text)}</span></div>\n");
    }

    /// <inheritdoc/>
    internal override void Say(string text, Tone tone = Tone.Plain) =>
        _body.Append(CultureInfo.InvariantCulture, $"<p class=\"p{ClassOf(tone)}\">{Escape(text)}</p>\n");

    /// <inheritdoc/>
    internal override void Lines(string text) => _body.Append("<pre>").Append(Escape(text.TrimEnd('\n'))).Append("</pre>\n");

    /// <inheritdoc/>
    internal override void Fold(string title, string lines, Tone tone = Tone.Plain)
    {
        _body.Append("<details").Append(tone == Tone.Plain ? "" : " open=\"\"")
            .Append(CultureInfo.InvariantCulture, $"><summary class=\"p{ClassOf(tone)}\">{Escape(title)}</summary>");
        Lines(lines);
        _body.Append("</details>\n");
    }

    /// <inheritdoc/>
    internal override void Table(string[] headings, IEnumerable<string[]> rows)
    {
        _body.Append("<div class=\"t\"><table>");
        Row("th", headings, headings);
        foreach (string[] row in rows)
            Row("td", headings, row);
        _body.Append("</table></div>\n");
    }

    private void Row(string cell, string[] headings, string[] texts)
    {
        _body.Append("<tr>");
        for (int i = 0; i < texts.Length; i++)
        {
            string text = cell == "th" ? texts[i].TrimStart('>') : texts[i];
            _body.Append(CultureInfo.InvariantCulture, $"<{cell}{(headings[i].StartsWith('>') ? " class=\"r\"" : "")}>{Escape(text)}</{cell}>");
        }

        _body.Append("</tr>\n");
    }

    private static string ClassOf(Tone tone) => tone switch { Tone.Bad => " bad", Tone.Warn => " warn", _ => "" };

    private string Escape(string text) => WebUtility.HtmlEncode(Clean(text));
}
