using System.Globalization;
using System.Net;
using System.Text;
using Vmcore.Memmap;
using Vmcore.Picture;

namespace Vmcore.Cli.Reader.Map;

/// <summary>The picture as SVG: light or dark as the viewer likes it.</summary>
internal sealed class MapSvg : IMapCanvas
{
    private readonly StringBuilder _body = new();
    private (int X, int Y, int Width, int Height, string Style)? _run;

    /// <summary>Draws it.</summary>
    internal static string Build(CrashDump dump, MemoryPicture picture, DumpLevel level)
    {
        var canvas = new MapSvg();
        int height = MapLayout.Draw(canvas, dump, picture, level);
        canvas.Flush();
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" "
            + $"viewBox=\"0 0 {MapLayout.Width} {height}\" width=\"{MapLayout.Width}\" height=\"{height}\" role=\"img\">\n");
        text.Append(CultureInfo.InvariantCulture,
            $"<title>Physical memory of {WebUtility.HtmlEncode(dump.VmcoreInfo?.OsRelease ?? "an unknown kernel")}</title>\n<style>\n");
        text.Append("text{font:14px system-ui,sans-serif;fill:#1b1f24}.s{font-weight:600}.bg{fill:#fff}.h{fill:url(#h)}\n");
        foreach (MapClass item in MapColors.All)
            text.Append(CultureInfo.InvariantCulture, $".{item.Key}{{fill:{MapColors.Css(item.Light)}}}\n");
        text.Append("@media (prefers-color-scheme:dark){text{fill:#e6e9ee}.bg{fill:#14171b}\n");
        foreach (MapClass item in MapColors.All)
            text.Append(CultureInfo.InvariantCulture, $".{item.Key}{{fill:{MapColors.Css(item.Dark)}}}\n");
        text.Append("}\n</style>\n<defs><pattern id=\"h\" width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\" "
            + "patternTransform=\"rotate(45)\"><rect width=\"1.5\" height=\"4\" fill=\"#fff\" fill-opacity=\".55\"/></pattern></defs>\n");
        text.Append("<rect class=\"bg\" width=\"100%\" height=\"100%\"/>\n").Append(canvas._body).Append("</svg>\n");
        return text.ToString();
    }

    /// <inheritdoc/>
    public void Cell(int x, int y, int width, int height, MapClass page, bool leftOut)
    {
        string style = page.Key + (leftOut ? " " : "");

        // Neighbours of one kind are one rectangle, so that terabytes of one kind stay a small file.
        if (_run is { } run && run.Style == style && run.Y == y && run.Height == height && x - (run.X + run.Width) is 0 or 1)
        {
            _run = run with { Width = x + width - run.X };
            return;
        }

        Flush();
        _run = (x, y, width, height, style);
    }

    /// <inheritdoc/>
    public void Text(int x, int y, string text, bool strong) =>
        _body.Append(CultureInfo.InvariantCulture, $"<text x=\"{x}\" y=\"{y + 13}\"{(strong ? " class=\"s\"" : "")}>{WebUtility.HtmlEncode(text)}</text>\n");

    private void Flush()
    {
        if (_run is not { } run)
            return;
        _run = null;
        string place = string.Create(CultureInfo.InvariantCulture, $"x=\"{run.X}\" y=\"{run.Y}\" width=\"{run.Width}\" height=\"{run.Height}\"");
        _body.Append(CultureInfo.InvariantCulture, $"<rect {place} class=\"{run.Style.TrimEnd()}\"/>\n");
        if (run.Style.EndsWith(' '))
            _body.Append(CultureInfo.InvariantCulture, $"<rect {place} class=\"h\"/>\n");
    }
}
