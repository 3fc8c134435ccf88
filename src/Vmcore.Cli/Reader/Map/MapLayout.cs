using System.Globalization;
using Vmcore.Memmap;
using Vmcore.Picture;

namespace Vmcore.Cli.Reader.Map;

/// <summary>Draws the parts of a still picture: the same layout for SVG and PNG. All in pixels.</summary>
internal interface IMapCanvas
{
    /// <summary>Fills a rectangle with the colour of a class; one that is left out is drawn so that it shows.</summary>
    void Cell(int x, int y, int width, int height, MapClass page, bool leftOut);

    /// <summary>Writes a line of text with its top at <paramref name="y"/>.</summary>
    void Text(int x, int y, string text, bool strong);

    /// <summary>Fills a rectangle with the colour and the texture of a use of pmem.</summary>
    void State(int x, int y, int width, int height, MapState state);

    /// <summary>Draws a mark over a cell of 8 by 8.</summary>
    void Mark(int x, int y, MapMark mark);

    /// <summary>Draws a frame.</summary>
    void Frame(int x, int y, int width, int height);

    /// <summary>What is shown to whoever points at what follows; null to end it.</summary>
    void Hint(string? text);
}

/// <summary>Where everything is in a still picture.</summary>
internal static class MapLayout
{
    internal const int Width = 1200;
    private const int Margin = 24, Cell = 8, Gap = 1, Columns = 128, LineHeight = 22, MostCells = 6144;

    /// <summary>Draws a picture.</summary>
    /// <param name="canvas">Receives it; null to learn its height only.</param>
    /// <param name="dump">The dump.</param>
    /// <param name="picture">The picture of it.</param>
    /// <param name="pmem">The picture of its pmem.</param>
    /// <param name="level">The dump level.</param>
    /// <returns>The height.</returns>
    internal static int Draw(IMapCanvas? canvas, CrashDump dump, MemoryPicture picture, MapPmem pmem, DumpLevel level)
    {
        ulong all = picture.Regions.Aggregate(0UL, static (sum, r) => sum + r.Pages.Count), kept = MapData.Kept(picture, level);
        int y = Margin;
        canvas?.Text(Margin, y, $"Physical memory of {dump.VmcoreInfo?.OsRelease ?? "an unknown kernel"}", strong: true);
        y += LineHeight;
        canvas?.Text(Margin, y, string.Create(CultureInfo.InvariantCulture,
            $"{Size(picture, all)}; a dump at level {(int)level} has {Size(picture, kept)} of it. Hatched: left out."), strong: false);
        y += LineHeight + 8;
        y = Legend(canvas, picture, level, y);
        int group = 0;
        while (picture.Regions.Sum(r => (r.CellCount >> group) + Columns) > MostCells && group < 14)
            group++;
        ulong end = 0;
        foreach (PictureRegion region in picture.Regions)
        {
            y += 10;
            if (region.Pages.Start > end)
            {
                canvas?.Text(Margin, y, $"no memory, {Size(picture, region.Pages.Start - end)}", strong: false);
                y += LineHeight;
            }

            end = region.Pages.End;
            canvas?.Text(Margin, y,
                $"{region.Name}  {Sizes.Hex(region.Pages.Start << picture.PageShift)} - {Sizes.Hex(region.Pages.End << picture.PageShift)}  "
                    + $"{Size(picture, region.Pages.Count)}, {Size(picture, 1UL << (region.CellShift + group))} a cell", strong: true);
            y += LineHeight;
            y = Cells(canvas, region, group, level, y);
        }

        return MapPmemLayout.Draw(canvas, pmem, picture.PageShift, y) + Margin;
    }

    private static string Size(MemoryPicture picture, ulong pages) => Sizes.Text(pages << picture.PageShift);

    private static int Legend(IMapCanvas? canvas, MemoryPicture picture, DumpLevel level, int y)
    {
        const int Column = 380;
        int at = 0;
        foreach (MapClass item in MapColors.All)
        {
            ulong pages = picture.Regions.Aggregate(0UL, (sum, r) => sum + r.Totals[(int)item.Class]);
            if (pages == 0)
                continue;
            int x = Margin + (at % 3 * Column), top = y + (at / 3 * LineHeight);
            bool leftOut = MemoryPicture.IsLeftOut(item.Class, level);
            canvas?.Cell(x, top + 1, 14, 14, item, leftOut);
            canvas?.Text(x + 22, top, $"{item.Name}  {Size(picture, pages)}", strong: false);
            at++;
        }

        return y + ((at + 2) / 3 * LineHeight) + 6;
    }

    private static int Cells(IMapCanvas? canvas, PictureRegion region, int group, DumpLevel level, int y)
    {
        int count = (region.CellCount + (1 << group) - 1) >> group;
        Span<ulong> counts = stackalloc ulong[MapColors.All.Count];
        int poisoned = MapColors.IndexOf(PictureClass.HwPoison);
        for (int i = 0; i < count && canvas is not null; i++)
        {
            int x = Margin + (i % Columns * (Cell + Gap)), top = y + (i / Columns * (Cell + Gap));
            int first = i << group, last = Math.Min(region.CellCount, (i + 1) << group);
            ulong total = 0;
            counts.Clear();
            for (int cell = first; cell < last; cell++)
            {
                for (int c = 0; c < counts.Length; c++)
                {
                    counts[c] += region[cell, MapColors.All[c].Class];
                    total += region[cell, MapColors.All[c].Class];
                }
            }

            int done = 0;
            ulong sum = 0;
            for (int c = 0; c < counts.Length && total > 0; c++)
            {
                sum += counts[c];
                int to = (int)(sum * Cell / total);
                if (to > done)
                    canvas.Cell(x, top + done, Cell, to - done, MapColors.All[c], MemoryPicture.IsLeftOut(MapColors.All[c].Class, level));
                done = to;
            }

            // One failed page in a cell of thousands is to be seen.
            if (counts[poisoned] > 0)
                canvas.Cell(x, top, Cell, Math.Max(2, (int)(counts[poisoned] * Cell / total)), MapColors.All[poisoned], leftOut: false);
        }

        return y + ((count + Columns - 1) / Columns * (Cell + Gap));
    }
}
