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

    // What file systems without a device say is their source.
    private static readonly string[] s_usualSources =
        ["none", "udev", "rootfs", "proc", "sysfs", "tmpfs", "devtmpfs", "devpts", "cgroup", "cgroup2", "systemd-1", "run", "dev", "sys", "overlay"];

    /// <summary>Writes a report.</summary>
    /// <param name="report">The report.</param>
    /// <param name="gaps">What is missing of it.</param>
    /// <param name="request">How it is asked for.</param>
    /// <param name="style">Colours of text.</param>
    internal static byte[] Build(ReportAnswer report, IReadOnlyList<Finding> gaps, ReportRequest request, TextStyle style)
    {
        Redactor? redactor = request.Redact ? new(report.Machine?.All.NodeName,
            [report.Died?.Signature.Digest, report.Machine?.All.BuildId, .. report.Code.Select(static c => c.Bytes)])
        {
            Names = NamesOf(report),
        } : null;
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

    // The longest first: one may be the beginning of another.
    private static List<string> NamesOf(ReportAnswer report)
    {
        List<string> names = [];
        foreach (string file in (IEnumerable<string>)[report.File ?? "", .. report.Parts ?? []])
        {
            if (file.AsSpan().IndexOfAny("/.-_0123456789") >= 0)
                names.Add(file);
        }

        foreach (MountInfo mount in report.Mounts ?? [])
        {
            if (mount.Source != mount.Type && !s_usualSources.Contains(mount.Source))
                names.Add(mount.Source);
            if (mount.Target?.Contains(' ', StringComparison.Ordinal) == true)
                names.Add(mount.Target);
        }

        return [.. names.Where(static n => n.Length > 1).OrderByDescending(static n => n.Length)];
    }
}
