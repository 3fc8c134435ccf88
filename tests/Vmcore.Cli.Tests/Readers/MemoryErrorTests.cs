using System.Text.Json;
using Vmcore.Cli.Tests.Conformance;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>Memory errors of a real machine (MADV_HWPOISON on process memory), against its /proc/kpageflags.</summary>
public sealed class MemoryErrorTests
{
    private const int HwPoisonBit = 19;
    private const string Crash = "sample rfc-v2-6.1";

    [Fact]
    public void PoisonedPagesAreCountedWhateverElseTheyAre()
    {
        using TemporaryFolder folder = new();
        RealCrash crash = RealCrash.Get(Crash);
        int expected = Poisoned(crash).Length;
        Assert.NotEqual(0, expected);
        foreach (string level in (string[])["", "1", "31"])
        {
            string dump = crash.Path;
            if (level.Length > 0)
                Tool.Dump("-d", level, "-l", crash.Path, dump = folder.File("d" + level));
            using JsonDocument answer = Ask("info", dump);
            JsonElement pages = answer.RootElement.GetProperty("pages");
            Assert.Equal((expected, true), (pages.GetProperty("hw_poison").GetInt32(), pages.GetProperty("poisoned_is_known").GetBoolean()));
        }
    }

    [Fact]
    public void TheMapAndTheExplanationOfAPageSayIt()
    {
        RealCrash crash = RealCrash.Get(Crash);
        ulong[] poisoned = Poisoned(crash);
        using (JsonDocument map = Ask("map", crash.Path))
        {
            Assert.Equal(poisoned.Length, map.RootElement.GetProperty("regions").EnumerateArray()
                .Sum(r => r.GetProperty("totals").TryGetProperty("hwpoison", out JsonElement n) ? n.GetInt32() : 0));
            Assert.Equal(poisoned.Select(p => $"0x{p << 12:x}"), map.RootElement.GetProperty("marks").EnumerateArray()
                .Where(m => m.GetProperty("name").GetString()!.StartsWith("poisoned", StringComparison.Ordinal))
                .Select(m => m.GetProperty("start").GetString()));
        }

        foreach (ulong pfn in poisoned)
        {
            using JsonDocument page = Ask("pmem", crash.Path, "--page", $"0x{pfn:x}");
            Assert.True(page.RootElement.GetProperty("poisoned").GetBoolean());
            Assert.Contains("It is poisoned", Tool.Succeed(Executable.Vmcore, "pmem", crash.Path, "--page", $"0x{pfn:x}").Output, StringComparison.Ordinal);
        }
    }

    /// <summary>makedumpfile's own counts, by which services are compared, go by what else a page is.</summary>
    [Fact]
    public void TheReportOfADumpStaysAsMakedumpfileHasIt()
    {
        using TemporaryFolder folder = new();
        RealCrash crash = RealCrash.Get(Crash);
        string report = Tool.Succeed(Executable.Makedumpfile, "-d", "31", "-l", "--show-stats", crash.Path, folder.File("dump")).Output;
        Assert.Matches("Hwpoison pages +: 0x0+\n", report);
    }

    private static ulong[] Poisoned(RealCrash crash) =>
        [.. crash.PageFlags!.Select((flags, pfn) => (flags, pfn)).Where(p => (p.flags >> HwPoisonBit & 1) != 0).Select(p => (ulong)p.pfn)];

    private static JsonDocument Ask(string command, string dump, params string[] more) =>
        JsonDocument.Parse(Tool.Succeed(Executable.Vmcore, [command, dump, "--json", .. more]).Output);
}
