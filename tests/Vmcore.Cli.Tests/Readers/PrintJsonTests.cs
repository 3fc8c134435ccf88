using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Vmcore.Cli.Tests.Conformance;
using Vmcore.Kernel.Types;
using Vmcore.Testing;

namespace Vmcore.Cli.Tests.Readers;

/// <summary><c>vmcore print --json</c>: values as a tree.</summary>
public sealed class PrintJsonTests
{
    private static readonly string s_vmcore = Executable.Vmcore;

    private static string Sample => RealCrash.Get("sample rfc-v2-6.1").Path;

    [Fact]
    public void AStructIsAnObjectWithItsMembers()
    {
        JsonNode answer = Print("init_task");
        Assert.Equal(("print", "init_task", "struct task_struct"), ((string?)answer["command"], (string?)answer["expression"], (string?)answer["type"]));
        JsonNode value = answer["value"]!;
        Assert.Equal("swapper/0", (string?)value["comm"]);
        Assert.Equal(0, (int?)value["pid"]);
        Assert.Equal((string?)answer["address"], (string?)value["group_leader"]);

        // A member of a struct without a name, a bit-field, an array of arrays or of structs, an enum, a negative number.
        Assert.Equal(0, (int)value["rcu_users"]!["refs"]!["counter"]!);
        Assert.InRange((int)value["in_iowait"]!, 0, 1);
        Assert.Equal(120, (int)value["static_prio"]!);
        Assert.IsType<JsonArray>(value["pending"]!["signal"]!["sig"]);
        Assert.Equal(JsonValueKind.Null, JsonDocument.Parse(answer.ToJsonString()).RootElement.GetProperty("target").ValueKind);
        Assert.False((bool)answer["truncated"]!);
        Assert.Contains(".comm = (char [16])\"swapper/0\"", (string?)answer["text"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("init_task.pid", "0")]
    [InlineData("init_task.comm", "\"swapper/0\"")]
    [InlineData("system_state", "\"SYSTEM_RUNNING\"")]
    [InlineData("(char)65", "65")]
    [InlineData("(long)0xffffffffffffffff", "-1")]
    [InlineData("(bool)1", "true")]
    [InlineData("(unsigned long)0xffffffffffffffff", "\"18446744073709551615\"")]
    [InlineData("(long)0x8000000000000000", "\"-9223372036854775808\"")]
    [InlineData("(unsigned long)9007199254740991", "9007199254740991")]
    [InlineData("(unsigned long)9007199254740992", "\"9007199254740992\"")]
    [InlineData("(void *)0", "\"0x0\"")]
    public void AValueIsWhatItsTypeSays(string expression, string value) => Assert.Equal(value, Print(expression)["value"]!.ToJsonString());

    [Fact]
    public void PointersAreFollowedAndNamed()
    {
        JsonNode answer = Print("&init_uts_ns.name");
        Assert.Equal(((string?)answer["value"], "struct new_utsname"), ((string?)answer["target"]!["address"], (string?)answer["target"]!["type"]));
        Assert.Equal("Linux", (string?)answer["target"]!["value"]!["sysname"]);
        JsonNode operations = Print("struct file_operations", "def_chr_fops");
        string open = (string)operations["value"]!["open"]!;
        Assert.Equal("chrdev_open+0x0", (string?)operations["symbols"]![open]);
        Assert.Empty(Print("struct file_operations", "def_chr_fops", "--no-symbols")["symbols"]!.AsObject());
        JsonNode text = Print("saved_command_line");
        Assert.Contains("console=", (string?)text["strings"]![(string)text["value"]!], StringComparison.Ordinal);
    }

    [Fact]
    public void WhatCannotBeReadIsAnErrorAndNoHalfAnswer()
    {
        foreach (string[] words in (string[][])[["struct page", "0x10"], ["struct none", "linux_banner"]])
        {
            ToolResult result = Tool.Run(s_vmcore, ["print", "--json", Sample, .. words]);
            Assert.Equal((1, ""), (result.ExitCode, result.Output));
            Assert.StartsWith("vmcore: ", result.Error, StringComparison.Ordinal);
        }

        // An expression has an answer that says so, as each of several has.
        foreach (string expression in (string[])["*(int *)8", "no_such_symbol"])
        {
            ToolResult result = Tool.Run(s_vmcore, "print", "--json", Sample, expression);
            JsonNode answer = JsonNode.Parse(result.Output)!, value = Assert.Single(answer["values"]!.AsArray())!;
            Assert.Equal((1, null, null), (result.ExitCode, answer["value"], value["value"]));
            Assert.Equal((string?)value["error"], (string?)Assert.Single(answer["gaps"]!.AsArray()));
        }
    }

    [Theory]
    [InlineData("struct page", "is a type")]
    [InlineData("const char *", "is a type")]
    [InlineData("def_chr_fops.open", "say its type, ((struct NAME *)...)->open")]
    [InlineData("init_task.nothing", "has no member 'nothing'")]
    public void AnErrorSaysWhatToDo(string expression, string words)
    {
        ToolResult result = Tool.Run(s_vmcore, "print", Sample, expression);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains(words, result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("stock-6.1-nopmem", "6.1.0-56-amd64", false)]
    [InlineData("stock-6.12", "6.12.117+deb12-amd64", false)]
    [InlineData("stock-6.1-nopmem", "6.1.0-56-amd64", true)]
    [InlineData("stock-6.12", "6.12.117+deb12-amd64", true)]
    public void ValuesAreThoseOfDrgn(string name, string release, bool fromDebugInformation)
    {
        string dumpFile = Path.Combine(Environment.GetEnvironmentVariable("VMCORE_FIXTURES") ?? "", name + ".vmcore");
        string vmlinux = Path.Combine(Environment.GetEnvironmentVariable("VMCORE_VMLINUX") ?? "", "vmlinux-" + release);
        Assert.SkipUnless(File.Exists(dumpFile), $"{dumpFile} does not exist");
        Assert.SkipUnless(File.Exists(vmlinux), $"{vmlinux} does not exist");
        string[] asked = [.. Drgn("", dumpFile, vmlinux, "sample").Split('\n')
            .Where(static l => l.StartsWith("object ", StringComparison.Ordinal)).Select(static l => "json" + l[6..])];
        string[] answers = Drgn(string.Join('\n', asked) + "\n", dumpFile, vmlinux).Split("\n\f\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(asked.Length, answers.Length);
        Assert.True(asked.Length > 100, $"only {asked.Length} requests");
        using CrashDump dump = CrashDump.Open(dumpFile, fromDebugInformation ? new() { Vmlinux = vmlinux } : null);
        for (int i = 0; i < asked.Length; i++)
        {
            string[] words = asked[i].Split(' ', 3);
            ulong address = ulong.Parse(words[1].AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            var item = KernelObject.At(dump.Kernel?.Memory!, dump.Types!.Find(words[2])!, address);
            using var buffer = new MemoryStream();
            using (var writer = new Utf8JsonWriter(buffer))
                new ValueJson(dump.Kernel?.Memory!, _ => null).Write(writer, item);
            JsonNode ours = JsonNode.Parse(Encoding.UTF8.GetString(buffer.ToArray()))!, theirs = JsonNode.Parse(answers[i])!;
            if (!JsonNode.DeepEquals(theirs, ours))
                Assert.Fail($"{asked[i]}: {Difference(theirs, ours)}");
        }
    }

    // The first place at which two trees differ.
    private static string Difference(JsonNode? theirs, JsonNode? ours)
    {
        if (theirs is JsonObject a && ours is JsonObject b)
        {
            foreach (string name in a.Select(static p => p.Key).Union(b.Select(static p => p.Key)))
            {
                if (!a.ContainsKey(name) || !b.ContainsKey(name))
                    return $".{name} is in one only";
                if (!JsonNode.DeepEquals(a[name], b[name]))
                    return "." + name + Difference(a[name], b[name]);
            }
        }
        else if (theirs is JsonArray c && ours is JsonArray d && c.Count == d.Count)
        {
            int at = Enumerable.Range(0, c.Count).FirstOrDefault(i => !JsonNode.DeepEquals(c[i], d[i]), -1);
            return $"[{at}]" + Difference(c[at], d[at]);
        }

        return $": {theirs?.ToJsonString()} of drgn, {ours?.ToJsonString()} of ours";
    }

    private static JsonNode Print(params string[] words)
    {
        ToolResult result = Tool.Succeed(s_vmcore, ["print", "--json", Sample, .. words]);
        return JsonNode.Parse(result.Output)!;
    }

    private static string Drgn(string input, params string[] arguments) => SourceTree.RunReader("print-drgn", input, arguments);
}
