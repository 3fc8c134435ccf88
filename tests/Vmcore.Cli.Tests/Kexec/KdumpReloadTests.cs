using System.Diagnostics;

namespace Vmcore.Cli.Tests.Kexec;

/// <summary>The script that udev calls; it is run here with a command of the test in place of the kdump service.</summary>
public sealed class KdumpReloadTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vmcore-reload-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void OneEventReloadsOnce()
    {
        File.WriteAllText($"{_folder}/loaded", "1\n");
        Assert.Equal(0, Run("echo reload >> log").Wait());
        Assert.Equal(["reload"], File.ReadAllLines($"{_folder}/log"));
    }

    [Fact]
    public void ManyEventsReloadAFewTimesAndNoneIsLost()
    {
        File.WriteAllText($"{_folder}/loaded", "1\n");
        // Each reload notes how many events it has seen; the last must have seen all.
        List<Running> running = [];
        for (int i = 0; i < 12; i++)
        {
            File.AppendAllText($"{_folder}/events", "x");
            running.Add(Run("wc -c < events >> log"));
        }

        Assert.All(running, static r => Assert.Equal(0, r.Wait()));
        string[] seen = File.ReadAllLines($"{_folder}/log");
        Assert.Equal("12", seen[^1].Trim());
        Assert.InRange(seen.Length, 1, 12);
    }

    [Fact]
    public void AnEventWhileNothingIsLoadedBecauseOfAReloadIsNotLost()
    {
        File.WriteAllText($"{_folder}/loaded", "1\n");
        File.WriteAllText($"{_folder}/events", "x");
        // As services do it: unload, look at the system, load.
        const string reload = "echo 0 >loaded; wc -c <events >>log; : >looked; until [ -e go ]; do sleep 0.05; done; echo 1 >loaded";
        Running first = Run(reload);
        Assert.True(SpinWait.SpinUntil(() => File.Exists($"{_folder}/looked"), TimeSpan.FromMinutes(1)));
        File.AppendAllText($"{_folder}/events", "x");
        Assert.Equal(0, Run(reload).Wait());
        File.WriteAllText($"{_folder}/go", "");
        Assert.Equal(0, first.Wait());
        Assert.Equal("2", File.ReadAllLines($"{_folder}/log")[^1].Trim());
    }

    [Fact]
    public void WithoutACrashKernelNothingIsDone()
    {
        File.WriteAllText($"{_folder}/loaded", "0\n");
        Assert.Equal(0, Run("echo reload >> log").Wait());
        Assert.False(File.Exists($"{_folder}/log"));
    }

    /// <summary>What 'vmcore kdump load' loaded, it loads again, whatever else is installed.</summary>
    [Fact]
    public void OursIsLoadedByOurs()
    {
        File.WriteAllText($"{_folder}/loaded", "1\n");
        File.WriteAllText($"{_folder}/own", "");
        Assert.Equal(0, Run("").Wait());
        Assert.Equal(["kdump load"], File.ReadAllLines($"{_folder}/log"));
    }

    private Running Run(string reload)
    {
        var start = new ProcessStartInfo("sh", [Script(), "--now"]) { WorkingDirectory = _folder, UseShellExecute = false, RedirectStandardError = true };
        start.Environment["VMCORE_RELOAD"] = reload;
        start.Environment["VMCORE_SETTLE"] = "0.1";
        start.Environment["VMCORE_STATE"] = $"{_folder}/state";
        start.Environment["VMCORE_LOADED"] = $"{_folder}/loaded";
        start.Environment["VMCORE_OWN"] = $"{_folder}/own";
        start.Environment["VMCORE_PROGRAM"] = $"{_folder}/program";
        File.WriteAllText($"{_folder}/program", "#!/bin/sh\necho \"$@\" >>log\n");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode($"{_folder}/program", UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        start.Environment["VMCORE_SETTINGS"] = $"{_folder}/none";
        return new(Process.Start(start)!);
    }

    private static string Script() => Path.Combine(Repository.Root, "packaging", "udev", "kdump-reload");

    private sealed record Running(Process Process)
    {
        public int Wait()
        {
            Process.WaitForExit();
            using (Process)
                return Process.ExitCode;
        }
    }
}
