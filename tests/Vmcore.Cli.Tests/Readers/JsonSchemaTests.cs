using System.Text.Json;
using System.Text.RegularExpressions;
using Vmcore.Cli.Tests.Conformance;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>Every member that a command writes with <c>--json</c> is in the documents, and what the documents say of all answers is so.</summary>
public sealed partial class JsonSchemaTests
{
    [Theory]
    [InlineData("info")]
    [InlineData("ps")]
    [InlineData("bt", "--all")]
    [InlineData("bt", "--group")]
    [InlineData("locks", "--all")]
    [InlineData("runq")]
    [InlineData("workqueues", "--all")]
    [InlineData("io")]
    [InlineData("slab")]
    [InlineData("slab", "task_struct", "--objects")]
    [InlineData("whatis", "init_task", "init_task.stack", "init_task.tasks.next", "init_task.tasks.next->next", "per_cpu(runqueues,0)", "0xdead000000000100")]
    [InlineData("whatis", "--pid", "121", "0x7fbc95648123")]
    [InlineData("dis")]
    [InlineData("files")]
    [InlineData("maps", "1")]
    [InlineData("ps", "--args", "--environment")]
    [InlineData("dmesg")]
    [InlineData("modules")]
    [InlineData("mounts")]
    [InlineData("pmem")]
    [InlineData("pmem", "--page", "0x100700")]
    [InlineData("report")]
    [InlineData("map")]
    [InlineData("verify")]
    [InlineData("print", "init_task.tasks")]
    [InlineData("print", "&init_uts_ns")]
    [InlineData("print", "per_cpu(runqueues).cpu", "5 / 0")]
    [InlineData("type", "struct page", "enum zone_type")]
    [InlineData("symbol", "panic", "0xffffffff83000010")]
    [InlineData("read", "linux_banner")]
    [InlineData("vtop", "linux_banner")]
    public void EveryMemberIsDocumented(string command, params string[] words)
    {
        string output = Tool.Run(command is "dis" or "report" ? Executable.Reader : Executable.Vmcore,
            [command, "--json", RealCrash.Get("sample rfc-v2-6.1").Path, .. words]).Output;
        using var answer = JsonDocument.Parse(output);
        Assert.Equal(1, answer.RootElement.GetProperty("schema").GetInt32());
        Assert.Equal(RealCrash.Get("sample rfc-v2-6.1").Path, answer.RootElement.GetProperty("file").GetString());
        if (command != "info")
            Assert.Equal(command, answer.RootElement.GetProperty("command").GetString());

        string documents =
            string.Concat(new[] { "json-schema.md", "formats.md" }.Select(static f => File.ReadAllText(Path.Combine(Repository.Root, "docs", f))));
        HashSet<string> known = [.. Quoted().Matches(documents).SelectMany(static m => Name().Matches(m.Value)).Select(static m => m.Value)];
        Check(answer.RootElement, known, command);
    }

    private static void Check(JsonElement item, HashSet<string> known, string path)
    {
        if (item.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement element in item.EnumerateArray())
                Check(element, known, path + "[]");
        }
        else if (item.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty member in item.EnumerateObject())
            {
                // Of these the members are the kernel's, addresses, registers, or classes of pages.
                bool isOpen = member.Name is "value" or "target" or "symbols" or "strings" && path == "print"
                    || (member.Name == "totals" && path is "map.regions[]" or "map.pmem.areas[]") || member.Name is "registers" or "counters";
                Assert.True(known.Contains(member.Name) || path == "info.pages", $"{path}.{member.Name} is not in the documents");
                if (!isOpen)
                    Check(member.Value, known, $"{path}.{member.Name}");
            }
        }
    }

    [GeneratedRegex("`[^`\n]+`")]
    private static partial Regex Quoted();

    [GeneratedRegex("[a-z_0-9]+")]
    private static partial Regex Name();
}
