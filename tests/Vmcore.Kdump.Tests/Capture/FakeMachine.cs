using Vmcore.Kdump.Capture;
using Vmcore.Kdump.Configuration;
using Vmcore.Kexec;
using Vmcore.Testing.Kexec;

namespace Vmcore.Kdump.Tests.Capture;

/// <summary>
/// A machine that is a folder: disks are folders below /disks that "mount" moves to its place, processes write what the real ones would, and time passes
/// when somebody sleeps. The call whose number is <see cref="FailAt"/> fails.
/// </summary>
internal sealed class FakeMachine : ICaptureMachine
{
    private readonly TestTree _tree;
    private readonly Dictionary<int, (int Polls, int Status)> _children = [];
    private readonly Dictionary<string, string> _mounts = new(StringComparer.Ordinal);
    private int _calls;
    private int _pid = 1;

    internal FakeMachine(TestTree tree)
    {
        _tree = tree;
        Root = new(tree.Root);
        foreach (string folder in (string[])["target", "tmp", "proc", "sys/class/block", "dev", "disks"])
            Directory.CreateDirectory(Path.Combine(tree.Root, folder));
    }

    /// <summary>The number of the call that fails, from 1; 0 for none.</summary>
    internal int FailAt { get; init; }

    /// <summary>True if it fails by an exception that nobody expects, as a fault of ours would.</summary>
    internal bool Throws { get; init; }

    /// <summary>What the failing call was.</summary>
    internal string? Failed { get; private set; }

    /// <summary>What a process does: its exit status; null if it never ends.</summary>
    internal Func<IReadOnlyList<string>, int?> Child { get; init; } = static _ => 0;

    internal bool HasWatchdog { get; init; }

    internal List<string> Said { get; } = [];

    internal List<string> Log { get; } = [];

    internal int Fed { get; private set; }

    public SystemRoot Root { get; }

    public TimeSpan Uptime { get; private set; } = TimeSpan.FromSeconds(1);

    public DateTime Now { get; set; } = new(2026, 11, 29, 18, 0, 0, DateTimeKind.Utc);

    internal string Disk(string name) => Path.Combine(_tree.Root, "disks", name);

    /// <summary>A disk with an ext4.</summary>
    internal FakeMachine WithDisk(string name, string uuid)
    {
        _tree.Bytes($"/dev/{name}", Trees.Ext4(uuid, "")).File($"/sys/class/block/{name}/size", "1");
        Directory.CreateDirectory(Disk(name));
        return this;
    }

    public void Say(string line) => Said.Add(line);

    public int Mount(string source, string target, string type, string options)
    {
        Log.Add($"mount {source} {type}");
        if (Fails("mount"))
            return 5;
        if (!source.StartsWith("/dev/", StringComparison.Ordinal))
            return 0;
        string disk = Disk(source["/dev/".Length..]);
        if (!Directory.Exists(disk))
            return 6;
        Directory.Delete(target, recursive: true);
        Directory.Move(disk, target);
        _mounts[target] = disk;
        return 0;
    }

    public int Unmount(string target)
    {
        Log.Add("umount");
        if (_mounts.Remove(target, out string? disk))
        {
            Directory.Move(target, disk);
            Directory.CreateDirectory(target);
        }

        return Fails("umount") ? 16 : 0;
    }

    public int LoadModule(string path, bool isCompressed)
    {
        Log.Add($"module {Path.GetFileName(path)}{(isCompressed ? " packed" : "")}");
        return Fails("module") ? 8 : 0;
    }

    public int Bounded(Func<int> call, TimeSpan limit, Action meanwhile)
    {
        if (!Fails("wait"))
            return call();
        Uptime += limit;
        return ErrorNames.TimedOut;
    }

    public int Start(IReadOnlyList<string> words)
    {
        Log.Add(string.Join(' ', words.Where(static w => !w.StartsWith(Path.GetTempPath(), StringComparison.Ordinal))));
        if (Fails("start"))
            return -12;
        int? status = Fails("child") ? 139 : Child(words);
        if (status is 0 or 1)
        {
            string output = words[0] switch
            {
                "report" => words[2],
                "vmcore-dmesg" => "",
                _ => words[^1],
            };
            if (output.Length > 0 && !output.Contains("/dev/", StringComparison.Ordinal))
                File.WriteAllText(output, words[0]);
        }

        _children[++_pid] = (status is null ? int.MaxValue : 3, status ?? 0);
        return _pid;
    }

    public bool HasEnded(int pid, out int status)
    {
        (int polls, status) = _children[pid];
        if (polls < int.MaxValue && Fails("hang"))
            polls = int.MaxValue;
        else if (polls < int.MaxValue)
            polls--;
        _children[pid] = (polls, status);
        return polls <= 0;
    }

    public long ProgressOf(int pid) => _children[pid].Polls;

    public void Kill(int pid, int signal)
    {
        Log.Add($"kill {signal}");
        if (signal == 9 && !Fails("kill"))
            _children[pid] = (0, 137);
    }

    public void Sleep(TimeSpan time) => Uptime += time;

    public int SyncFolder(string path) => Fails("fsync") ? 5 : 0;

    public int SyncAll() => Fails("sync") ? 5 : 0;

    public bool OpenWatchdog() => !Fails("watchdog") && HasWatchdog;

    public void FeedWatchdog() => Fed++;

    public void End(FinalAction action) => Log.Add($"end {action}");

    private bool Fails(string what)
    {
        if (++_calls != FailAt)
            return false;
        Failed = what;
        return Throws ? throw new InvalidOperationException($"a fault at {what}") : true;
    }
}
