using System.Text.Json;
using System.Xml.Linq;

namespace Vmcore.Cli.Tests.Readers;

/// <summary><c>vmcore report</c> and <c>makedumpfile --report</c>: one report in three forms, whole or cut, for its owner or for strangers.</summary>
public sealed class ReportCommandTests
{
    private static string Dump => PatchedSample.Original;

    /// <summary>Who reads ten lines knows what happened.</summary>
    [Fact]
    public void TheFirstTenLinesNameTheCause()
    {
        string[] lines = Report(Dump).Output.Split('\n');
        string head = string.Join('\n', lines.Take(10));
        Assert.Contains("sysrq", lines[0], StringComparison.Ordinal);
        foreach (string part in (string[])["sysrq_handle_crash", "PID 1 \"init\" on CPU 1", "Kernel panic - not syncing: sysrq triggered crash", "v1:", "6.1."])
            Assert.Contains(part, head, StringComparison.Ordinal);
        Assert.Contains("Nothing: each section is whole.", Report(Dump).Output, StringComparison.Ordinal);
    }

    /// <summary>What other commands tell of the same things, the report tells too.</summary>
    [Fact]
    public void TheSectionsAgreeWithTheCommands()
    {
        using JsonDocument report = Json(Report(Dump, "--json")), ps = Json(Run("ps", "-T", "--json")), bt = Json(Run("bt", "-c", "--json")),
            mounts = Json(Run("mounts", "--json")), modules = Json(Run("modules", "--json"));
        JsonElement all = report.RootElement;
        HashSet<int> told = [.. Tasks(all.GetProperty("groups")).Concat(all.GetProperty("cpus").EnumerateArray().Select(static c => c.GetProperty("task")))
            .Select(static t => t.GetProperty("pid").GetInt32())];
        HashSet<int> known = [.. ps.RootElement.GetProperty("tasks").EnumerateArray().Select(static t => t.GetProperty("pid").GetInt32())];
        Assert.Equal(known.Order(), told.Union([0]).Order());
        Assert.Equal(Functions(bt.RootElement.GetProperty("stacks")).Order(), Functions(all.GetProperty("cpus")).Order());
        Assert.Equal(mounts.RootElement.GetProperty("mounts").ToString(), all.GetProperty("mounts").ToString());
        Assert.Equal(modules.RootElement.GetProperty("modules").ToString(), all.GetProperty("modules").ToString());

        // The code is what the memory has there, and the mark is the instruction pointer.
        JsonElement code = all.GetProperty("code")[0];
        byte[] bytes = Convert.FromHexString(code.GetProperty("bytes").GetString()!);
        byte[] there = Tool.Succeed(Executable.Vmcore, "read", Dump, code.GetProperty("start").GetString()!, $"{bytes.Length}", "-f", "raw").OutputBytes;
        Assert.Equal(there, bytes);
        Assert.Equal(code.GetProperty("registers").GetProperty("rip").GetString(), code.GetProperty("address").GetString());
    }

    /// <summary>The counters are those of the kernel: they fit the memory, and each other.</summary>
    [Fact]
    public void TheCountersFitTheMemory()
    {
        using JsonDocument report = Json(Report(Dump, "--json")), info = Json(Run("info", "--json"));
        JsonElement memory = report.RootElement.GetProperty("memory"), counters = memory.GetProperty("counters");
        Assert.True(memory.GetProperty("exact").GetBoolean());
        long free = counters.GetProperty("NR_FREE_PAGES").GetInt64();
        JsonElement[] zones = [.. memory.GetProperty("zones").EnumerateArray()];
        Assert.Equal(free, zones.Sum(static z => z.GetProperty("free_pages").GetInt64()));

        // Free blocks are counted without what CPUs keep for themselves, as NR_FREE_PAGES is.
        Assert.Equal(free, zones.Sum(static z => z.GetProperty("free_blocks").EnumerateArray().Select(static (b, order) => b.GetInt64() << order).Sum()));
        Assert.InRange(info.RootElement.GetProperty("pages").GetProperty("free").GetInt64(), free, free * 11 / 10);
        long lru = Sum("NR_INACTIVE_ANON", "NR_ACTIVE_ANON", "NR_INACTIVE_FILE", "NR_ACTIVE_FILE", "NR_UNEVICTABLE");
        Assert.InRange(Sum("NR_FILE_PAGES", "NR_ANON_MAPPED"), lru * 9 / 10, lru * 11 / 10);
        Assert.InRange(memory.GetProperty("managed").GetUInt64(), (ulong)free << 12, info.RootElement.GetProperty("max_pfn").GetUInt64() << 12);

        long Sum(params string[] names) => names.Sum(n => counters.GetProperty(n).GetInt64());
    }

    [Theory]
    [InlineData(30)]
    [InlineData(60)]
    [InlineData(95)]
    public void OfACutDumpThereIsWhatThereIs(int percent)
    {
        using TemporaryFolder folder = new();
        string cut = folder.File("dump");
        Tool.Succeed(Executable.Makedumpfile, "-l", "-d", "31", Dump, cut);
        using (FileStream file = File.OpenWrite(cut))
            file.SetLength(file.Length * percent / 100);
        ToolResult json = Report(cut, "--json"), text = Report(cut);
        using JsonDocument answer = JsonDocument.Parse(json.Output);
        Assert.Equal((1, 1), (json.ExitCode, text.ExitCode));
        Assert.NotEmpty(answer.RootElement.GetProperty("gaps").EnumerateArray());
        Assert.True(answer.RootElement.GetProperty("dump").GetProperty("incomplete").GetBoolean());
        Assert.Contains("sysrq triggered crash", text.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("Nothing: each section is whole.", text.Output, StringComparison.Ordinal);
    }

    /// <summary>The page is well formed, has no script, fetches nothing, and what the crashed machine called its things is no markup.</summary>
    [Fact]
    public void ThePageIsSelfContainedAndEscaped()
    {
        using TemporaryFolder folder = new();
        string hostile = PatchedSample.WithValue(folder, "init_task.comm", BitConverter.ToUInt64("<b>&\"'{}"u8)), page = folder.File("report.html");
        Tool.Run(Executable.Vmcore, "report", hostile, "-o", page);
        string html = File.ReadAllText(page);
        XElement root = XDocument.Parse(html.Replace("<meta charset=\"utf-8\">", "", StringComparison.Ordinal)
            .Replace("initial-scale=1\">", "initial-scale=1\"/>", StringComparison.Ordinal)
            .Replace("'unsafe-inline'\">", "'unsafe-inline'\"/>", StringComparison.Ordinal).Replace("<!DOCTYPE html>", "", StringComparison.Ordinal)).Root!;
        Assert.DoesNotContain(root.Descendants("b"), static b => b.Parent!.Attribute("class")?.Value.StartsWith('f') != true);
        Assert.DoesNotContain("<script", html, StringComparison.Ordinal);
        Assert.DoesNotContain("http", html.Replace("http-equiv", "", StringComparison.Ordinal), StringComparison.Ordinal);
        foreach (XElement link in root.Descendants("a"))
            Assert.Contains(root.Descendants("section"), s => "#" + s.Attribute("id")!.Value == link.Attribute("href")!.Value);
        Assert.Equal(root.Descendants("section").Count(), root.Descendants("a").Count());
        Assert.NotEqual(0, Tool.Run(Executable.Vmcore, "report", Dump, "-o", page).ExitCode);
    }

    /// <summary>What the whole report says with addresses, paths and the host's name, the redacted one says without, in each form.</summary>
    [Theory]
    [InlineData("report.txt")]
    [InlineData("report.json")]
    [InlineData("report.html")]
    public void StrangersSeeNoAddressAndNoPath(string form)
    {
        using TemporaryFolder folder = new();
        string named = PatchedSample.WithValue(folder, "init_uts_ns.name.nodename", BitConverter.ToUInt64("canary7\0"u8));
        string whole = folder.File("whole-" + form), clean = folder.File(form);
        Tool.Run(Executable.Vmcore, "report", "-n", "400", named, "-o", whole);
        Tool.Run(Executable.Vmcore, "report", "-n", "400", "--redact", named, "-o", clean);
        string before = File.ReadAllText(whole), after = File.ReadAllText(clean);
        foreach (string secret in (string[])["canary7", "/mnt/pmem0", "/dev/pmem0", "/proc", "console=", "0x100000000", "[mem 0x00000000000f"])
        {
            Assert.Contains(secret, before, StringComparison.Ordinal);
            Assert.DoesNotContain(secret, after, StringComparison.Ordinal);
        }

        // Pointers; but neither error numbers nor the bytes of code.
        const string Pointer = @"\b(0x)?ffff[0-9a-f]{8}[0-9a-e][0-9a-f]{3}\b";
        Assert.Matches(Pointer, before);
        Assert.DoesNotMatch(Pointer, after);
        Assert.DoesNotContain(folder.File("patched"), after, StringComparison.Ordinal);
        foreach (string kept in (string[])["sysrq_handle_crash", "v1:", "init", "Kernel panic - not syncing"])
            Assert.Contains(kept, after, StringComparison.Ordinal);
    }

    /// <summary>The report beside the dump is that of the dump, and nothing that goes wrong with it changes dump or exit status.</summary>
    [Fact]
    public void TheDumperWritesTheReportBesideTheDump()
    {
        using TemporaryFolder folder = new();
        string dump = folder.File("dump"), report = folder.File("report.json"), other = folder.File("other");
        Tool.Succeed(Executable.Makedumpfile, "-l", "-d", "31", "--report", report, Dump, dump);
        using JsonDocument written = JsonDocument.Parse(File.ReadAllText(report)), later = Json(Report(dump, "--json"));
        foreach (string member in (string[])["cause", "dump", "machine", "cpus", "groups", "locks", "memory", "modules", "mounts", "log", "gaps"])
        {
            // That none was lost in the copying only the copy knows.
            string wanted = later.RootElement.GetProperty(member).ToString().Replace("\"lost_pages\": 0", "\"lost_pages\": null", StringComparison.Ordinal);
            Assert.Equal((member, wanted), (member, written.RootElement.GetProperty(member).ToString()));
        }

        // The dumper decodes no instructions: it has the same code in bytes.
        Assert.Equal(Bytes(later), Bytes(written));

        ToolResult failed = Tool.Run(Executable.Makedumpfile, "-l", "-d", "31", "--report", folder.File("nowhere/report"), Dump, other);
        Assert.Equal(0, failed.ExitCode);
        Assert.Contains("is not written", failed.Error, StringComparison.Ordinal);
        Assert.Equal(File.ReadAllBytes(dump), File.ReadAllBytes(other));
        ToolResult overInput = Tool.Run(Executable.Makedumpfile, "-f", "-l", "-d", "31", "--report", Dump, Dump, other);
        Assert.Contains("is not written", overInput.Error, StringComparison.Ordinal);
        Assert.NotEqual(0, Tool.Run(Executable.Makedumpfile, "-f", "-l", "-d", "31", "--report", other, Dump, other).ExitCode);
    }

    private static string[] Bytes(JsonDocument report) => [.. report.RootElement.GetProperty("code").EnumerateArray()
        .Select(static c => $"{c.GetProperty("address")} {c.GetProperty("bytes")}")];

    private static ToolResult Report(string dump, params string[] options) => Tool.Run(Executable.Vmcore, ["report", dump, .. options]);

    private static ToolResult Run(string command, params string[] options) => Tool.Succeed(Executable.Vmcore, [command, Dump, .. options]);

    private static JsonDocument Json(ToolResult result) => JsonDocument.Parse(result.Output);

    private static IEnumerable<JsonElement> Tasks(JsonElement groups) =>
        groups.EnumerateArray().SelectMany(static g => g.GetProperty("tasks").EnumerateArray());

    private static IEnumerable<string?> Functions(JsonElement stacks) => stacks.EnumerateArray()
        .SelectMany(static s => s.GetProperty("frames").EnumerateArray()).Select(static f => f.GetProperty("symbol").GetString())
        .Where(static s => s is not null);
}
