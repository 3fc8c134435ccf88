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
    private string? _hint;

    /// <summary>Draws it.</summary>
    internal static string Build(CrashDump dump, MemoryPicture picture, MapPmem pmem, DumpLevel level)
    {
        var canvas = new MapSvg();
        int height = MapLayout.Draw(canvas, dump, picture, pmem, level);
        canvas.Flush();
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" "
            + $"viewBox=\"0 0 {MapLayout.Width} {height}\" width=\"{MapLayout.Width}\" height=\"{height}\" role=\"img\">\n");
        text.Append(CultureInfo.InvariantCulture,
            $"<title>Physical memory of {Encode(dump.VmcoreInfo?.OsRelease ?? "an unknown kernel")}</title>\n<style>\n");
        text.Append("text{font:14px system-ui,sans-serif;fill:#1b1f24}.s{font-weight:600}.bg{fill:#fff}.h{fill:url(#h)}\n"
            + ".f{fill:none;stroke:#5b6470;stroke-width:1.5}.m{stroke:#fff;stroke-width:3;paint-order:stroke}\n");
        Colors(text, isDark: false);
        text.Append("@media (prefers-color-scheme:dark){text{fill:#e6e9ee}.bg{fill:#14171b}.f{stroke:#98a2af}.m{stroke:#14171b}\n");
        Colors(text, isDark: true);
        text.Append("}\n</style>\n<defs><pattern id=\"h\" width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\" "
            + "patternTransform=\"rotate(45)\"><rect width=\"1.5\" height=\"4\" fill=\"#fff\" fill-opacity=\".55\"/></pattern>\n");
        Definitions(text);
        text.Append("</defs>\n");
        text.Append("<rect class=\"bg\" width=\"100%\" height=\"100%\"/>\n").Append(canvas._body).Append("</svg>\n");
        return text.ToString();
    }

    private static void Colors(StringBuilder text, bool isDark)
    {
        foreach (MapClass item in MapColors.All)
            text.Append(CultureInfo.InvariantCulture, $".{item.Key}{{fill:{MapColors.Css(isDark ? item.Dark : item.Light)}}}\n");
        foreach (MapState state in MapStates.All)
            text.Append(CultureInfo.InvariantCulture, $".u-{state.Key}{{fill:{MapColors.Css(isDark ? state.Dark : state.Light)}}}\n");
        text.Append(CultureInfo.InvariantCulture, $".m{{fill:{MapColors.Css(isDark ? MapStates.AlarmDark : MapStates.Alarm)}}}"
            + $".m-pinned{{fill:{(isDark ? "#fff" : "#1b1f24")}}}\n");
    }

    // A texture is a light and a dark line beside each other: one of the two shows on any colour.
    private static void Definitions(StringBuilder text)
    {
        foreach (MapTexture texture in Enum.GetValues<MapTexture>())
        {
            if (texture == MapTexture.None)
                continue;
            string angle = texture switch
            {
                MapTexture.Slashes or MapTexture.Cross => "45",
                MapTexture.Backslashes => "-45",
                MapTexture.Lines => "90",
                _ => "0",
            };
            int length = texture == MapTexture.Dots ? 1 : 4;
            text.Append(CultureInfo.InvariantCulture, $"<pattern id=\"t{(int)texture}\" width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\" "
                + $"patternTransform=\"rotate({angle})\">"
                + $"<rect width=\"1\" height=\"{length}\" fill=\"#fff\" fill-opacity=\".6\"/>"
                + $"<rect x=\"1\" width=\"1\" height=\"{length}\" fill-opacity=\".4\"/>"
                + $"{(texture == MapTexture.Cross ? "<rect width=\"4\" height=\"1\" fill=\"#fff\" fill-opacity=\".6\"/>" : "")}</pattern>\n");
        }

        foreach (MapMark mark in MapStates.Marks)
        {
            text.Append(CultureInfo.InvariantCulture, $"<path id=\"m-{mark.Key}\" class=\"m m-{mark.Key}\" d=\"");
            for (int row = 0; row < mark.Rows.Length; row++)
            {
                for (int column = 0; column < 7; column++)
                {
                    if ((mark.Rows[row] >> (6 - column) & 1) != 0)
                        text.Append(CultureInfo.InvariantCulture, $"M{column} {row}h1v1h-1z");
                }
            }

            text.Append("\"/>\n");
        }
    }

    // Names in the dump may be any bytes; most control characters have no place in XML.
    private static string Encode(string text) =>
        WebUtility.HtmlEncode(string.Concat(text.Select(static c => char.IsControl(c) || char.IsSurrogate(c) || c > '\ufffd' ? '?' : c)));

    /// <inheritdoc/>
    public void State(int x, int y, int width, int height, MapState state) =>
        Add(x, y, width, height, $"u-{state.Key}{(state.Texture == MapTexture.None ? "" : $" {(int)state.Texture}")}");

    /// <inheritdoc/>
    public void Mark(int x, int y, MapMark mark)
    {
        Flush();
        _body.Append(CultureInfo.InvariantCulture, $"<use href=\"#m-{mark.Key}\" x=\"{x}\" y=\"{y}\"/>\n");
    }

    /// <inheritdoc/>
    public void Frame(int x, int y, int width, int height)
    {
        Flush();
        _body.Append(CultureInfo.InvariantCulture, $"<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"3\" class=\"f\"/>\n");
    }

    /// <inheritdoc/>
    public void Hint(string? text)
    {
        if (text == _hint)
            return;
        Flush();
        _body.Append(_hint is null ? "" : "</g>\n");
        if (text is not null)
            _body.Append(CultureInfo.InvariantCulture, $"<g><title>{Encode(text)}</title>\n");
        _hint = text;
    }

    /// <inheritdoc/>
    public void Cell(int x, int y, int width, int height, MapClass page, bool leftOut)
    {
        Add(x, y, width, height, page.Key + (leftOut ? " " : ""));
    }

    private void Add(int x, int y, int width, int height, string style)
    {
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
        _body.Append(CultureInfo.InvariantCulture, $"<text x=\"{x}\" y=\"{y + 13}\"{(strong ? " class=\"s\"" : "")}>{Encode(text)}</text>\n");

    private void Flush()
    {
        if (_run is not { } run)
            return;
        _run = null;
        string place = string.Create(CultureInfo.InvariantCulture, $"x=\"{run.X}\" y=\"{run.Y}\" width=\"{run.Width}\" height=\"{run.Height}\"");
        int space = run.Style.IndexOf(' ', StringComparison.Ordinal);
        _body.Append(CultureInfo.InvariantCulture, $"<rect {place} class=\"{(space < 0 ? run.Style : run.Style[..space])}\"/>\n");
        if (space == run.Style.Length - 1)
            _body.Append(CultureInfo.InvariantCulture, $"<rect {place} class=\"h\"/>\n");
        else if (space >= 0)
            _body.Append(CultureInfo.InvariantCulture, $"<rect {place} fill=\"url(#t{run.Style.AsSpan(space + 1)})\"/>\n");
    }
}
