using System.Text.Json;
using System.Text.RegularExpressions;
using Vmcore.Cli.Tests.Conformance;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>Expressions of <c>vmcore print</c> on the sample of a real crash; what they are by C and by drgn is compared elsewhere.</summary>
public sealed partial class PrintExpressionTests
{
    private static string Dump => RealCrash.Get("sample rfc-v2-6.1").Path;

    /// <summary>What the man page shows can be run as it stands there.</summary>
    [Fact]
    public void TheExamplesOfTheManualRun()
    {
        string page = File.ReadAllText(Path.Combine(Repository.Root, "packaging", "man", "vmcore.1"));
        string examples = page[page.IndexOf(".Sh EXPRESSIONS", StringComparison.Ordinal)..page.IndexOf(".Sh MANY COMMANDS", StringComparison.Ordinal)];
        string[] commands = [.. Example().Matches(examples).Select(static m => "print " + m.Groups["words"].Value
            .Replace("\\(aq", "'", StringComparison.Ordinal).Replace("\\-", "-", StringComparison.Ordinal))];
        Assert.True(commands.Length > 10);
        using TemporaryFolder folder = new();
        string batch = folder.File("batch");
        File.WriteAllLines(batch, commands);
        ToolResult result = Tool.Run(Executable.Vmcore, "exec", Dump, batch);
        foreach (string line in result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            using var answer = JsonDocument.Parse(line);
            Assert.True(answer.RootElement.GetProperty("status").GetInt32() == 0, line);
        }

        Assert.Equal((0, commands.Length), (result.ExitCode, result.Output.Count(static c => c == '\n')));
    }

    [Fact]
    public void SeveralValuesComeEachWithItsOwn()
    {
        ToolResult result = Tool.Run(Executable.Vmcore, "print", Dump, "1 + 1", "init_task.mm->pgd", "init_task.comm", "per_cpu(runqueues).cpu");
        Assert.Equal(1, result.ExitCode);
        Assert.StartsWith(
            "1 + 1 = (int)2\ninit_task.comm = (char [16])\"swapper/0\"\nper_cpu(runqueues).cpu = CPU 0: (int)0\n", result.Output, StringComparison.Ordinal);
        Assert.Equal("vmcore: the answer is not complete: 'init_task.mm->pgd': 'init_task.mm' is NULL\n", result.Error);
    }

    [Fact]
    public void JsonSaysOfWhichStructureEachIs()
    {
        const string Tasks = "list_for_each(init_task.tasks, struct task_struct, tasks)";
        using var answer = JsonDocument.Parse(Tool.Succeed(Executable.Vmcore, "print", Dump, "--json", Tasks + "->exit_state").Output);
        using var tasks = JsonDocument.Parse(Tool.Succeed(Executable.Vmcore, "print", Dump, "--json", Tasks).Output);
        JsonElement[] values = [.. answer.RootElement.GetProperty("values").EnumerateArray()];
        Assert.NotEmpty(values);
        Assert.Equal(tasks.RootElement.GetProperty("values").EnumerateArray().Select(static m => m.GetProperty("value").GetString()),
            values.Select(static v => v.GetProperty("element").GetString()));
        Assert.All(values, static v => Assert.Equal(0, v.GetProperty("value").GetInt32()));
        Assert.Equal(JsonValueKind.Null, answer.RootElement.GetProperty("value").ValueKind);
    }

    [Theory]
    [InlineData("--type: there is no variable in 'init_task.comm'", "--type", "int", "init_task.comm")]
    [InlineData("--type: there is no type 'struct nothing'", "--type", "struct nothing", "panic_on_warn")]
    [InlineData("'5 / 0': division by 0", "5 / 0")]
    [InlineData("'init_task.mm' is NULL", "init_task.mm->pgd")]
    [InlineData("--physical", "-p", "list_for_each(modules, struct module, list)")]
    public void WhatHasNoValueIsAnError(string message, params string[] words)
    {
        ToolResult result = Tool.Run(Executable.Vmcore, ["print", Dump, .. words]);
        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
    }

    [GeneratedRegex("^vmcore print vmcore (?<words>.*)$", RegexOptions.Multiline)]
    private static partial Regex Example();
}
