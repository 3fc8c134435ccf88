using System.CommandLine;
using System.Text;
using Vmcore.IO;

namespace Vmcore.Cli.Reader.Report;

/// <summary><c>vmcore report FILE [--html] [-o REPORT]</c></summary>
internal static class ReportCommand
{
    internal static Command Create()
    {
        var html = new Option<bool>("--html") { Description = "Write one page of HTML that needs nothing else." };
        var output = new Option<string?>("--output", "-o")
        {
            Description = "Write to this file instead of standard output; NAME.html is HTML, NAME.json JSON.",
            HelpName = "REPORT",
        };
        var force = new Option<bool>("--force", "-f") { Description = "Overwrite REPORT." };
        var redact = new Option<bool>("--redact")
        {
            Description = "Take out what tells whose machine it was: its name, addresses of memory and networks, paths, command lines. "
                + "Read it before you send it.",
        };
        var tail = NumberOption.Create("--tail", "N", $"Messages of the end of the log: {ReportCollector.UsualMessages} if not given.", int.MaxValue, "-n");
        return new ReaderCommand("report", "Show the whole first report of a crash: what happened, code, stacks, memory, modules, pmem, log.", context =>
        {
            ParseResult parsed = context.Parsed;
            string? file = parsed.GetValue(output);
            return Run(context, new(
                context.IsJson ? ReportForm.Json : parsed.GetValue(html) ? ReportForm.Html : ReportFile.FormOf(file),
                parsed.GetValue(redact), parsed.GetValue(tail) ?? ReportCollector.UsualMessages), file, parsed.GetValue(force));
        }) { html, output, force, redact, tail };
    }

    private static int Run(ReaderContext context, ReportRequest request, string? output, bool force)
    {
        if (context.IsJson && context.Parsed.GetValue<bool>("--html"))
            throw new VmcoreException("report: --json and --html are two forms: ask for one at a time");
        if (output is "")
            throw new VmcoreException("report: -o wants the name of a file");
        if (output is not null && FileIdentity.Of(output) is { IsPipe: true })
            throw new FileAccessException(output, "is a pipe: write to standard output");
        if (output is null)
            StandardStreams.RequireOutput();
        else
            OwnInput.Refuse(output, context.Inputs, "report");
        var all = new ReportCollector(context.Dump, context.Gap).Collect(request.Messages);
        byte[] report = ReportFile.Build(context.Complete(all), context.Gaps, request, output is null ? context.Style : TextStyle.Plain);
        if (output is null)
        {
            ReaderContext.Write(Encoding.UTF8.GetString(report));
            return 0;
        }

        using FileSink sink = FileSink.Create(output, force);
        sink.Write(0, report);
        sink.Complete(report.Length);
        return 0;
    }
}
