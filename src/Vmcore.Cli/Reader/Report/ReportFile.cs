using System.Text;
using Vmcore.Cli.Json;
using Vmcore.Findings;

namespace Vmcore.Cli.Reader.Report;

/// <summary>What a report is written as.</summary>
internal enum ReportForm
{
    /// <summary>Text for people.</summary>
    Text,

    /// <summary>JSON (docs/json-schema.md).</summary>
    Json,

    /// <summary>A page of HTML.</summary>
    Html,
}

/// <summary>How a report is asked for.</summary>
/// <param name="Form">What it is written as.</param>
/// <param name="Redact">True to take out what strangers must not see.</param>
/// <param name="Messages">Messages of the end of the log.</param>
internal sealed record ReportRequest(ReportForm Form, bool Redact, int Messages);

/// <summary>A report as the bytes of a file.</summary>
internal static class ReportFile
{
    /// <summary>The form that a file's name asks for.</summary>
    /// <param name="file">The name; null for standard output.</param>
    internal static ReportForm FormOf(string? file) => Path.GetExtension(file)?.ToUpperInvariant() switch
    {
        ".HTML" or ".HTM" => ReportForm.Html,
        ".JSON" => ReportForm.Json,
        _ => ReportForm.Text,
    };

    /// <summary>Writes a report.</summary>
    /// <param name="report">The report.</param>
    /// <param name="gaps">What is missing of it.</param>
    /// <param name="request">How it is asked for.</param>
    /// <param name="style">Colours of text.</param>
    internal static byte[] Build(ReportAnswer report, IReadOnlyList<Finding> gaps, ReportRequest request, TextStyle style)
    {
        Redactor? redactor = request.Redact ? new(report.Machine?.All.NodeName,
            [report.Died?.Signature.Digest, report.Machine?.All.BuildId, .. report.Code.Select(static c => c.Bytes)]) : null;
        report = report with { Redacted = request.Redact };
        if (request.Form == ReportForm.Json)
            return [.. JsonText.Build(report, redact: redactor is null ? null : redactor.Clean), (byte)'\n'];
        if (request.Form == ReportForm.Html)
        {
            var page = new ReportHtmlWriter(redactor);
            page.Section("What happened");
            new ReportBody(report, gaps, page).Write();
            return Encoding.UTF8.GetBytes(page.Page());
        }

        var text = new ReportTextWriter(style, redactor);
        new ReportBody(report, gaps, text).Write();
        return Encoding.UTF8.GetBytes(text.ToString());
    }
}
