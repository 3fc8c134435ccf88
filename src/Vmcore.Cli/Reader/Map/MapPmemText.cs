using System.Globalization;
using System.Text;
using Vmcore.Picture;
using Vmcore.Ranges;

namespace Vmcore.Cli.Reader.Map;

/// <summary>The pmem in the summary that <c>vmcore map</c> shows without a picture.</summary>
internal static class MapPmemText
{
    private const int Bars = 64;

    internal static string Build(MapPmem pmem, int pageShift, TextStyle style)
    {
        var text = new StringBuilder();
        ulong most = pmem.Picture.Areas.Select(static a => MapStates.All.Max(s => a.Total(s.Class))).Append(1UL).Max();
        foreach (PmemPictureArea area in pmem.Picture.Areas)
        {
            PhysicalRange bytes = area.Pages.ToPhysical(pageShift);
            text.Append(style.Bold($"Persistent memory {pmem.NameOf(area)} {Sizes.Hex(bytes.Start)}-{Sizes.Hex(bytes.End)}"))
                .Append(CultureInfo.InvariantCulture, $": {pmem.DescriptionOf(area)}\n");
            var table = new TextTable(style, "  ", ">SIZE", "");
            foreach (MapState state in MapStates.All)
            {
                if (area.Total(state.Class) is > 0 and var pages)
                    table.Add("  " + state.Name, Sizes.Text(pages << pageShift), new string('#', (int)Math.Max(1, pages * Bars / most)));
            }

            foreach (MapMark mark in MapStates.Marks)
            {
                if (area.Total(mark.Mark) is > 0 and var pages)
                    table.Add("  of it " + mark.Name, Sizes.Text(pages << pageShift), "");
            }

            text.Append(table).Append('\n');
        }

        return text.ToString();
    }
}
