using System.Globalization;
using System.Text;
using Vmcore.Compression;
using Vmcore.Dumping;
using Vmcore.Memmap;

namespace Vmcore.Cli.Makedumpfile;

/// <summary>The report at the end, in the layout that scripts parse.</summary>
internal static class ReportText
{
    internal static string Build(DumpReport report)
    {
        var text = new StringBuilder();
        PageCounts excluded = report.Excluded;
        ulong allExcluded = excluded.Excluded + report.MissingInInput;
        text.Append('\n');
        Line(text, "Original pages  : ", report.Original);
        Line(text, "  Excluded pages   : ", allExcluded);
        if (report.ExcludedInElf is { } inElf)
            Line(text, "     in ELF format : ", inElf);
        Line(text, "    Pages filled with zero  : ", excluded[PageClass.Zero]);
        Line(text, "    Non-private cache pages : ", excluded[PageClass.Cache]);
        Line(text, "    Private cache pages     : ", excluded[PageClass.CachePrivate]);
        Line(text, "    User process data pages : ", excluded[PageClass.User]);
        Line(text, "    Free pages              : ", excluded[PageClass.Free]);
        Line(text, "    Hwpoison pages          : ", excluded[PageClass.HwPoison]);
        Line(text, "    Offline pages           : ", excluded[PageClass.Offline]);
        Line(text, "    pmem metadata pages     : ", excluded[PageClass.PmemMetadata]);
        Line(text, "    pmem userdata pages     : ", excluded[PageClass.PmemUserData]);
        if (excluded[PageClass.UnusedMemmap] > 0)
            Line(text, "    Unused memmap pages     : ", excluded[PageClass.UnusedMemmap]);
        if (report.MissingInInput > 0)
            Line(text, "    Missing in the input    : ", report.MissingInInput);
        Line(text, "  Remaining pages  : ", report.Remaining);
        if (report.Shared > 0)
            Line(text, "    equal to another page   : ", report.Shared);
        if (report.ExcludedInElf is { } left)
            Line(text, "     in ELF format : ", report.Original - Math.Min(left, report.Original));
        Line(text, "    pmem metadata kept      : ", report.MetadataKept);
        ulong percent = report.Original == 0 ? 0 : report.Remaining * 100 / report.Original;
        text.Append(CultureInfo.InvariantCulture, $"  (The number of pages is reduced to {percent}%.)\n");
        Line(text, "Memory Hole     : ", report.MemoryHole);
        text.Append('-', 50).Append('\n');
        Line(text, "Total pages     : ", report.MaxPfn);
        text.Append(CultureInfo.InvariantCulture, $"Write bytes     : {report.BytesWritten}\n");
        return text.Append('\n').ToString();
    }

    /// <summary>What a dump did otherwise than asked for, to be done in time.</summary>
    internal static string GivenUp(GivenUp given)
    {
        List<string> parts = [];
        if (given.Codec != given.AskedCodec)
            parts.Add($"pages are compressed with {Name(given.Codec)} in place of {Name(given.AskedCodec)}");
        if (given.Level != given.AskedLevel)
        {
            DumpLevel more = given.Level & ~given.AskedLevel;
            string[] classes =
            [
                .. new[] { (DumpLevel.Zero, "zero"), (DumpLevel.Free, "free"), (DumpLevel.User, "user"),
                    (DumpLevel.Cache, "cache"), (DumpLevel.CachePrivate, "private cache") }
                    .Where(c => (more & c.Item1) != 0).Select(c => c.Item2),
            ];
            parts.Add(string.Create(CultureInfo.InvariantCulture,
                $"the dump level is {(int)given.Level} in place of {(int)given.AskedLevel}: {string.Join(", ", classes)} pages are left out"));
        }

        return $"To keep to --time-limit, {string.Join("; ", parts)}.";
    }

    private static string Name(PageCodec codec) => codec switch
    {
        PageCodec.None => "nothing",
        PageCodec.Lzo => "LZO",
        _ => codec.ToString().ToLowerInvariant(),
    };

    private static void Line(StringBuilder text, string label, ulong pages) =>
        text.Append(label).Append(CultureInfo.InvariantCulture, $"0x{pages:x16}\n");
}
