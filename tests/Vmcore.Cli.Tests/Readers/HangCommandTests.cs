using System.Text.Json;
using Vmcore.Cli.Tests.Conformance;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>What is asked first of a machine that hung, on the sample of a real crash: tasks by state and time, equal stacks, locks, run queues.</summary>
public sealed class HangCommandTests
{
    private static string Dump => RealCrash.Get("sample rfc-v2-6.1").Path;

    [Theory]
    [InlineData("R", "R")]
    [InlineData("S,I", "SI")]
    [InlineData("SI", "SI")]
    public void TasksAreChosenByTheirState(string option, string letters)
    {
        JsonElement[] chosen = Tasks("ps", "--state", option), all = Tasks("ps", "--threads");
        Assert.NotEmpty(chosen);
        Assert.Equal(all.Where(t => letters.Contains(State(t), StringComparison.Ordinal)).Select(Address), chosen.Select(Address));
        JsonElement[] stacks = [.. Answer("bt", "--state", option).GetProperty("stacks").EnumerateArray()];
        Assert.Equal(chosen.Select(Address), stacks.Select(static s => Address(s.GetProperty("task"))));
    }

    [Theory]
    [InlineData("ps", "--state", "Q")]
    [InlineData("ps", "--state", "")]
    [InlineData("bt", "--state", "d")]
    [InlineData("bt", "--state", "D", "--all")]
    [InlineData("bt", "--group", "--cpus")]
    public void WhatIsNoStateAndWhatContradictsIsRefused(string command, params string[] words)
    {
        ToolResult result = Tool.Run(Executable.Vmcore, [command, Dump, .. words]);
        Assert.Equal(1, result.ExitCode);
        Assert.Single(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    /// <summary>Each task once, with the stack that it has alone; the largest group first.</summary>
    [Fact]
    public void GroupsHaveEveryTaskWithItsOwnStack()
    {
        JsonElement[] groups = [.. Answer("bt", "--group").GetProperty("groups").EnumerateArray()];
        Dictionary<string, string> alone = Answer("bt", "--all").GetProperty("stacks").EnumerateArray().ToDictionary(
            static s => Address(s.GetProperty("task")), Code);
        Assert.Equal(alone.Keys.Order(), groups.SelectMany(static g => g.GetProperty("tasks").EnumerateArray()).Select(Address).Order());
        foreach (JsonElement group in groups)
            Assert.All(group.GetProperty("tasks").EnumerateArray(), t => Assert.Equal(Code(group.GetProperty("stack")), alone[Address(t)]));
        int[] sizes = [.. groups.Select(static g => g.GetProperty("tasks").GetArrayLength())];
        Assert.Equal(sizes.OrderDescending(), sizes);
        Assert.True(sizes[0] > 5 && groups.Length == alone.Values.Distinct().Count(), $"{groups.Length} groups, the largest of {sizes[0]}");
        Assert.Contains($"{sizes[0]} tasks with this stack\n", Tool.Succeed(Executable.Vmcore, "bt", "-g", Dump).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void TimesAreInOrder()
    {
        ulong now = Answer("runq").GetProperty("now_ns").GetUInt64();
        foreach (JsonElement task in Tasks("ps", "--threads").Where(static t => t.GetProperty("pid").GetInt32() != 0))
        {
            ulong least = task.GetProperty("in_state_at_least_ns").GetUInt64(), most = task.GetProperty("in_state_at_most_ns").GetUInt64();
            Assert.InRange(least, 0UL, most);
            Assert.InRange(most, least, now);
            Assert.InRange(task.GetProperty("started_ns").GetUInt64(), 1UL, now);
            Assert.InRange(task.GetProperty("run_ns").GetUInt64(), 0UL, now);
        }
    }

    /// <summary>What each CPU ran by its run queue is what ran by the list of tasks; nothing that waited for a CPU slept.</summary>
    [Fact]
    public void RunQueuesAgreeWithTheTasks()
    {
        JsonElement[] queues = [.. Answer("runq").GetProperty("run_queues").EnumerateArray()];
        Assert.Equal(Tasks("ps", "--running").Select(Address).Order(), queues.Select(static q => Address(q.GetProperty("current"))).Order());
        Assert.All(queues.SelectMany(static q => q.GetProperty("queued").EnumerateArray()), static t => Assert.Equal("R", State(t.GetProperty("task"))));
    }

    /// <summary>Idle threads of the kernel sleep in wait queues that are known by name; nothing was locked in the sample.</summary>
    [Fact]
    public void WaitQueuesAreNamed()
    {
        JsonElement[] locks = [.. Answer("locks", "--all").GetProperty("locks").EnumerateArray()];
        Assert.Contains(locks, static l => l.GetProperty("symbol").GetString() == "oom_reaper_wait" && l.GetProperty("kind").GetString() == "wait_queue");
        Assert.Contains(locks, static l => l.GetProperty("symbol").GetString()!.StartsWith("rcu_state", StringComparison.Ordinal)
            && l.GetProperty("kind").GetString() == "simple_wait_queue");
        Assert.All(locks, static l => Assert.NotEmpty(l.GetProperty("waits").EnumerateArray()));
        Assert.Equal("no task slept for a lock\n", Tool.Succeed(Executable.Vmcore, "locks", Dump).Output);
    }

    private static JsonElement[] Tasks(string command, params string[] words) => [.. Answer(command, words).GetProperty("tasks").EnumerateArray()];

    private static JsonElement Answer(string command, params string[] words)
    {
        using JsonDocument answer = JsonDocument.Parse(Tool.Succeed(Executable.Vmcore, [command, "--json", Dump, .. words]).Output);
        return answer.RootElement.Clone();
    }

    private static string Address(JsonElement task) => task.GetProperty("address").GetString()!;

    private static string State(JsonElement task) => task.GetProperty("state").GetString()!;

    // Of frames in user mode only that they are there: one that has no symbol.
    private static string Code(JsonElement stack) => string.Join(' ', stack.GetProperty("frames").EnumerateArray().Select(static f =>
        f.GetProperty("registers").ValueKind != JsonValueKind.Null && f.GetProperty("symbol").ValueKind == JsonValueKind.Null
            ? "user" : f.GetProperty("address").GetString()));
}
