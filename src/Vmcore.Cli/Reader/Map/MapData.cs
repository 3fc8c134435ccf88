using System.Globalization;
using System.Text;
using System.Text.Json;
using Vmcore.Cli.Json;
using Vmcore.Findings;
using Vmcore.Memmap;
using Vmcore.Picture;

namespace Vmcore.Cli.Reader.Map;

/// <summary>The picture as JSON: what the page draws, and what <c>--json</c> gives.</summary>
internal static class MapData
{
    /// <summary>Pages that a dump of a level has.</summary>
    internal static ulong Kept(MemoryPicture picture, DumpLevel level) =>
        picture.Regions.Aggregate(0UL, (sum, region) => sum
            + MapColors.All.Where(c => !MemoryPicture.IsLeftOut(c.Class, level)).Aggregate(0UL, (inner, c) => inner + region.Totals[(int)c.Class]));

    /// <summary>Builds it.</summary>
    /// <param name="dump">The dump.</param>
    /// <param name="picture">The picture of it.</param>
    /// <param name="pmem">The picture of its pmem.</param>
    /// <param name="level">The dump level that is shown first.</param>
    /// <param name="indented">True for people.</param>
    /// <param name="gaps">What is missing of the answer; null for the page, which does not say it.</param>
    internal static string Build(CrashDump dump, MemoryPicture picture, MapPmem pmem, DumpLevel level, bool indented, IReadOnlyList<Finding>? gaps = null)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new() { Indented = indented }))
        {
            json.WriteStartObject();
            json.WriteNumber("schema", 1);
            json.WriteString("command", "map");
            json.WriteString("file", dump.Name);
            if (gaps is not null)
            {
                json.WriteStartArray("gaps");
                foreach (Finding gap in gaps)
                    json.WriteStringValue(gap.ToString());
                json.WriteEndArray();
                json.WriteStartArray("gap_codes");
                foreach (Finding gap in gaps)
                    json.WriteStringValue(JsonText.NameOf(gap));
                json.WriteEndArray();
            }

            json.WriteString("release", dump.VmcoreInfo?.OsRelease);
            if (dump.VmcoreInfo?.CrashTime is { } time)
                json.WriteNumber("crash_time", time);
            else
                json.WriteNull("crash_time");
            json.WriteNumber("page_size", dump.Memory.PageSize);
            json.WriteNumber("level", (int)level);
            json.WriteStartArray("classes");
            foreach (MapClass item in MapColors.All)
            {
                json.WriteStartObject();
                json.WriteString("key", item.Key);
                json.WriteString("name", item.Name);
                json.WriteString("left_out", item.Rule);
                json.WriteString("light", MapColors.Css(item.Light));
                json.WriteString("dark", MapColors.Css(item.Dark));
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteStartArray("regions");
            foreach (PictureRegion region in picture.Regions)
                Write(json, region);
            json.WriteEndArray();
            json.WriteStartArray("marks");
            foreach (PictureMark mark in picture.Marks)
            {
                json.WriteStartObject();
                json.WriteString("name", mark.Name);
                json.WriteString("start", Sizes.Hex(mark.Range.Start));
                json.WriteString("end", Sizes.Hex(mark.Range.End));
                json.WriteNumber("depth", mark.Depth);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            MapPmemData.Write(json, pmem);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static void Write(Utf8JsonWriter json, PictureRegion region)
    {
        IReadOnlyList<ulong> totals = region.Totals;
        json.WriteStartObject();
        json.WriteString("name", region.Name);
        json.WriteBoolean("pmem", region.IsPmem);
        json.WriteNumber("start_pfn", region.Pages.Start);
        json.WriteNumber("pages", region.Pages.Count);
        json.WriteNumber("pages_in_dump", region.Present);
        json.WriteNumber("pages_lost", region.Lost);
        json.WriteNumber("cell_pages", 1UL << region.CellShift);
        json.WriteStartObject("totals");
        foreach (MapClass item in MapColors.All)
        {
            if (totals[(int)item.Class] > 0)
                json.WriteNumber(item.Key, totals[(int)item.Class]);
        }

        json.WriteEndObject();

        // Runs of equal cells: number of cells, then the shares of the classes in 255ths, those that are there; then that of what the dump has.
        json.WriteStartArray("cells");
        for (int cell = 0; cell < region.CellCount;)
        {
            string shares = Shares(region, cell);
            int next = cell + 1;
            while (next < region.CellCount && Shares(region, next) == shares)
                next++;
            json.WriteStringValue(string.Create(CultureInfo.InvariantCulture, $"{next - cell}:{shares}"));
            cell = next;
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static string Shares(PictureRegion region, int cell)
    {
        ulong pages = Math.Min(1UL << region.CellShift, region.Pages.Count - ((ulong)cell << region.CellShift));
        var text = new StringBuilder();
        for (int i = 0; i < MapColors.All.Count; i++)
        {
            uint count = region[cell, MapColors.All[i].Class];
            if (count > 0)
                text.Append(CultureInfo.InvariantCulture, $"{(char)('a' + i)}{Math.Max(1, count * 255UL / pages)}");
        }

        uint present = region.PresentIn(cell);
        return text.Append(CultureInfo.InvariantCulture, $"z{(present == 0 ? 0 : Math.Max(1, present * 255UL / pages))}").ToString();
    }
}
