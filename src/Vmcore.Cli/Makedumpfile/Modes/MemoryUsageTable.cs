using System.Globalization;
using System.Text;
using Vmcore.Dumping;
using Vmcore.Memmap;

namespace Vmcore.Cli.Makedumpfile.Modes;

/// <summary><c>--mem-usage</c>: shows how many pages of each class there are, on the running machine (/proc/kcore) or in a dump.</summary>
internal sealed class MemoryUsageTable(MakedumpfileOptions options, Messages messages)
{
    /// <summary>Counts the pages and shows the table.</summary>
    /// <returns>The exit status.</returns>
    internal int Run()
    {
        StandardStreams.RequireOutput();
        using CrashDump? dump = InputDump.Open(options, messages);
        if (dump is null)
            return ExitStatus.WrongRelease;
        var progress = new ProgressLine(messages) { PageSize = dump.Memory.PageSize };
        DumpReport report = MemoryUsage.Measure(new(dump, new() { Level = DumpLevel.All & ~DumpLevel.PmemMetadata }), progress);
        messages.EndDrawing();
        if (report.MissingInInput > 0)
            messages.Line(MessageKind.Error, string.Create(CultureInfo.InvariantCulture,
                $"{options.Input} is a filtered dump: {report.MissingInInput} pages of the machine are not in it, and nobody can say what they were."));
        messages.Answer(MessageKind.Common, Build(report, dump.Memory.PageSize));
        return ExitStatus.Success;
    }

    private static string Build(DumpReport report, int pageSize)
    {
        var text = new StringBuilder("\nTYPE\t\tPAGES\t\t\tEXCLUDABLE\tDESCRIPTION\n");
        text.Append('-', 70).Append('\n');
        PageCounts pages = report.Excluded;
        Row("ZERO\t\t", pages[PageClass.Zero], "yes", "Pages filled with zero");
        Row("NON_PRI_CACHE\t", pages[PageClass.Cache], "yes", "Cache pages without private flag");
        Row("PRI_CACHE\t", pages[PageClass.CachePrivate], "yes", "Cache pages with private flag");
        Row("USER\t\t", pages[PageClass.User], "yes", "User process pages");
        Row("FREE\t\t", pages[PageClass.Free], "yes", "Free pages");
        if (pages[PageClass.PmemUserData] > 0)
            Row("PMEM_USERDATA\t", pages[PageClass.PmemUserData], "yes", "User data on pmem, never in a dump");
        if (report.MetadataKept > 0)
            Row("PMEM_METADATA\t", report.MetadataKept, "yes", "Metadata on pmem, excluded by level 32");
        if (report.MissingInInput > 0)
            Row("MISSING\t\t", report.MissingInInput, "-", "Pages that the dump lacks");
        Row("KERN_DATA\t", report.Remaining - report.MetadataKept, "no", "Dumpable kernel data ");
        text.Append(CultureInfo.InvariantCulture, $"\npage size:\t\t{pageSize,-16}\n");
        text.Append(CultureInfo.InvariantCulture, $"Total pages on system:\t{report.Original,-16}\n");
        text.Append(CultureInfo.InvariantCulture, $"Total size on system:\t{report.Original * (ulong)pageSize,-16} Byte\n");
        return text.ToString();

        void Row(string type, ulong count, string excludable, string description) =>
            text.Append(type).Append(CultureInfo.InvariantCulture, $"{count,-16}\t{excludable}\t\t{description}\n");
    }
}
