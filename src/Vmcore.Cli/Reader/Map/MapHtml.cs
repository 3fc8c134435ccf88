using System.Net;
using Vmcore.Memmap;
using Vmcore.Picture;

namespace Vmcore.Cli.Reader.Map;

/// <summary>The picture as a page that needs nothing else: data, style and script are in it.</summary>
internal static class MapHtml
{
    /// <summary>Builds it.</summary>
    internal static string Build(CrashDump dump, MemoryPicture picture, MapPmem pmem, DumpLevel level)
    {
        // In a script element nothing but its end tag counts.
        string data = MapData.Build(dump, picture, pmem, level, indented: false).Replace("<", "\\u003c", StringComparison.Ordinal);
        return Resource("map.html")
            .Replace("{{title}}", WebUtility.HtmlEncode($"Physical memory of {dump.VmcoreInfo?.OsRelease ?? dump.Name}"), StringComparison.Ordinal)
            .Replace("{{pmem}}", Resource("map-pmem.js"), StringComparison.Ordinal)
            .Replace("{{data}}", data, StringComparison.Ordinal);
    }

    private static string Resource(string name)
    {
        using Stream resource = typeof(MapHtml).Assembly.GetManifestResourceStream(name)
            ?? throw new MissingInformationException("the executable lacks the page of vmcore map");
        using var reader = new StreamReader(resource);
        return reader.ReadToEnd();
    }
}
