using System.Text.Json;
using Vmcore.Cli.Tests.Conformance;
using Vmcore.Formats.Kdump;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>A dump that was cut short: what is said of it is true, and text and JSON agree on whether it is all.</summary>
public sealed class CutDumpTests
{
    private static readonly string[] s_commands =
        ["ps", "bt -a", "bt -g", "locks -a", "runq", "workqueues", "io", "slab", "modules", "mounts", "dmesg", "pmem", "pmem --page 0x100601", "map"];

    [Theory]
    [InlineData(30)]
    [InlineData(60)]
    [InlineData(95)]
    public void TextAndJsonHaveOneExitStatus(int percent)
    {
        using TemporaryFolder folder = new();
        string cut = Cut(folder, percent);
        foreach (string command in s_commands)
        {
            ToolResult text = Run(command, cut), json = Run(command + " --json", cut);
            Assert.Equal((command, text.ExitCode), (command, json.ExitCode));
            if (json.Output.Length == 0)
            {
                // What must be there is not: an error instead of an answer.
                Assert.Equal((command, 1, ""), (command, json.ExitCode, text.Output));
                Assert.NotEmpty(json.Error);
                continue;
            }

            using JsonDocument answer = JsonDocument.Parse(json.Output);
            Assert.Equal((command, json.ExitCode != 0), (command, answer.RootElement.GetProperty("gaps").GetArrayLength() > 0));
        }
    }

    /// <summary>Each page of pmem is in a namespace of the whole dump: that it is in none is said of no cut.</summary>
    [Theory]
    [InlineData(30)]
    [InlineData(60)]
    [InlineData(95)]
    public void APageIsNeverPutWhereItIsNot(int percent)
    {
        using TemporaryFolder folder = new();
        string cut = Cut(folder, percent), whole = RealCrash.Get("sample rfc-v2-6.1").Path;
        foreach (string page in (string[])["0x100001", "0x100200", "0x100601", "0x107c05"])
        {
            using JsonDocument right = JsonDocument.Parse(Run($"pmem --page {page} --json", whole).Output),
                said = JsonDocument.Parse(Run($"pmem --page {page} --json", cut).Output);
            string kind = said.RootElement.GetProperty("kind").GetString()!;
            if (kind is "unknown" or "metadata")
            {
                Assert.Equal(JsonValueKind.Null, said.RootElement.GetProperty("namespace").ValueKind);
                continue;
            }

            Assert.Equal(right.RootElement.GetProperty("kind").GetString(), kind);
        }
    }

    /// <summary>The bitmaps name pages whose content lies behind the cut: the map counts them as lost.</summary>
    [Theory]
    [InlineData(30)]
    [InlineData(95)]
    public void TheMapCountsWhatIsThere(int percent)
    {
        using TemporaryFolder folder = new();
        string cut = Cut(folder, percent), whole = folder.File("whole");
        Tool.Succeed(Executable.Makedumpfile, "-l", "-d", "31", RealCrash.Get("sample rfc-v2-6.1").Path, whole);
        (ulong present, ulong lost) = PagesOf(whole, 0);
        (ulong cutPresent, ulong cutLost) = PagesOf(cut, 1);
        Assert.Equal((0UL, present), (lost, cutPresent + cutLost));
        Assert.InRange(cutLost, present / 100, present);
        Assert.Contains(" lost", Run("map", cut).Output, StringComparison.Ordinal);
        using KdumpFile file = KdumpFile.Open([cut]);
        Assert.Equal((ulong)Enumerable.Range(0, (int)file.MaxPfn).Count(pfn => file.GetPageState((ulong)pfn) == PageState.Lost), cutLost);
    }

    [Fact]
    public void AGapIsSaidOnce()
    {
        using TemporaryFolder folder = new();
        string cut = Cut(folder, 30);
        string[] said = Run("bt -a", cut).Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.NotEmpty(said);
        Assert.Equal(said.Distinct(), said);
        Assert.DoesNotContain(said, static line => line.Contains("the list is not complete", StringComparison.Ordinal));
        Assert.DoesNotContain("the stack is not complete", Run("bt 1", cut).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void ASymbolThatIsNotFoundIsAGap()
    {
        ToolResult result = Tool.Run(Executable.Vmcore, "symbol", RealCrash.Get("sample rfc-v2-6.1").Path, "nosuch", "--json");
        Assert.Equal(1, result.ExitCode);
        using JsonDocument answer = JsonDocument.Parse(result.Output);
        Assert.Equal("no symbol nosuch", Assert.Single(answer.RootElement.GetProperty("gaps").EnumerateArray().ToArray()).GetString());
        Assert.Equal("symbol_not_found", Assert.Single(answer.RootElement.GetProperty("gap_codes").EnumerateArray().ToArray()).GetString());
    }

    /// <summary>What a cut took of an ELF file was left out by nobody, as in a cut kdump-compressed one.</summary>
    [Fact]
    public void WhatACutTookOfAnElfFileIsLost()
    {
        using TemporaryFolder folder = new();
        string dump = folder.File("dump");
        Tool.Succeed(Executable.Makedumpfile, "-E", "-d", "31", RealCrash.Get("sample rfc-v2-6.1").Path, dump);
        using (FileStream file = File.OpenWrite(dump))
            file.SetLength(file.Length / 2);
        ToolResult text = Run("ps", dump), json = Run("ps --json", dump);
        Assert.Equal((1, 1), (text.ExitCode, json.ExitCode));
        Assert.DoesNotContain("left out of this dump", text.Error, StringComparison.Ordinal);
        Assert.Contains("not complete", text.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void APictureIsNeverWrittenOverItsDump()
    {
        using TemporaryFolder folder = new();
        string dump = folder.File("dump.svg"), link = folder.File("link.png");
        File.Copy(RealCrash.Get("sample rfc-v2-6.1").Path, dump);
        File.CreateSymbolicLink(link, dump);
        long length = new FileInfo(dump).Length;
        foreach (string output in (string[])[dump, link])
        {
            ToolResult result = Tool.Run(Executable.Vmcore, "map", "-f", "-o", output, dump);
            Assert.Equal(1, result.ExitCode);
            Assert.Contains("is the input itself", result.Error, StringComparison.Ordinal);
            Assert.Equal(length, new FileInfo(dump).Length);
        }
    }

    private static (ulong Present, ulong Lost) PagesOf(string dump, int exitCode)
    {
        ToolResult result = Run("map --json", dump);
        Assert.Equal(exitCode, result.ExitCode);
        using JsonDocument map = JsonDocument.Parse(result.Output);
        JsonElement[] regions = [.. map.RootElement.GetProperty("regions").EnumerateArray()];
        return (Sum("pages_in_dump"), Sum("pages_lost"));

        ulong Sum(string member) => regions.Aggregate(0UL, (sum, r) => sum + r.GetProperty(member).GetUInt64());
    }

    private static ToolResult Run(string command, string dump) => Tool.Run(Executable.Vmcore, [.. command.Split(' '), dump]);

    private static string Cut(TemporaryFolder folder, int percent)
    {
        string dump = folder.File("dump");
        Tool.Succeed(Executable.Makedumpfile, "-l", "-d", "31", RealCrash.Get("sample rfc-v2-6.1").Path, dump);
        using FileStream file = File.OpenWrite(dump);
        file.SetLength(file.Length * percent / 100);
        return dump;
    }
}
