namespace Vmcore.Cli.Tests.Conformance;

/// <summary>The beginning of a dump of a real crash: what an analysis needs first is in it, and what is not is said to be missing.</summary>
public sealed class CutDumpTests : IDisposable
{
    private const long First = 16 << 20;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>The first 10 % or 16 MiB, whichever is more, answer as the whole dump does; of dumps that are smaller than that, the first 60 %.</summary>
    [Theory]
    [InlineData("sample rfc-v2-6.1", "31")]
    [InlineData("rfc-v2-6.1", "31")]
    [InlineData("stock-6.12", "31")]
    [InlineData("arm64-6.12-lpa2", "31")]
    public void TheBeginningAnswersAsTheWhole(string name, string level)
    {
        string dump = Dump(name, level);
        long size = new FileInfo(dump).Length;
        string[][] commands =
        [
            ["dmesg", dump], ["symbol", dump, "schedule"], ["type", dump, "task_struct"], ["bt", dump], ["bt", "-a", dump], ["ps", dump], ["modules", dump],
        ];
        string[] whole = [.. commands.Select(static c => Tool.Succeed(Executable.Vmcore, c).Output)];
        Cut(dump, size > First ? Math.Max(First, size / 10) : size * 6 / 10);
        for (int i = 0; i < commands.Length; i++)
            Assert.Equal(whole[i], Tool.Run(Executable.Vmcore, commands[i]).Output);
    }

    /// <summary>An answer that is not that of the whole dump is never without a word.</summary>
    [Theory]
    [InlineData("sample rfc-v2-6.1", "31")]
    [InlineData("stock-6.12", "1")]
    public void WhatIsMissingIsSaid(string name, string level)
    {
        string dump = Dump(name, level);
        long size = new FileInfo(dump).Length;
        string[][] commands =
        [
            ["dmesg", dump], ["symbol", dump, "schedule"], ["type", dump, "task_struct"], ["bt", "-a", dump], ["ps", dump], ["modules", dump],
            ["mounts", dump], ["pmem", dump], ["print", dump, "init_task"],
        ];
        string[] whole = [.. commands.Select(static c => Tool.Run(Executable.Vmcore, c).Output)];
        foreach (int percent in (int[])[90, 50, 20, 10, 5])
        {
            Cut(dump, size * percent / 100);
            for (int i = 0; i < commands.Length; i++)
            {
                ToolResult part = Tool.Run(Executable.Vmcore, commands[i]);
                if (part.Output != whole[i])
                    Assert.True(part.ExitCode == 1 && part.Error.Length > 0, $"{commands[i][0]} at {percent} %: exit status {part.ExitCode}, '{part.Error}'");
            }
        }
    }

    private static void Cut(string path, long length)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Write);
        file.SetLength(length);
    }

    private string Dump(string name, string level)
    {
        string dump = _folder.File("dump");
        Tool.Dump("-l", "-d", level, RealCrash.Get(name).Path, dump);
        return dump;
    }
}
