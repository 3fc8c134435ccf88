using System.Net;
using Vmcore.Memmap;
using Vmcore.Picture;

namespace Vmcore.Cli.Reader.Map;

/// <summary>The picture as a page that needs nothing else: data, style and script are in it.</summary>
internal static class MapHtml
{
    /// <summary>Builds it.</summary>
    internal static string Build(CrashDump dump, MemoryPicture picture, DumpLevel level)
    {
        using Stream resource = typeof(MapHtml).Assembly.GetManifestResourceStream("map.html")
            ?? throw new MissingInformationException("the executable lacks the page of vmcore map");
        using var reader = new StreamReader(resource);

        // In a script element nothing but its end tag counts.
        string data = MapData.Build(dump, picture, level, indented: false).Replace("<", "\\u003c", StringComparison.Ordinal);
        return reader.ReadToEnd()
            .Replace("{{title}}", WebUtility.HtmlEncode($"Physical memory of {dump.VmcoreInfo?.OsRelease ?? dump.Name}"), StringComparison.Ordinal)
            .Replace("{{data}}", data, StringComparison.Ordinal);
    }
}
