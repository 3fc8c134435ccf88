using System.Globalization;
using System.Text;
using Vmcore.Findings;

namespace Vmcore.Cli.Reader.Pmem;

/// <summary>What <c>vmcore pmem</c> shows to people.</summary>
internal static class PmemText
{
    private const int MostRanges = 16;

    internal static string Build(PmemAnswer answer, TextStyle style, bool ranges)
    {
        var text = new StringBuilder();
        if (answer.Regions.Count == 0)
            text.Append("The machine had no persistent memory, as far as the dump says.\n");
        foreach (PmemRegionInfo region in answer.Regions)
        {
            text.Append(style.Bold($"{region.Name ?? "Persistent memory"} {Sizes.Hex(region.Start)}-{Sizes.Hex(region.End)}"))
                .Append(", ").Append(Sizes.Text(region.End - region.Start));
            if (region.UnassignedBytes is > 0 and { } unassigned)
                text.Append(", ").Append(Sizes.Text(unassigned)).Append(" of it in no namespace");
            text.Append('\n');
        }

        foreach (PmemNamespaceInfo item in answer.Namespaces)
            Namespace(text, item, answer.PageSize, style);
        Files(text, answer, style, ranges);
        Processes(text, answer, style);
        if (answer.Findings.Count > 0)
            text.Append('\n').Append(style.Bold("Findings")).Append('\n');
        foreach (Finding finding in answer.Findings)
            text.Append("  ").Append(style.Yellow(finding.ToString())).Append('\n');
        return text.ToString();
    }

    private static void Namespace(StringBuilder text, PmemNamespaceInfo item, int pageSize, TextStyle style)
    {
        text.Append('\n').Append(style.Bold(item.Name ?? "namespace"))
            .Append(CultureInfo.InvariantCulture, $" {Sizes.Hex(item.Start)}-{Sizes.Hex(item.End)}, {Sizes.Text(item.End - item.Start)}: ");
        text.Append(item.Mode != "unknown" ? item.Mode
            : item.Map == "mem" ? "legacy, or its info block is lost"
            : item.Memmap.State == "none" ? "raw, or no info block of it in the dump"
            : "mode not known, no info block of it in the dump");
        if (item.Map != "none")
            text.Append(", memmap ").Append(item.Map == "dev" ? "on the pmem" : "in RAM").Append(" (map=").Append(item.Map).Append(')');
        if (item.Alignment is { } align)
            text.Append(", alignment ").Append(Sizes.Text(align));
        text.Append('\n');
        if (item.Devices.Count > 0)
            Line(text, "device", string.Join(", ", item.Devices.Select(d => "/dev/" + d)));
        if (item.Data is { } data)
            Line(text, "data", $"{Sizes.Hex(data.Start)}-{Sizes.Hex(data.End)}, {Sizes.Text(data.End - data.Start)}");
        Line(text, "memmap", MemmapOf(item, pageSize, style));
        if (item.Pages is { } pages)
            Line(text, "pages", PagesOf(pages, item.Memmap.State, style));
        else
            Line(text, "pages", "no struct pages: nothing is known of their use");
        foreach (SharedInfo shared in item.Shared.Take(MostRanges))
            Line(text, "shared", string.Create(CultureInfo.InvariantCulture, $"{Sizes.Count(shared.EndPfn - shared.StartPfn, "page")} from "
                + $"pfn {Sizes.Hex(shared.StartPfn)} on, {(shared.Count is { } count ? $"share count {count}" : "share count not known")}"));
        if (item.Shared.Count > MostRanges)
            Line(text, "shared", $"... {item.Shared.Count - MostRanges} more ranges (--json has them)");
        if (item.PoisonedPfns.Count > 0)
            Line(text, "poisoned",
                style.Red(string.Join(' ', item.PoisonedPfns.Take(MostRanges).Select(Sizes.Hex)) + (item.PoisonedPfns.Count > MostRanges ? " ..." : "")));
        if (item.Damage is { } damage)
            Line(text, "damage", style.Red(damage));
    }

    private static void Line(StringBuilder text, string name, string value) => text.Append(CultureInfo.InvariantCulture, $"  {name,-9} {value}\n");

    private static string MemmapOf(PmemNamespaceInfo item, int pageSize, TextStyle style)
    {
        PmemMemmapInfo memmap = item.Memmap;
        if (memmap.State == "none")
            return item.Map == "mem" || item.Pages is not null ? "in RAM" : "none";
        string where = string.Join(", ",
            memmap.Ranges.Where(r => r.End - r.Start > (ulong)pageSize).Take(4).Select(r => $"{Sizes.Hex(r.Start)}-{Sizes.Hex(r.End)}"));
        string count = string.Create(CultureInfo.InvariantCulture, $"{memmap.PagesPresent} of {memmap.Pages} metadata pages in the dump");
        string state = memmap.State == "complete" ? style.Green(memmap.State) : style.Red(memmap.State);
        return $"{state}, {count}{(where.Length > 0 ? ", at " + where : "")}";
    }

    private static string PagesOf(PageStatesInfo p, string memmap, TextStyle style)
    {
        List<string> parts = [];
        void Add(ulong count, string what, Func<string, string>? paint = null)
        {
            string part = string.Create(CultureInfo.InvariantCulture, $"{count} {what}");
            if (count > 0)
                parts.Add(paint is null ? part : paint(part));
        }

        Add(p.Idle, "idle");
        Add(p.Mapped, "mapped");
        Add(p.Shared, "shared");
        Add(p.InUse, "in use without a file");
        Add(p.Foreign, "with a damaged struct page", style.Red);
        Add(p.Unreadable, $"unknown (struct page {(memmap == "overwritten" ? "written anew after the crash" : "not in the dump")})", style.Yellow);
        Add(p.WithoutStruct, "without struct page");
        Add(p.Pinned, "of them pinned", style.Yellow);
        Add(p.Poisoned, "of them poisoned", style.Red);
        return string.Create(CultureInfo.InvariantCulture, $"{p.Total}: ") + string.Join(", ", parts);
    }

    private static void Files(StringBuilder text, PmemAnswer answer, TextStyle style, bool ranges)
    {
        if (answer.Files.Count == 0)
            return;
        text.Append('\n').Append(style.Bold("Mapped files and devices")).Append('\n');
        var table = new TextTable(style, ">PAGES", ">SHARED", ">PINNED", ">INODE", "DEVICE", "TYPE", "PATH");
        foreach (PmemFileInfo file in answer.Files)
            table.Add(Number(file.Pages), Number(file.SharedPages), Number(file.PinnedPages),
                file.Inode is { } inode ? Number(inode) : "-", file.Device ?? "?", file.FileSystem ?? file.Kind, PathOf(file));
        text.Append(Indent(table.ToString()));
        if (!ranges)
            return;
        foreach (PmemFileInfo file in answer.Files)
        {
            text.Append('\n').Append(style.Bold(PathOf(file))).Append('\n');
            foreach (FileRangeInfo range in file.Ranges)
                text.Append(CultureInfo.InvariantCulture, $"  file page {range.FilePage}: pfn {Sizes.Hex(range.Pfn)}, {Sizes.Count(range.Pages, "page")}\n");
            foreach (FileRangeInfo range in file.SharedRanges)
                text.Append(CultureInfo.InvariantCulture,
                    $"  file page {range.FilePage}: pfn {Sizes.Hex(range.Pfn)}, {Sizes.Count(range.Pages, "page")}, shared\n");
            if (file.RangesLeftOut > 0)
                text.Append(CultureInfo.InvariantCulture, $"  ... {file.RangesLeftOut} more ranges\n");
        }
    }

    private static void Processes(StringBuilder text, PmemAnswer answer, TextStyle style)
    {
        if (answer.Processes.Count == 0)
            return;
        text.Append('\n').Append(style.Bold("Processes that map pmem")).Append('\n');
        var table = new TextTable(style, ">PID", "NAME", "VIRTUAL ADDRESSES", "PERM", ">FILE PAGE", "PATH");
        foreach (PmemProcessInfo process in answer.Processes)
        {
            foreach (PmemAreaInfo area in process.Areas)
                table.Add(process.Pid.ToString(CultureInfo.InvariantCulture), process.Name, $"{area.Start:x}-{area.End:x}",
                    area.Permissions, Number(area.FilePage), (area.Path ?? "?") + (area.Deleted ? " (deleted)" : ""));
        }

        text.Append(Indent(table.ToString()));
    }

    private static string PathOf(PmemFileInfo file) =>
        (file.Path ?? $"? (address_space {Sizes.Hex(file.Mapping)})") + (file.Deleted ? " (deleted)" : "")
            + (file is { Kind: "file", Path: not null, Mounted: false } ? " (in a file system that the first namespace does not have mounted)" : "");

    private static string Number(ulong value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Indent(string table) => "  " + table.TrimEnd('\n').Replace("\n", "\n  ", StringComparison.Ordinal) + "\n";
}
