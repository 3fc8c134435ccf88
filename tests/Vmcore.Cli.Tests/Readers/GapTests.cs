using System.Text.Json;
using Vmcore.Cli.Tests.Conformance;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>
/// An answer that lacks something says so: on standard error, in its JSON and by its exit status. The dump is that which Debian 12's makedumpfile makes of
/// a 6.12 kernel: it takes slab pages of that kernel for what they are not, and leaves them out.
/// </summary>
public sealed class GapTests
{
    private static readonly string[] s_commands = ["ps", "modules", "mounts", "pmem"];

    [Fact]
    public void EveryCommandSaysWhatIsMissing()
    {
        using TemporaryFolder folder = new();
        string dump = Holed(folder);
        foreach (string command in s_commands)
        {
            ToolResult text = Tool.Run(Executable.Vmcore, command, dump);
            Assert.Equal((command, 1), (command, text.ExitCode));
            Assert.Contains("vmcore: the answer is not complete: ", text.Error, StringComparison.Ordinal);
            Assert.NotEmpty(text.Output);
            ToolResult json = Tool.Run(Executable.Vmcore, command, dump, "--json");
            using JsonDocument answer = JsonDocument.Parse(json.Output);
            Assert.Equal((command, 1), (command, json.ExitCode));
            Assert.NotEmpty(answer.RootElement.GetProperty("gaps").EnumerateArray());
        }
    }

    [Fact]
    public void AWholeDumpHasNoGaps()
    {
        foreach (string command in (string[])[.. s_commands, "dmesg", "map"])
        {
            ToolResult json = Tool.Run(Executable.Vmcore, command, RealCrash.Get("sample rfc-v2-6.1").Path, "--json");
            using JsonDocument answer = JsonDocument.Parse(json.Output);
            Assert.Equal((command, 0), (command, json.ExitCode));
            Assert.Empty(answer.RootElement.GetProperty("gaps").EnumerateArray());
        }
    }

    /// <summary>The users that are left say by themselves that there were others, and so do mount points.</summary>
    [Fact]
    public void SingleLinesSayItToo()
    {
        using TemporaryFolder folder = new();
        string dump = Holed(folder);
        using JsonDocument modules = JsonDocument.Parse(Tool.Run(Executable.Vmcore, "modules", dump, "--json").Output);
        JsonElement nvdimm = modules.RootElement.GetProperty("modules").EnumerateArray().First(m => m.GetProperty("name").GetString() == "libnvdimm");
        Assert.False(nvdimm.GetProperty("users_known").GetBoolean());
        Assert.Contains("mount points of", Tool.Run(Executable.Vmcore, "mounts", dump).Error, StringComparison.Ordinal);
    }

    /// <summary>Behind a task that is not there the list goes on, from its other end.</summary>
    [Fact]
    public void AListThatBreaksOffIsWalkedFromItsOtherEnd()
    {
        using TemporaryFolder folder = new();
        using JsonDocument whole = Tasks(RealCrash.Get("stock-6.12").Path), holed = Tasks(Holed(folder));
        string[] all = Addresses(whole), found = Addresses(holed);
        Assert.All(found, task => Assert.Contains(task, all));
        Assert.InRange(found.Length, 55, all.Length - 1);
        Assert.Equal(all.Where(found.Contains), found);
    }

    /// <summary>As crash and drgn count it: what each CPU has not added yet is part of it.</summary>
    [Fact]
    public void ResidentMemoryHasTheCpusOwnParts()
    {
        using JsonDocument answer = Tasks(RealCrash.Get("stock-6.12").Path);
        JsonElement task = answer.RootElement.GetProperty("tasks").EnumerateArray().First(t => t.GetProperty("pid").GetInt32() == 201);
        Assert.Equal(708UL << 10, task.GetProperty("resident_size").GetUInt64());
    }

    private static JsonDocument Tasks(string dump) => JsonDocument.Parse(Tool.Run(Executable.Vmcore, "ps", dump, "--json").Output);

    private static string[] Addresses(JsonDocument answer) =>
        [.. answer.RootElement.GetProperty("tasks").EnumerateArray().Select(t => t.GetProperty("address").GetString()!)];

    private static string Holed(TemporaryFolder folder)
    {
        string dump = folder.File("holed");
        Assert.SkipUnless(File.Exists(Tool.Debian), "Debian's makedumpfile is not installed");
        Tool.Succeed(Tool.Debian, "-l", "-d", "31", RealCrash.Get("stock-6.12").Path, dump);
        return dump;
    }
}
