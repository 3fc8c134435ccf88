using System.Buffers.Binary;
using System.Text.Json;
using System.Xml.Linq;
using Vmcore.Cli.Tests.Conformance;

namespace Vmcore.Cli.Tests.Readers;

/// <summary><c>vmcore map</c>: the numbers are those of the dumper, and the page is looked at in a real browser where there is one.</summary>
public sealed class MapCommandTests
{
    private static readonly string s_vmcore = Executable.Vmcore;

    [Fact]
    public void EveryPageIsInOneClass()
    {
        using JsonDocument answer = Map();
        JsonElement[] regions = [.. answer.RootElement.GetProperty("regions").EnumerateArray()];
        Assert.Contains(regions, r => r.GetProperty("pmem").GetBoolean() && r.GetProperty("start_pfn").GetUInt64() == 0x100000);
        foreach (JsonElement region in regions)
        {
            ulong pages = region.GetProperty("pages").GetUInt64(), cell = region.GetProperty("cell_pages").GetUInt64();
            ulong classified = region.GetProperty("totals").EnumerateObject().Aggregate(0UL, (sum, t) => sum + t.Value.GetUInt64());
            Assert.InRange(classified, pages * 9 / 10, pages);
            ulong cells = region.GetProperty("cells").EnumerateArray()
                .Aggregate(0UL, (sum, run) => sum + ulong.Parse(run.GetString()!.Split(':')[0], System.Globalization.CultureInfo.InvariantCulture));
            Assert.Equal((pages + cell - 1) / cell, cells);
        }
    }

    /// <summary>What the picture calls free, cache, user data and metadata is what the dumper counts.</summary>
    [Fact]
    public void TheNumbersAreThoseOfTheDumper()
    {
        using JsonDocument map = Map(), info = JsonDocument.Parse(Tool.Succeed(s_vmcore, "info", "--json", RealCrash.Get("sample rfc-v2-6.1").Path).Output);
        JsonElement pages = info.RootElement.GetProperty("pages");
        foreach ((string ours, string theirs) in (ReadOnlySpan<(string, string)>)[("free", "free"), ("user", "user"), ("cache", "cache"),
            ("cache_private", "cache_private"), ("pmem_metadata", "pmem_metadata"), ("pmem_user_data", "pmem_user_data")])
        {
            ulong sum = map.RootElement.GetProperty("regions").EnumerateArray()
                .Aggregate(0UL, (total, r) => total + (r.GetProperty("totals").TryGetProperty(ours, out JsonElement value) ? value.GetUInt64() : 0));
            Assert.Equal((ours, pages.GetProperty(theirs).GetUInt64()), (ours, sum));
        }
    }

    /// <summary>The area that is set aside for the crash kernel is memory: a region of its own, of which the dump has nothing.</summary>
    [Fact]
    public void TheCrashKernelHasARegion()
    {
        using JsonDocument map = Map();
        JsonElement region = map.RootElement.GetProperty("regions").EnumerateArray().Single(r => r.GetProperty("name").GetString() == "Crash kernel");
        JsonElement mark = map.RootElement.GetProperty("marks").EnumerateArray().Single(m => m.GetProperty("name").GetString() == "Crash kernel");
        ulong pages = region.GetProperty("pages").GetUInt64(), start = region.GetProperty("start_pfn").GetUInt64();
        Assert.Equal((start << 12, (start + pages) << 12), (Hex(mark, "start"), Hex(mark, "end")));
        Assert.Equal((pages, 0UL), (region.GetProperty("totals").GetProperty("crash_kernel").GetUInt64(), region.GetProperty("pages_in_dump").GetUInt64()));
        string text = Tool.Succeed(s_vmcore, "map", RealCrash.Get("sample rfc-v2-6.1").Path).Output;
        Assert.Contains($"Crash kernel 0x{start << 12:x}-0x{(start + pages) << 12:x}, ", text, StringComparison.Ordinal);
        Assert.Contains("it is in no dump that its own machine takes", text, StringComparison.Ordinal);

        // A filtered dump, which has no PT_LOADs, shows the same.
        using TemporaryFolder folder = new();
        Tool.Dump("-d", "31", "-l", RealCrash.Get("sample rfc-v2-6.1").Path, folder.File("dump"));
        using JsonDocument filtered = JsonDocument.Parse(Tool.Succeed(s_vmcore, "map", folder.File("dump"), "--json").Output);
        JsonElement own = filtered.RootElement.GetProperty("regions").EnumerateArray().Single(r => r.GetProperty("name").GetString() == "Crash kernel");
        Assert.Equal((start, pages), (own.GetProperty("start_pfn").GetUInt64(), own.GetProperty("pages").GetUInt64()));
        string page = Tool.Succeed(s_vmcore, "pmem", RealCrash.Get("sample rfc-v2-6.1").Path, "--page", $"0x{start + 1:x}").Output;
        Assert.Contains("It is in the area of the crash kernel", page, StringComparison.Ordinal);
    }

    /// <summary>The kernel's tree has only the reserve of a devdax namespace under its name; the map has all of it.</summary>
    [Fact]
    public void NamespacesHaveTheirSize()
    {
        using JsonDocument map = Map(), pmem = JsonDocument.Parse(Tool.Succeed(s_vmcore, "pmem", "--json", RealCrash.Get("sample rfc-v2-6.1").Path).Output);
        Dictionary<string, (ulong, ulong)> marks = map.RootElement.GetProperty("marks").EnumerateArray()
            .Where(m => m.GetProperty("name").GetString()!.StartsWith("namespace", StringComparison.Ordinal))
            .ToDictionary(m => m.GetProperty("name").GetString()!, m => (Hex(m, "start"), Hex(m, "end")));
        JsonElement[] known = [.. pmem.RootElement.GetProperty("namespaces").EnumerateArray()];
        Assert.Contains(known, n => n.GetProperty("mode").GetString() == "devdax");
        Assert.All(known, n => Assert.Equal((Hex(n, "start"), Hex(n, "end")), marks[n.GetProperty("name").GetString()!]));
    }

    private static ulong Hex(JsonElement element, string member) => Convert.ToUInt64(element.GetProperty(member).GetString()![2..], 16);

    [Fact]
    public void PicturesAreWellFormed()
    {
        using TemporaryFolder folder = new();
        string dump = RealCrash.Get("sample rfc-v2-6.1").Path;
        foreach (string kind in (string[])["svg", "png", "html"])
            Tool.Succeed(s_vmcore, "map", dump, "-o", folder.File("map." + kind));
        XElement svg = XDocument.Load(folder.File("map.svg")).Root!;
        Assert.Equal("svg", svg.Name.LocalName);
        Assert.True(svg.Elements().Count(e => e.Name.LocalName == "rect") > 100);
        byte[] png = File.ReadAllBytes(folder.File("map.png"));
        Assert.Equal(1200, BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(16)));
        string html = File.ReadAllText(folder.File("map.html"));
        Assert.DoesNotContain("{{", html, StringComparison.Ordinal);

        // Nothing is fetched from anywhere.
        Assert.DoesNotContain("http", html.Replace("http-equiv", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.NotEqual(0, Tool.Run(s_vmcore, "map", dump, "-o", folder.File("map.svg")).ExitCode);
        Assert.Equal(0, Tool.Run(s_vmcore, "map", dump, "-f", "-o", folder.File("map.svg")).ExitCode);
    }

    [Theory]
    [InlineData("-o", "map.gif")]
    [InlineData("--level", "64")]
    [InlineData("--level", "-1")]
    public void WhatCannotBeDrawnIsRefused(params string[] options) =>
        Assert.Equal(1, Tool.Run(s_vmcore, ["map", RealCrash.Get("sample rfc-v2-6.1").Path, .. options]).ExitCode);

    [Fact]
    public void ABrowserShowsThePage()
    {
        const string Browser = "/usr/bin/chromium";
        Assert.SkipUnless(File.Exists(Browser), "chromium is not installed");
        using TemporaryFolder folder = new();
        string page = folder.File("map.html"), picture = folder.File("seen.png");
        Tool.Succeed(s_vmcore, "map", RealCrash.Get("sample rfc-v2-6.1").Path, "-o", page);
        string[] options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--user-data-dir=" + folder.File("profile"), "--window-size=1300,1500"];
        string document = Tool.Succeed(Browser, [.. options, "--dump-dom", "file://" + page]).Output;
        Assert.Matches("<html[^>]* data-ready=\"[1-9][0-9]{2,}\"", document);
        foreach (string text in (string[])["pmem metadata", "pmem user data",
            "(never in a dump)", "Persistent Memory", "Kept at level 31", "All of the memory"])
            Assert.Contains(text, document, StringComparison.Ordinal);

        // As a user would: search a page, go to it, look around with the keys, ask for another level.
        const string Visit =
            "<script>const i=$('search');i.value='pfn:0x100300';i.dispatchEvent(new Event('input'));$('found').querySelector('button').click();"
            + "document.body.dataset.zoomed=$('where').textContent;document.body.dataset.picked=$('picked').textContent;"
            + "$('map').dispatchEvent(new KeyboardEvent('keydown',{key:'ArrowRight'}));document.body.dataset.next=$('picked').textContent;"
            + "document.querySelector('[data-level=\"63\"]').click();document.body.dataset.level=$('legend').textContent;"
            + "$('map').dispatchEvent(new KeyboardEvent('keydown',{key:'Home'}));document.body.dataset.home=$('where').textContent;</script></body>";
        File.WriteAllText(page, File.ReadAllText(page).Replace("</body>", Visit, StringComparison.Ordinal));
        string visited = Tool.Succeed(Browser, [.. options, "--dump-dom", "file://" + page]).Output;
        Assert.Matches("data-zoomed=\"[0-9.]+ [KM]iB of ", visited);
        Assert.Matches("data-picked=\"0x100[0-9a-f]+ [^\"]*namespace0.0[^\"]*pmem metadata", visited);
        Assert.Matches("data-next=\"0x100[0-9a-f]+ ", visited);
        Assert.Matches("data-level=\"[^\"]*pmem metadata [0-9.]+ MiB\\(left out", visited);
        Assert.Contains("data-home=\"All of the memory", visited, StringComparison.Ordinal);
        Tool.Succeed(Browser, [.. options, "--screenshot=" + picture, "file://" + page]);
        Assert.True(new FileInfo(picture).Length > 20000);
    }

    private static JsonDocument Map() => JsonDocument.Parse(Tool.Succeed(s_vmcore, "map", RealCrash.Get("sample rfc-v2-6.1").Path, "--json").Output);
}
