using System.Text.Json;
using Vmcore.Cli.Tests.Conformance;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>What is asked for wrongly is said to be, and takes nothing from what is asked for beside it.</summary>
public sealed class WrongWordsTests
{
    private static string Dump => PatchedSample.Original;

    [Theory]
    [InlineData("there is no symbol 'zz'", "zz")]
    [InlineData("'init_task' is there once, and not for each CPU", "per_cpu(init_task, 0)")]
    [InlineData("'children' of 'struct task_struct' is a 'struct list_head'", "container_of(&init_task.rcu_users, struct task_struct, children)")]
    [InlineData("links it into no such list", "list_for_each(init_task.tasks, struct task_struct, comm)")]
    [InlineData("several symbols are called 'set_is_seen': 0x", "set_is_seen")]
    [InlineData("which was freed when it had started", "*(int *)&__setup_start")]
    [InlineData("the address is LIST_POISON1", "*(int *)0xdead000000000108")]
    [InlineData("user data on pmem, which is never shown", "*(int *)(page_offset_base + 0x101000000)")]
    public void AWrongAnswerIsNotGiven(string message, string expression)
    {
        ToolResult result = Tool.Run(Executable.Vmcore, "print", Dump, expression);
        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
        using var answer = JsonDocument.Parse(Tool.Run(Executable.Vmcore, "print", "--json", Dump, expression).Output);
        JsonElement value = Assert.Single(answer.RootElement.GetProperty("values").EnumerateArray());
        Assert.Contains(message, value.GetProperty("error").GetString()!, StringComparison.Ordinal);
        Assert.Equal("expression_failed", Assert.Single(answer.RootElement.GetProperty("gap_codes").EnumerateArray()).GetString());
    }

    [Fact]
    public void ConstantsHaveTheirNames() =>
        Assert.Equal("(enum pageflags)PG_dirty\n", Tool.Succeed(Executable.Vmcore, "print", Dump, "PG_dirty").Output);

    /// <summary>Kernels are built with -funsigned-char from 6.2 on, and for arm64 it is the usual one; the BTF of these says so.</summary>
    [Theory]
    [InlineData("sample rfc-v2-6.1", "1")]
    [InlineData("stock-6.12", "0")]
    [InlineData("arm64-6.12-lpa2", "0")]
    [InlineData("arm64-6.1", "0")]
    public void CharHasTheSignThatItHadInTheKernel(string name, string isSigned) =>
        Assert.Equal($"(int){isSigned}\n", Tool.Succeed(Executable.Vmcore, "print", RealCrash.Get(name).Path, "(char)255 < 0").Output);

    [Theory]
    [InlineData("whatis", "init_task", "zz", "panic")]
    [InlineData("dis", "panic", "zz", "schedule")]
    public void OneWrongWordTakesNothingFromTheOthers(string command, string first, string wrong, string last)
    {
        ToolResult result = Tool.Run(Executable.Reader, command, Dump, first, wrong, last);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains(first, result.Output, StringComparison.Ordinal);
        Assert.Contains(last, result.Output, StringComparison.Ordinal);
        Assert.Contains("no symbol", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("lies behind the end of schedule, which has 0x", "schedule+0x100000")]
    [InlineData("--count: found 0, expected 1 or more", "schedule", "-n", "0")]
    public void CodeThatIsNotThereIsNotShown(string message, params string[] words)
    {
        ToolResult result = Tool.Run(Executable.Reader, ["dis", Dump, .. words]);
        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void AnAddressThatAProcessHasNotIsSaidToBeNone()
    {
        ToolResult result = Tool.Run(Executable.Vmcore, "read", "--pid", "121", Dump, "0x10000");
        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.Contains("process 121 has nothing mapped there", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void ALineWithANulIsNoCommand()
    {
        using TemporaryFolder folder = new();
        File.WriteAllText(folder.File("batch"), "print 1\0 + 1\nprint 2\n");
        ToolResult result = Tool.Run(Executable.Vmcore, "exec", Dump, folder.File("batch"));
        string[] lines = result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal((1, 2), (result.ExitCode, lines.Length));
        Assert.Contains("NUL", lines[0], StringComparison.Ordinal);
        Assert.Contains("\"status\":0", lines[1].Replace(" ", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    /// <summary>The files of a split dump may follow each other, or be named as everywhere else.</summary>
    [Fact]
    public void EveryCommandTakesPartsByTheirOption()
    {
        using TemporaryFolder folder = new();
        Tool.Dump("-d", "31", "-l", "--split", Dump, folder.File("a"), folder.File("b"));
        Assert.Equal(Tool.Succeed(Executable.Vmcore, "io", folder.File("a"), folder.File("b")).Output,
            Tool.Succeed(Executable.Vmcore, "io", folder.File("a"), "--part", folder.File("b")).Output);
    }
}
