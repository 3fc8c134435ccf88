using System.Globalization;
using System.Text;
using System.Text.Json;
using Vmcore.Cli.Reader.Pmem;
using Vmcore.Findings;
using Vmcore.Picture;
using Vmcore.Ranges;

namespace Vmcore.Cli.Reader.Map;

/// <summary>The picture of pmem as JSON.</summary>
internal static class MapPmemData
{
    private const int ProcessesOfFile = 32;
    private const int BadBlockCount = 256;

    /// <summary>Writes it as member <c>pmem</c>; null for a machine without pmem.</summary>
    internal static void Write(Utf8JsonWriter json, MapPmem pmem)
    {
        if (pmem.Picture.Areas.Count == 0)
        {
            json.WriteNull("pmem");
            return;
        }

        json.WriteStartObject("pmem");
        WriteStates(json);
        json.WriteStartArray("areas");
        foreach (PmemPictureArea area in pmem.Picture.Areas)
            Write(json, pmem, area);
        json.WriteEndArray();
        json.WriteNumber("pages_left_out", pmem.Picture.PagesLeftOut);
        json.WriteStartArray("files");
        foreach (MapFile file in pmem.Files)
            Write(json, pmem, file);
        json.WriteEndArray();
        json.WriteNumber("files_left_out", pmem.FilesLeftOut);
        json.WriteBoolean("cut_short", pmem.IsCutShort);
        json.WriteStartArray("bad_blocks");
        foreach (PhysicalRange range in pmem.Picture.BadBlocks.Ranges.Take(BadBlockCount))
        {
            json.WriteStartObject();
            json.WriteString("start", Sizes.Hex(range.Start));
            json.WriteString("end", Sizes.Hex(range.End));
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNumber("bad_blocks_left_out", Math.Max(0, pmem.Picture.BadBlocks.Ranges.Count - BadBlockCount));
        json.WriteStartArray("findings");
        foreach (Finding finding in pmem.Answer.Findings.Concat(pmem.Picture.BadBlocks.Problems))
            json.WriteStringValue(finding.ToString());
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteStates(Utf8JsonWriter json)
    {
        json.WriteStartArray("states");
        foreach (MapState state in MapStates.All)
        {
            json.WriteStartObject();
            json.WriteString("key", state.Key);
            json.WriteString("name", state.Name);
            json.WriteString("light", MapColors.Css(state.Light));
            json.WriteString("dark", MapColors.Css(state.Dark));
            json.WriteString("texture", state.Texture.ToString().ToLowerInvariant());
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartArray("marks");
        foreach (MapMark mark in MapStates.Marks)
        {
            json.WriteStartObject();
            json.WriteString("key", mark.Key);
            json.WriteString("name", mark.Name);
            json.WriteString("letter", mark.Letter.ToString());
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void Write(Utf8JsonWriter json, MapPmem pmem, PmemPictureArea area)
    {
        PmemNamespaceInfo? info = pmem.InfoOf(area);
        json.WriteStartObject();
        json.WriteString("namespace", info?.Name);
        json.WriteString("name", pmem.NameOf(area));
        json.WriteString("description", pmem.DescriptionOf(area));
        json.WriteString("mode", info?.Mode);
        json.WriteString("damage", info?.Damage);
        json.WriteNumber("start_pfn", area.Pages.Start);
        json.WriteNumber("pages", area.Pages.Count);
        json.WriteNumber("cell_pages", 1UL << area.CellShift);
        json.WriteStartObject("totals");
        foreach (MapState state in MapStates.All)
        {
            if (area.Total(state.Class) is > 0 and var pages)
                json.WriteNumber(state.Key, pages);
        }

        foreach (MapMark mark in MapStates.Marks)
        {
            if (area.Total(mark.Mark) is > 0 and var pages)
                json.WriteNumber(mark.Key, pages);
        }

        json.WriteEndObject();
        json.WriteStartArray("cells");
        for (int cell = 0; cell < area.CellCount;)
        {
            string text = TextOf(area, cell);
            int next = cell + 1;
            while (next < area.CellCount && TextOf(area, next) == text)
                next++;
            json.WriteStringValue(string.Create(CultureInfo.InvariantCulture, $"{next - cell}:{text}"));
            cell = next;
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static string TextOf(PmemPictureArea area, int cell)
    {
        var text = new StringBuilder();
        for (int i = 0; i < MapStates.All.Count; i++)
        {
            if (area[cell, MapStates.All[i].Class] is > 0 and var pages)
                text.Append(CultureInfo.InvariantCulture, $"{(char)('a' + i)}{pages}");
        }

        foreach (MapMark mark in MapStates.Marks)
        {
            if (area[cell, mark.Mark] is > 0 and var pages)
                text.Append(CultureInfo.InvariantCulture, $"{mark.Letter}{pages}");
        }

        return text.ToString();
    }

    private static void Write(Utf8JsonWriter json, MapPmem pmem, MapFile file)
    {
        PmemFileInfo info = file.Info;
        json.WriteStartObject();
        json.WriteString("kind", info.Kind);
        json.WriteString("name", file.Name);
        json.WriteString("path", info.Path);
        json.WriteBoolean("deleted", info.Deleted);
        if (info.Inode is { } inode)
            json.WriteNumber("inode", inode);
        else
            json.WriteNull("inode");
        json.WriteString("device", info.Device);
        json.WriteString("file_system", info.FileSystem);
        json.WriteNumber("pages", info.Pages);
        json.WriteNumber("shared_pages", info.SharedPages);
        json.WriteNumber("pinned_pages", info.PinnedPages);
        json.WriteStartArray("ranges");
        foreach (MapFileRange range in file.Ranges)
        {
            json.WriteStartObject();
            json.WriteNumber("file_page", range.FilePage);
            json.WriteNumber("pfn", range.Pages.Start);
            json.WriteNumber("pages", range.Pages.Count);
            json.WriteBoolean("shared", range.IsShared);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNumber("ranges_left_out", file.RangesLeftOut);
        int count = 0;
        json.WriteStartArray("processes");
        foreach (PmemProcessInfo process in pmem.Answer.Processes)
        {
            foreach (PmemAreaInfo area in process.Areas.Where(a => a.Mapping == info.Mapping))
            {
                if (count++ >= ProcessesOfFile)
                    continue;
                json.WriteStartObject();
                json.WriteNumber("pid", process.Pid);
                json.WriteString("name", process.Name);
                json.WriteNumber("file_page", area.FilePage);
                json.WriteNumber("pages", (area.End - area.Start) / (ulong)pmem.Answer.PageSize);
                json.WriteEndObject();
            }
        }

        json.WriteEndArray();
        json.WriteNumber("processes_left_out", Math.Max(0, count - ProcessesOfFile));
        json.WriteEndObject();
    }
}
