using System.CommandLine;
using System.Globalization;
using System.Text;
using Vmcore.Cli.Code;
using Vmcore.IO;
using Vmcore.Memmap;
using Vmcore.Picture;

namespace Vmcore.Cli.Reader.Map;

/// <summary><c>vmcore map FILE [-o PICTURE]</c></summary>
internal static class MapCommand
{
    private const int Bars = 64;
    private const int DefaultLevel = 31;

    internal static Command Create()
    {
        var output = new Option<string?>("--output", "-o")
        {
            Description = "Write a picture: NAME.html (zoom and search, nothing else is needed), NAME.svg or NAME.png. Without it a summary is shown.",
            HelpName = "PICTURE",
        };
        var level = NumberOption.Create("--level", "DL", "The dump level at which kept and left out are shown (0 to 63); 31 if not given.", (int)DumpLevel.All);
        var force = new Option<bool>("--force", "-f") { Description = "Overwrite PICTURE." };
        var command = new ReaderCommand(
            "map",
            "Draw physical memory: what is where, and what a dump keeps.",
            context => !CodeFeature.IsIncluded ? CodeFeature.Refuse("map")
                : Run(context, context.Parsed.GetValue(output), context.Parsed.GetValue(level) ?? DefaultLevel, context.Parsed.GetValue(force)));
        command.Add(output);
        command.Add(level);
        command.Add(force);
        return command;
    }

    private static int Run(ReaderContext context, string? output, int number, bool force)
    {
        string kind = output is null ? "" : Path.GetExtension(output).ToUpperInvariant();
        if (output is not null && kind is not (".HTML" or ".SVG" or ".PNG"))
        {
            ReaderContext.Warn($"--output: found '{output}', expected a name that ends with .html, .svg or .png");
            return 1;
        }

        if (output is null)
            StandardStreams.RequireOutput();
        else
            OwnInput.Refuse(output, context.Inputs, "picture");
        var level = (DumpLevel)number;
        MemoryPicture picture;
        MapPmem pmem;
        using (var status = new StatusLine("Reading struct pages"))
            picture = PictureBuilder.Build(context.Dump, status.Show);
        using (var status = new StatusLine("Reading struct pages of pmem"))
            pmem = new(context.Dump, PmemPictureBuilder.Build(context.Dump, status.Show));
        if (output is not null)
        {
            using FileSink sink = FileSink.Create(output, force);
            byte[] bytes = kind switch
            {
                ".HTML" => Encoding.UTF8.GetBytes(MapHtml.Build(context.Dump, picture, pmem, level)),
                ".SVG" => Encoding.UTF8.GetBytes(MapSvg.Build(context.Dump, picture, pmem, level)),
                _ => MapPng.Build(context.Dump, picture, pmem, level),
            };
            sink.Write(0, bytes);
            sink.Complete(bytes.Length);
        }

        context.Gap(context.Dump.ClassificationProblem);
        context.Gap(context.Dump.Resources?.Problem);
        if (pmem.Picture.Areas.Count > 0)
            context.Gap(pmem.Answer.Findings.Concat(pmem.Picture.BadBlocks.Problems).Where(static f => f.MeansMissing));
        if (context.IsJson)
            ReaderContext.Write(MapData.Build(context.Dump, picture, pmem, level, indented: true, context.Gaps) + "\n");
        else if (output is null)
            ReaderContext.Write(Text(picture, level, context.Style) + MapPmemText.Build(pmem, picture.PageShift, context.Style));
        return 0;
    }

    private static string Text(MemoryPicture picture, DumpLevel level, TextStyle style)
    {
        var text = new StringBuilder();
        ulong most = picture.Regions.Select(r => r.Totals.Max()).Append(1UL).Max();
        foreach (PictureRegion region in picture.Regions)
        {
            text.Append(style.Bold($"{region.Name} {Sizes.Hex(region.Pages.Start << picture.PageShift)}-{Sizes.Hex(region.Pages.End << picture.PageShift)}, "
                + $"{Sizes.Text(region.Pages.Count << picture.PageShift)}"))
                .Append(CultureInfo.InvariantCulture, $", {Sizes.Text(region.Present << picture.PageShift)} in this dump")
                .Append(region.Lost == 0 ? "" : $", {Sizes.Text(region.Lost << picture.PageShift)} lost")
                .Append(region.Name == MemoryPicture.CrashKernel ? ": it is in no dump that its own machine takes\n" : "\n");
            var table = new TextTable(style, "  ", ">SIZE", "LEVEL " + ((int)level).ToString(CultureInfo.InvariantCulture), "");
            foreach (MapClass item in MapColors.All)
            {
                ulong pages = region.Totals[(int)item.Class];
                if (pages > 0)
                    table.Add("  " + item.Name, Sizes.Text(pages << picture.PageShift),
                        MemoryPicture.IsLeftOut(item.Class, level) ? "left out" : "kept", new string('#', (int)Math.Max(1, pages * Bars / most)));
            }

            text.Append(table).Append('\n');
        }

        return text.ToString();
    }
}
