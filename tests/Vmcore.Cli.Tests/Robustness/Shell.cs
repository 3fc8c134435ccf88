using System.Diagnostics;

namespace Vmcore.Cli.Tests.Robustness;

/// <summary>What a command left behind.</summary>
internal sealed record Finished(int Status, string Output, string Errors)
{
    /// <summary>Both streams, without the progress that is drawn over.</summary>
    public string Text => Output + Errors.Replace('\r', '\n');

    /// <summary>Fails if a user would have seen what is for developers only.</summary>
    public Finished Clean()
    {
        Assert.DoesNotContain("   at ", Text, StringComparison.Ordinal);
        Assert.DoesNotContain("Unhandled", Text, StringComparison.Ordinal);
        Assert.DoesNotContain("internal error", Text, StringComparison.Ordinal);
        return this;
    }

    /// <summary>Fails unless the command failed with status 1 and said so in words.</summary>
    public Finished Refused(string words)
    {
        Clean();
        Assert.Equal(1, Status);
        Assert.Contains(words, Text, StringComparison.Ordinal);
        return this;
    }
}

/// <summary>Runs commands in a directory of their own; <c>$M</c> is our makedumpfile, <c>$D</c> the directory.</summary>
public sealed class Shell : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(5);

    public Shell()
    {
        Directory = System.IO.Directory.CreateTempSubdirectory("vmcore-robust-").FullName;
    }

    public string Directory { get; }

    public string PathOf(string name) => Path.Combine(Directory, name);

    /// <summary>Runs a script of sh to its end.</summary>
    internal Finished Run(string script)
    {
        using Process process = Start(script);
        Task<string> output = process.StandardOutput.ReadToEndAsync(), errors = process.StandardError.ReadToEndAsync();
        Assert.True(process.WaitForExit(s_patience), $"still running: {script}");
        return new(process.ExitCode, output.Result, errors.Result);
    }

    /// <summary>Starts a script of sh; say <c>exec</c> in it for the command to have the process's number.</summary>
    internal Process Start(string script)
    {
        var start = new ProcessStartInfo("/bin/sh")
        {
            UseShellExecute = false,
            WorkingDirectory = Directory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(script);
        start.Environment["M"] = Executable.Makedumpfile;
        start.Environment["D"] = Directory;
        return Process.Start(start)!;
    }

    public void Dispose() => System.IO.Directory.Delete(Directory, recursive: true);
}
