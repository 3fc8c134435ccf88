using Vmcore.Kdump.Capture;
using Vmcore.Kdump.Configuration;
using Vmcore.Kdump.Devices;
using Vmcore.Kdump.Initramfs;
using Vmcore.Testing.Kexec;

namespace Vmcore.Kdump.Tests.Capture;

/// <summary>The sequence after a crash, over a machine of which any part may fail: the end always comes, and one fault never costs the dump.</summary>
public sealed class CaptureInitTests
{
    private const string First = "11111111-1111-1111-1111-111111111111", Second = "22222222-2222-2222-2222-222222222222";

    [Fact]
    public void LogDumpAndReportAreSavedInThisOrder()
    {
        using TestTree tree = Tree("");
        FakeMachine machine = Run(new(tree));
        Assert.Equal(
            [
                "mount proc proc", "mount sysfs sysfs", "mount devtmpfs devtmpfs", "module a.ko", "module b.ko.xz packed", "mount /dev/vda1 ext4",
                "makedumpfile --dump-dmesg --message-level 4 /proc/vmcore", "makedumpfile --message-level 22 -d 31 -l /proc/vmcore",
                "report --output", "umount",
                "end Reboot",
            ],
            machine.Log);
        string folder = Assert.Single(Directory.GetDirectories(Path.Combine(machine.Disk("vda1"), "var", "crash")));
        Assert.Equal("vmcore-20261129T180000Z", Path.GetFileName(folder));
        Assert.Equal(["report.txt", "vmcore", "vmcore-dmesg.txt", "vmcore-kdump.log"], Names(folder));
        Assert.StartsWith(CaptureJournal.Mark, File.ReadAllText(Path.Combine(folder, "vmcore-kdump.log")), StringComparison.Ordinal);
        Assert.Contains("the dump is saved", machine.Said);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(folder));
    }

    [Fact]
    public void TheConfigurationReachesTheDumper()
    {
        using TestTree tree = Tree("level = 1,31\ncodec = zstd\ntime-limit = 5m\nreport = no\nfinal = poweroff\n");
        FakeMachine machine = Run(new(tree));
        Assert.Contains("makedumpfile --message-level 22 -d 1,31 -z --time-limit 300 /proc/vmcore", machine.Log);
        Assert.DoesNotContain(machine.Log, static l => l.StartsWith("report", StringComparison.Ordinal));
        Assert.Equal("end PowerOff", machine.Log[^1]);
    }

    /// <summary>Each call fails once, as the kernel says it or by an exception: there is a whole dump all the same, and the machine ends.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void OneFaultAnywhereCostsNoDump(bool throws)
    {
        var failed = new HashSet<string>(StringComparer.Ordinal);
        for (int at = 1; ; at++)
        {
            using TestTree tree = Tree("stall-limit = 60\n", First, Second);
            FakeMachine machine = Run(new(tree) { FailAt = at, Throws = throws });
            if (machine.Failed is null)
                break;
            failed.Add(machine.Failed);
            string where = $"call {at}, {machine.Failed}:\n{string.Join('\n', machine.Said)}\n{string.Join('\n', machine.Log)}";
            Assert.True(machine.Log.Count(static l => l == "end Reboot") == 1 && machine.Log[^1] == "end Reboot", where);
            string[] whole = [.. Directory.EnumerateFiles(tree.Root, "vmcore", SearchOption.AllDirectories)
                .Where(static f => !f.Contains("/proc/", StringComparison.Ordinal))];
            Assert.True(whole.Length > 0, where);
        }

        Assert.Superset(new HashSet<string>(["mount", "umount", "module", "wait", "start", "child", "hang", "fsync", "sync", "watchdog"]), failed);
    }

    [Theory]
    [InlineData(139, "signal 11 ended it")]
    [InlineData(137, "it was killed (out of memory")]
    [InlineData(1, "failed with exit status 1")]
    public void ADumperThatFailsLeavesWhatItHasAndTheNextTargetIsTried(int status, string said)
    {
        using TestTree tree = Tree("", First, Second);
        int dumps = 0;
        FakeMachine machine = Run(new(tree) { Child = words => words.Contains("-d") && ++dumps == 1 ? status : 0 });
        Assert.Contains(machine.Said, s => s.StartsWith("the dump: failed", StringComparison.Ordinal) && s.Contains(said, StringComparison.Ordinal));
        string folder = Assert.Single(Directory.GetDirectories(Path.Combine(machine.Disk("vda1"), "var", "crash")));
        Assert.Equal(status == 1 ? ["report.txt", "vmcore-dmesg.txt", "vmcore-incomplete", "vmcore-kdump.log"]
            : ["vmcore-dmesg.txt", "vmcore-kdump.log"], Names(folder));
        Assert.Contains("vmcore", Names(Assert.Single(Directory.GetDirectories(Path.Combine(machine.Disk("vdb1"), "var", "crash")))));
    }

    [Fact]
    public void AHangIsEndedAndAProcessThatCannotBeEndedIsLeftBehind()
    {
        using TestTree tree = Tree("stall-limit = 30\n", First, Second);
        int dumps = 0;
        FakeMachine machine = Run(new(tree) { HasWatchdog = true, Child = words => words.Contains("-d") && ++dumps == 1 ? null : 0 });
        Assert.Contains("the dump: it makes no step any more; ending it", machine.Said);
        Assert.Equal(["kill 15", "kill 9"], [.. machine.Log.Where(static l => l.StartsWith("kill", StringComparison.Ordinal))]);
        Assert.Contains("the dump is saved", machine.Said);
        Assert.True(machine.Fed > 300, "the watchdog is fed all the time");
        Assert.InRange(machine.Uptime.TotalSeconds, 30, 120);
    }

    [Fact]
    public void ADiskThatIsNotThereIsWaitedForAndTheNextIsTaken()
    {
        using TestTree tree = Tree("device-wait = 20\n", "33333333-0000-0000-0000-000000000000", Second);
        FakeMachine machine = Run(new(tree));
        Assert.Contains("no device has the file system UUID=33333333-0000-0000-0000-000000000000", machine.Said);
        Assert.True(machine.Uptime > TimeSpan.FromSeconds(20));
        Assert.Contains("the dump is saved", machine.Said);
    }

    [Theory]
    [InlineData("targets")]
    [InlineData("vmcore")]
    [InlineData("configuration")]
    public void WithoutWhatItNeedsTheMachineStartsAgain(string missing)
    {
        using TestTree tree = Tree("");
        if (missing == "targets")
            tree.Delete(CaptureTarget.Path);
        else if (missing == "vmcore")
            tree.Delete("/proc/vmcore");
        else
            tree.File(ConfigurationFile.Path, "keep = all\n");
        FakeMachine machine = Run(new(tree));
        Assert.Equal("end Reboot", machine.Log[^1]);
        Assert.Equal(missing == "configuration", machine.Said.Contains("the dump is saved"));
        Assert.Contains(machine.Said, s => s.Contains(
            missing switch { "targets" => "names no target", "vmcore" => "no /proc/vmcore", _ => "expected a number from 0 to 1000; going on" },
            StringComparison.Ordinal));
    }

    [Fact]
    public void ASymbolicLinkOnTheTargetIsNotFollowed()
    {
        using TestTree tree = Tree("", First, Second);
        var machine = new FakeMachine(tree);
        machine.WithDisk("vda1", First).WithDisk("vdb1", Second);
        Directory.CreateDirectory(Path.Combine(machine.Disk("vda1"), "elsewhere"));
        Directory.CreateSymbolicLink(Path.Combine(machine.Disk("vda1"), "var"), "elsewhere");
        new CaptureInit(machine).Run();
        Assert.Contains(machine.Said, static s => s.Contains("/var is a symbolic link on the target", StringComparison.Ordinal));
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(machine.Disk("vda1"), "elsewhere")));
        Assert.Contains("the dump is saved", machine.Said);
    }

    [Fact]
    public void ARawPartitionIsWrittenOnlyIfItIsOurs()
    {
        using TestTree tree = Tree("");
        tree.File(CaptureTarget.Path, CaptureTarget.Write(
            [new(TargetKind.Raw, "", $"UUID={First}", "", "", "raw one"), new(TargetKind.Raw, "", "/dev/vdb1", "", "", "raw two"),
             new(TargetKind.Console, "", "", "", "", "console")]));
        foreach (string name in (string[])["vda1", "vdb1"])
        {
            tree.Bytes($"/dev/{name}", []).File($"/sys/class/block/{name}/size", "1");
            using FileStream grown = File.OpenWrite($"{tree.Root}/dev/{name}");
            grown.SetLength(RawArea.SmallestDevice);
        }

        new RawArea(First, "empty").Write($"{tree.Root}/dev/vda1", []);
        var machine = new FakeMachine(tree) { Child = static words => words.Contains("-d") ? 1 : 0 };
        new CaptureInit(machine).Run();
        Assert.Contains($"makedumpfile --message-level 22 -d 31 -l -f -L {RawArea.RoomOf(RawArea.SmallestDevice)} /proc/vmcore", machine.Log);
        Assert.StartsWith("incomplete 2026-11-29", RawArea.TryRead($"{tree.Root}/dev/vda1", out _)!.State, StringComparison.Ordinal);
        Assert.Contains(machine.Said, static s => s.Contains("/dev/vdb1 is not ours: nothing is written to it", StringComparison.Ordinal));
        Assert.Single(machine.Log, static l => l.Contains(" -L ", StringComparison.Ordinal));
        Assert.Contains("vmcore-dmesg /proc/vmcore", machine.Log);
    }

    private static string[] Names(string folder) => [.. Directory.GetFiles(folder).Select(static f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];

    private static FakeMachine Run(FakeMachine machine)
    {
        new CaptureInit(machine.WithDisk("vda1", First).WithDisk("vdb1", Second)).Run();
        return machine;
    }

    private static TestTree Tree(string configuration, params string[] uuids) => new TestTree()
        .File(ConfigurationFile.Path, configuration)
        .File(CaptureTarget.Path, CaptureTarget.Write((uuids.Length == 0 ? [First] : uuids)
            .Select(static u => new CaptureTarget(TargetKind.FileSystem, "ext4", $"UUID={u}", "", "/var/crash", $"UUID={u} /var/crash"))))
        .File(InitramfsImage.ModuleList, "a.ko\nb.ko.xz\n")
        .File("/proc/vmcore", "x")
        .File("/proc/sys/kernel/osrelease", "6.12\n");
}
