using System.Diagnostics;
using System.Text.Json;
using Vmcore.Cli.Tests.Conformance;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>Many commands on one opened dump, on the sample of a real crash.</summary>
public sealed class ExecCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static string Dump => RealCrash.Get("sample rfc-v2-6.1").Path;

    /// <inheritdoc/>
    public void Dispose() => _folder.Dispose();

    /// <summary>Each answer, also of a command that fails and after others, is the one that the command gives by itself.</summary>
    [Fact]
    public void AnswersAreThoseOfTheCommands()
    {
        string[] commands =
        [
            "info", "ps -T", "bt -a", "bt -g", "report", "mounts", "symbol nosuch", "pmem", "pmem --page 0x100700", "map", "dmesg", "verify",
            "print init_task.tasks", "print nosuch", "type page", "symbol schedule", "read linux_banner 64 -f u8", "vtop init_task", "locks -a", "runq",
            "modules", "print init_task.comm",
        ];
        JsonElement[] lines = Lines(Run([.. commands]), commands.Length);
        for (int i = 0; i < commands.Length; i++)
        {
            string[] words = commands[i].Split(' ');
            ToolResult alone = Tool.Run(Executable.Vmcore, [words[0], Dump, .. words[1..], "--json"]);
            Assert.Equal((commands[i], alone.ExitCode), (Text(lines[i], "command"), lines[i].GetProperty("status").GetInt32()));
            string said = string.Concat(lines[i].GetProperty("messages").EnumerateArray().Select(static m => m.GetString() + "\n"));
            if (alone.Output.Length > 0)
                Assert.Equal(Compact(alone.Output), JsonSerializer.Serialize(lines[i].GetProperty("answer")));
            else
                said = $"vmcore: {Text(lines[i], "error")}\n";
            Assert.Equal(alone.Error, said);
        }
    }

    /// <summary>What would open something else, or write, is refused; nothing of it ends the batch, and the exit status is the worst.</summary>
    [Theory]
    [InlineData("ps other.vmcore -T --part x")]
    [InlineData("pmem other.vmcore")]
    [InlineData("bt --vmlinux /vmlinux")]
    [InlineData("type page --btf x")]
    [InlineData("pmem --raw")]
    [InlineData("info -i x")]
    [InlineData("report -o OUT.html")]
    [InlineData("map --output OUT.png")]
    [InlineData("map --output=OUT.png -f")]
    [InlineData("triage .")]
    [InlineData("exec")]
    [InlineData("makedumpfile -d 31 x y")]
    [InlineData("nosuch")]
    [InlineData("ps --nosuch")]
    [InlineData("ps --help")]
    [InlineData("--version")]
    [InlineData("info --version")]
    [InlineData("[suggest:1] ps")]
    [InlineData("type @ARGS")]
    [InlineData("print 'init_task")]
    [InlineData("print init_task\\")]
    public void WhatIsNotForABatchIsRefused(string command)
    {
        string output = _folder.File("OUT"), arguments = _folder.File("ARGS");
        File.WriteAllText(arguments, "page\n");
        command = command.Replace("OUT", output, StringComparison.Ordinal).Replace("ARGS", arguments, StringComparison.Ordinal);
        ToolResult result = Run(command, "symbol schedule");
        Assert.Equal(1, result.ExitCode);
        JsonElement[] lines = Lines(result, 2);
        Assert.Equal((1, JsonValueKind.Null), (lines[0].GetProperty("status").GetInt32(), lines[0].GetProperty("answer").ValueKind));
        Assert.NotEmpty(Text(lines[0], "error")!);
        Assert.Equal((0, JsonValueKind.Object), (lines[1].GetProperty("status").GetInt32(), lines[1].GetProperty("answer").ValueKind));
        Assert.Empty(Directory.EnumerateFiles(Path.GetDirectoryName(output)!, "OUT*"));
    }

    [Theory]
    [InlineData("a\\ b", "a b")]
    [InlineData("'a  \"b'\\''c'", "a  \"b'c")]
    [InlineData("\"a\\\"b\\$c\\d\"", "a\"b$c\\d")]
    [InlineData("a#b # c", "a#b")]
    [InlineData("\ta\r", "a")]
    [InlineData("''", "")]
    [InlineData("$HOME*`~>", "$HOME*`~>")]
    public void WordsAreThoseOfAShell(string line, string word)
    {
        JsonElement[] lines = Lines(Run(line), 1);
        Assert.Equal($"there is no command '{word}'", Text(lines[0], "error"));
    }

    [Fact]
    public void FilesAndStandardInputFollowEachOther()
    {
        string first = _folder.File("first"), input = _folder.File("input");
        File.WriteAllText(first, "# nothing\n\nsymbol panic\n");
        File.WriteAllText(input, "symbol schedule");
        JsonElement[] lines = Lines(Tool.RunWithInput(Executable.Vmcore, input, "exec", Dump, first, "-", first), 3);
        Assert.Equal(["symbol panic", "symbol schedule", "symbol panic"], lines.Select(static l => Text(l, "command")!));
        Assert.Equal([(first, 3), ("-", 1), (first, 3)], lines.Select(static l => (Text(l, "commands")!, l.GetProperty("line").GetInt32())));
    }

    [Fact]
    public void ALineThatIsTooLongIsOneCommandThatFails()
    {
        JsonElement[] lines = Lines(Run("print " + new string('x', 1 << 17), "symbol schedule"), 2);
        Assert.Contains("more than 65536 bytes", Text(lines[0], "error"), StringComparison.Ordinal);
        Assert.Null(Text(lines[1], "error"));
    }

    [Fact]
    public void TextStandsBehindItsCommand()
    {
        ToolResult result = Run(["--text"], "symbol panic", "symbol nosuch", "nosuch", "print init_task.comm");
        Assert.Equal(1, result.ExitCode);
        string alone = Tool.Succeed(Executable.Vmcore, "symbol", Dump, "panic").Output;
        Assert.Equal($"> symbol panic\n{alone}\n> symbol nosuch\n\n> nosuch\n\n> print init_task.comm\n(char [16])\"swapper/0\"\n\n", result.Output);
        Assert.Contains("vmcore: -: line 3: there is no command 'nosuch'\n", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--json", "--text")]
    [InlineData("/nosuch")]
    [InlineData("/")]
    public void ABatchThatCannotBeginIsAnError(params string[] words)
    {
        ToolResult result = Tool.Run(Executable.Vmcore, ["exec", Dump, .. words]);
        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.Single(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    /// <summary>A program may ask, wait for the answer, and ask again.</summary>
    [Fact]
    public async Task EachAnswerComesBeforeTheNextCommand()
    {
        using Process process = Process.Start(new ProcessStartInfo(Executable.Vmcore, ["exec", Dump])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        foreach (string name in (string[])["schedule", "panic"])
        {
            await process.StandardInput.WriteAsync($"symbol {name}\n");
            await process.StandardInput.FlushAsync(TestContext.Current.CancellationToken);
            string? line = await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken).AsTask()
                .WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
            Assert.Contains($"\"command\":\"symbol {name}\"", line, StringComparison.Ordinal);
        }

        process.StandardInput.Close();
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, process.ExitCode);
    }

    private ToolResult Run(params string[] commands) => Run([], commands);

    private ToolResult Run(string[] options, params string[] commands)
    {
        string input = _folder.File("commands");
        File.WriteAllText(input, string.Join('\n', commands));
        return Tool.RunWithInput(Executable.Vmcore, input, ["exec", Dump, .. options]);
    }

    private static JsonElement[] Lines(ToolResult result, int count)
    {
        string[] lines = result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.True(lines.Length == count, result.Output + result.Error);
        return [.. lines.Select(static l => JsonDocument.Parse(l).RootElement.Clone())];
    }

    private static string? Text(JsonElement line, string name) => line.GetProperty(name).GetString();

    private static string Compact(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        return JsonSerializer.Serialize(document.RootElement);
    }

    /// <summary>Where nobody reads the answers any more, no more are made.</summary>
    [Fact]
    public void WhoeverHasEnoughEndsIt()
    {
        ToolResult ended = Tool.Run("/bin/sh", "-c",
            $"yes 'print 1' 2>/dev/null | (timeout 60 '{Executable.Reader}' exec '{PatchedSample.Original}'; echo $? >&2) | head -n 1");
        Assert.Equal("0", ended.Error.Trim());
    }
}
