using System.CommandLine;
using System.Globalization;
using Vmcore.Findings;
using Vmcore.Pmem.Usage;

namespace Vmcore.Cli.Reader.Pmem;

/// <summary><c>vmcore pmem FILE [--page PFN]</c></summary>
internal static class PmemCommand
{
    internal static Command Create()
    {
        var page = new Option<string?>("--page") { Description = "Explain one page: its page frame number (decimal, or 0x...).", HelpName = "PFN" };
        var ranges = new Option<bool>("--ranges") { Description = "Show where each file's pages are." };
        var command = new ReaderCommand(
            "pmem",
            "Show the persistent memory: namespaces, their memmap, what each page was used for, and by which files and processes.",
            context => context.Parsed.GetValue(page) is { } text ? RunPage(context, text) : Run(context, context.Parsed.GetValue(ranges)));
        command.Add(page);
        command.Add(ranges);
        return command;
    }

    private static int Run(ReaderContext context, bool ranges)
    {
        PmemUsage usage;
        using (var status = new StatusLine("Reading struct pages"))
            usage = context.Dump.CollectPmemUsage(progress: status.Show);
        PmemAnswer answer = PmemCollector.Collect(context.Dump, usage);
        // Where there is no pmem, nobody uses it: that files and processes cannot be named takes nothing from the answer.
        context.Gap((context.Dump.Pmem.Pages.IsEmpty ? context.Dump.Pmem.Findings : answer.Findings).Where(static f => f.MeansMissing));
        if (context.IsJson)
            context.WriteJson(answer);
        else
            ReaderContext.Write(PmemText.Build(answer, context.Style, ranges));
        return 0;
    }

    private static int RunPage(ReaderContext context, string text)
    {
        bool hex = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        if (!ulong.TryParse(hex ? text.AsSpan(2) : text, hex ? NumberStyles.AllowHexSpecifier : NumberStyles.None, CultureInfo.InvariantCulture, out ulong pfn)
            || pfn >= 1UL << 44)
        {
            ReaderContext.Warn($"--page: found '{text}', expected a page frame number below 2^44: decimal, or hexadecimal with 0x");
            return 1;
        }

        PmemPageAnswer answer = PageExplainer.Explain(context.Dump, pfn, out IReadOnlyList<Finding> gaps);
        context.Gap(gaps);
        if (context.IsJson)
            context.WriteJson(answer);
        else
            ReaderContext.Write(string.Concat(answer.Words.Select(w => w + "\n")));
        return 0;
    }
}
