using System.Text.Json;
using System.Text.RegularExpressions;
using Vmcore.Testing.Kexec;

namespace Vmcore.Cli.Tests.Kdump;

/// <summary>The command line of <c>vmcore kdump</c>, on a system that is a tree of files. What it does is tested in Vmcore.Kdump.Tests.</summary>
public sealed partial class KdumpCommandTests : IDisposable
{
    private readonly TestTree _tree = TestTree.Stock().Delete("/sys/bus/nd").Delete("/sys/bus/dax")
        .Bytes("/boot/vmlinuz-6.12.0-test", FakeKernel.BzImage()).Bytes("/usr/bin/vmcore", new byte[5000])
        .File("/etc/vmcore/kdump.conf", "target = console\n");

    public void Dispose() => _tree.Dispose();

    [Fact]
    public void ADryRunShowsWhatWouldBeLoaded()
    {
        ToolResult result = Run(0, "load", "--dry-run");
        Assert.Contains("Would load ", result.Output, StringComparison.Ordinal);
        Assert.Contains("  saves to console", result.Output, StringComparison.Ordinal);
        Assert.Contains("reset_devices irqpoll nr_cpus=1 panic=10", result.Output, StringComparison.Ordinal);
        using JsonDocument json = JsonDocument.Parse(Run(0, "load", "--dry-run", "--json").Output);
        Assert.Contains("initrd", json.RootElement.GetProperty("segments").EnumerateArray().Select(static e => e.GetProperty("name").GetString()));
    }

    /// <summary>Every member of the answers is in the document.</summary>
    [Fact]
    public void AnswersAreDocumented()
    {
        string document = File.ReadAllText(Path.Combine(Repository.Root, "docs", "json-schema.md"));
        using JsonDocument status = JsonDocument.Parse(Run(1, "status", "--json").Output), test = JsonDocument.Parse(Run(0, "test", "--json").Output);
        Assert.Equal(("kdump status", false, "console"), (
            status.RootElement.GetProperty("command").GetString(), status.RootElement.GetProperty("loaded").GetBoolean(),
            status.RootElement.GetProperty("targets")[0].GetString()));
        Assert.True(test.RootElement.GetProperty("right").GetBoolean());
        string section = Section().Match(document).Value;
        foreach (string name in status.RootElement.EnumerateObject().Concat(test.RootElement.EnumerateObject()).Select(static m => m.Name))
            Assert.Matches($@"`{name}(\[\])?`", section);
    }

    [Theory]
    [InlineData("frob", "kdump: found 'frob', expected load, unload, status")]
    [InlineData("load twice", "kdump: found 'twice' behind load, expected nothing")]
    [InlineData("load", "--sysroot is for --dry-run only")]
    [InlineData("load --json", "--json is for --dry-run only")]
    [InlineData("estimate", "a captured tree has no memory")]
    [InlineData("test --crash --yes", "a captured tree cannot crash")]
    [InlineData("prepare", "found no device, expected one")]
    [InlineData("prepare vdb1", "expected a partition's node, /dev/NAME")]
    [InlineData("load --frob", "there is no option '--frob'")]
    public void WhatIsWrongIsSaid(string words, string expected) =>
        Assert.Contains(expected, Run(1, words.Split(' ')).Error, StringComparison.Ordinal);

    [Fact]
    public void AWrongConfigurationIsNamedWithItsLine()
    {
        _tree.File("/etc/vmcore/kdump.conf", "target = console\nkeep = many\n");
        string error = Run(1, "load", "--dry-run").Error;
        Assert.Contains("/etc/vmcore/kdump.conf:2: keep: found 'many', expected a number from 0 to 1000", error, StringComparison.Ordinal);
        Assert.Contains("FAIL configuration: ", Run(1, "test").Output, StringComparison.Ordinal);
    }

    private ToolResult Run(int expected, params string[] words)
    {
        ToolResult result = Tool.Run(Executable.Reader, ["kdump", .. words, "--sysroot", _tree.Root, "--executable", $"{_tree.Root}/usr/bin/vmcore"]);
        Assert.True(result.ExitCode == expected, $"{string.Join(' ', words)}: exit status {result.ExitCode}\n{result.Output}\n{result.Error}");
        return result;
    }

    [GeneratedRegex("## `vmcore kdump`.*?\n## ", RegexOptions.Singleline)]
    private static partial Regex Section();
}
