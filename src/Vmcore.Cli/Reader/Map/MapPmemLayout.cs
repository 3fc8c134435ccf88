using System.Globalization;
using Vmcore.Picture;
using Vmcore.Ranges;

namespace Vmcore.Cli.Reader.Map;

/// <summary>The pmem in a still picture: each namespace in a frame, what is in it by use, and its files by name.</summary>
internal static class MapPmemLayout
{
    private const int Margin = 24, Cell = 8, Gap = 1, Columns = 127, LineHeight = 22, Padding = 5, CellCount = 6144, FileLines = 12;

    /// <summary>Draws it.</summary>
    /// <param name="canvas">Receives it; null to learn its height only.</param>
    /// <param name="pmem">The pmem.</param>
    /// <param name="pageShift">log2 of the page size in bytes.</param>
    /// <param name="y">Where it begins.</param>
    /// <returns>Where it ends.</returns>
    internal static int Draw(IMapCanvas? canvas, MapPmem pmem, int pageShift, int y)
    {
        PmemPicture picture = pmem.Picture;
        if (picture.Areas.Count == 0)
            return y;
        y += 16;
        canvas?.Text(Margin, y, "Persistent memory: what its pages were used for", strong: true);
        y += LineHeight + 4;
        y = Legend(canvas, picture, pageShift, y);
        int group = 0;
        while (picture.Areas.Sum(a => (a.CellCount >> group) + Columns) > CellCount && group < 14)
            group++;
        foreach (PmemPictureArea area in picture.Areas)
            y = Area(canvas, pmem, area, group, pageShift, y);
        return Files(canvas, pmem, pageShift, y);
    }

    private static int Legend(IMapCanvas? canvas, PmemPicture picture, int pageShift, int y)
    {
        const int Column = 580, Each = 2;
        int at = 0;
        foreach (MapState state in MapStates.All)
        {
            ulong pages = picture.Areas.Aggregate(0UL, (sum, a) => sum + a.Total(state.Class));
            if (pages == 0)
                continue;
            int x = Margin + (at % Each * Column), top = y + (at / Each * LineHeight);
            canvas?.State(x, top + 1, 14, 14, state);
            canvas?.Text(x + 22, top, $"{state.Name}  {Sizes.Text(pages << pageShift)}", strong: false);
            at++;
        }

        foreach (MapMark mark in MapStates.Marks)
        {
            ulong pages = picture.Areas.Aggregate(0UL, (sum, a) => sum + a.Total(mark.Mark));
            if (pages == 0)
                continue;
            int x = Margin + (at % Each * Column), top = y + (at / Each * LineHeight);
            canvas?.Mark(x + 3, top + 4, mark);
            canvas?.Text(x + 22, top, $"{mark.Name}  {Sizes.Text(pages << pageShift)}", strong: false);
            at++;
        }

        return y + ((at + Each - 1) / Each * LineHeight) + 6;
    }

    private static int Area(IMapCanvas? canvas, MapPmem pmem, PmemPictureArea area, int group, int pageShift, int y)
    {
        PhysicalRange bytes = area.Pages.ToPhysical(pageShift);
        y += 8;
        canvas?.Text(Margin, y, pmem.NameOf(area), strong: true);
        y += LineHeight;
        canvas?.Text(Margin, y, $"{pmem.DescriptionOf(area)}; {Sizes.Hex(bytes.Start)} - {Sizes.Hex(bytes.End)}, "
            + $"{Sizes.Text(1UL << (area.CellShift + group + pageShift))} a cell", strong: false);
        y += LineHeight;
        int count = (area.CellCount + (1 << group) - 1) >> group, rows = (count + Columns - 1) / Columns,
            height = (rows * (Cell + Gap)) - Gap + (2 * Padding);
        canvas?.Frame(Margin, y, (Math.Min(count, Columns) * (Cell + Gap)) - Gap + (2 * Padding), height);
        for (int i = 0; i < count && canvas is not null; i++)
        {
            int x = Margin + Padding + (i % Columns * (Cell + Gap)), top = y + Padding + (i / Columns * (Cell + Gap));
            DrawCell(canvas, pmem, area, i << group, Math.Min(area.CellCount, (i + 1) << group), x, top);
        }

        canvas?.Hint(null);
        return y + height + 6;
    }

    private static void DrawCell(IMapCanvas canvas, MapPmem pmem, PmemPictureArea area, int first, int last, int x, int y)
    {
        ulong total = Math.Max(1, area.CellPages(last - 1).End - area.CellPages(first).Start), sum = 0;
        int done = 0;
        canvas.Hint(pmem.HintOf(area, first, last));
        foreach (MapState state in MapStates.All)
        {
            sum += MapPmem.Count(area, first, last, state.Class);
            int to = (int)Math.Min(Cell, sum * Cell / total);
            if (to > done)
                canvas.State(x, y + done, Cell, to - done, state);
            done = Math.Max(done, to);
        }

        // One failed page in a cell of thousands is to be seen; the worst one.
        foreach (MapMark mark in MapStates.Marks)
        {
            for (int cell = first; cell < last; cell++)
            {
                if (area[cell, mark.Mark] == 0)
                    continue;
                canvas.Mark(x, y, mark);
                return;
            }
        }
    }

    private static int Files(IMapCanvas? canvas, MapPmem pmem, int pageShift, int y)
    {
        if (pmem.Files.Count == 0)
            return y;
        y += 8;
        canvas?.Text(Margin, y, "Files and devices that were mapped", strong: true);
        y += LineHeight;
        foreach (MapFile file in pmem.Files.Take(FileLines))
        {
            int processes = pmem.Answer.Processes.Count(p => p.Areas.Any(a => a.Mapping == file.Info.Mapping));
            ulong shared = file.Info.SharedPages, pinned = file.Info.PinnedPages;
            canvas?.Text(Margin, y, string.Create(CultureInfo.InvariantCulture, $"{Sizes.Text((file.Info.Pages + shared) << pageShift),-11}"
                + $"{file.Name}, mapped by {(processes == 1 ? "1 process" : $"{processes} processes")}"
                + $"{(shared > 0 ? $", {Sizes.Text(shared << pageShift)} shared" : "")}"
                + $"{(pinned > 0 ? $", {Sizes.Text(pinned << pageShift)} pinned" : "")}"), strong: false);
            y += LineHeight;
        }

        int rest = pmem.Files.Count + pmem.FilesLeftOut - FileLines;
        if (rest > 0)
            canvas?.Text(Margin, y, string.Create(CultureInfo.InvariantCulture, $"... {rest} more"), strong: false);
        return rest > 0 ? y + LineHeight : y;
    }
}
