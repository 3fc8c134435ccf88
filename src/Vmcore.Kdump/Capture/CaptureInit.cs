using System.Globalization;
using Vmcore.Kdump.Configuration;
using Vmcore.Kdump.Initramfs;

namespace Vmcore.Kdump.Capture;

/// <summary>
/// The init of a capture kernel: mounts what it needs, loads the modules, saves log, dump and report to the first target that takes them, ends the
/// machine. Whatever fails, the next thing is tried, and the end always comes: were init to end, the kernel would panic.
/// </summary>
/// <param name="machine">The machine.</param>
internal sealed class CaptureInit(ICaptureMachine machine)
{
    private static readonly TimeSpan s_moduleLimit = TimeSpan.FromSeconds(60);
    private readonly CaptureJournal _journal = new(machine);

    /// <summary>True if this process is init of an initramfs that we made.</summary>
    internal static bool IsMe =>
        Environment.ProcessId == 1 && File.Exists("/init") && File.Exists(CaptureTarget.Path) && File.Exists(InitramfsImage.ModuleList);

    /// <summary>Does all of it. Returns only on a machine of the tests.</summary>
    internal void Run()
    {
        var configuration = new KdumpConfiguration();
        bool isSaved = false;
        Guarded(() => MountBase("/proc", "proc"));
        Guarded(() => MountBase("/sys", "sysfs"));
        Guarded(() => MountBase("/dev", "devtmpfs"));
        Guarded(() => configuration = ReadConfiguration() ?? configuration);
        string[] modules = [];
        Guarded(() => modules = (machine.Root.TryReadText(InitramfsImage.ModuleList) ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries));
        foreach (string module in modules)
            Guarded(() => LoadModule(module));
        // The module that drives it may just have been loaded.
        if (configuration.Watchdog)
            Guarded(OpenWatchdog);
        Guarded(() => isSaved = Save(configuration));
        Guarded(() => Wait(configuration, isSaved));
        machine.End(configuration.Final);
    }

    // Whatever it is: init must not end, what comes after may still work, and the machine must start again.
    private void Guarded(Action step)
    {
        try
        {
            step();
        }
#pragma warning disable CA1031 // See above.
        catch (Exception e)
        {
            _journal.Say(Words(e));
        }
#pragma warning restore CA1031
    }

    private static string Words(Exception e) => e is VmcoreException or IOException or UnauthorizedAccessException
        ? e.Message : $"internal error: {e.GetType().Name}: {e.Message}; please report it";

    private void MountBase(string target, string type)
    {
        int error = machine.Mount(type, machine.Root.Map(target), type, "");
        if (error is not (0 or ErrorNames.Busy))
            _journal.Say($"{target} cannot be mounted: {ErrorNames.Of(error)}");
    }

    private void OpenWatchdog()
    {
        if (machine.OpenWatchdog())
            _journal.Say("the machine has a watchdog, which is fed from now on");
    }

    private KdumpConfiguration? ReadConfiguration()
    {
        string release = machine.Root.TryReadText("/proc/sys/kernel/osrelease", 256) ?? "";
        _journal.Say($"init of the capture kernel, Linux {release}");
        try
        {
            return ConfigurationFile.Parse(machine.Root.TryReadText(ConfigurationFile.Path, ConfigurationFile.Limit) ?? "", ConfigurationFile.Path);
        }
        catch (KdumpException e)
        {
            // It was checked when the initramfs was made.
            _journal.Say($"{e.Message}; going on with the defaults");
            return null;
        }
    }

    private void LoadModule(string name)
    {
        string path = machine.Root.Map($"/modules/{Path.GetFileName(name)}");
        int error = machine.Bounded(
            () => machine.LoadModule(path, !name.EndsWith(".ko", StringComparison.Ordinal)), s_moduleLimit, machine.FeedWatchdog);
        // Loaded already, or for another device or CPU than this machine's.
        if (error is not (0 or ErrorNames.Exists or ErrorNames.NoDevice))
            _journal.Say($"module {name}: {ErrorNames.Of(error)}");
    }

    private bool Save(KdumpConfiguration configuration)
    {
        if (!File.Exists(machine.Root.Map(CaptureCommands.Input)))
        {
            _journal.Say("there is no /proc/vmcore: no kernel has crashed before this one, or it left no ELF core header; nothing is saved");
            return false;
        }

        IReadOnlyList<CaptureTarget> targets = CaptureTarget.Parse(machine.Root.TryReadText(CaptureTarget.Path) ?? "");
        if (targets.Count == 0)
            _journal.Say($"{CaptureTarget.Path} names no target");
        var children = new ChildRunner(machine, _journal, configuration);
        foreach (CaptureTarget target in targets)
        {
            _journal.Say($"saving to {target.Title}");
            try
            {
                bool isSaved = target.Kind switch
                {
                    TargetKind.FileSystem => new FileSystemSaver(machine, _journal, children, configuration, target).Save(),
                    TargetKind.Raw => new RawSaver(machine, _journal, children, configuration, target).Save(),
                    _ => children.Run("the log", CaptureCommands.LogToConsole, null, TimeSpan.FromMinutes(10)),
                };
                if (isSaved)
                    return true;
            }
#pragma warning disable CA1031 // The next target may still work.
            catch (Exception e)
            {
                _journal.Say(Words(e));
            }
#pragma warning restore CA1031
            _journal.Say($"not saved to {target.Title}");
        }

        return false;
    }

    private void Wait(KdumpConfiguration configuration, bool isSaved)
    {
        _journal.Say(isSaved ? "the dump is saved" : "NO WHOLE DUMP IS SAVED");
        if (machine.Bounded(machine.SyncAll, TimeSpan.FromSeconds(60), machine.FeedWatchdog) != 0)
            _journal.Say("what was written to a disk may not all be there: it does not answer");
        _journal.Say(string.Create(CultureInfo.InvariantCulture, $"{Verb(configuration.Final)} in {configuration.Delay.TotalSeconds:F0} s"));
        for (TimeSpan end = machine.Uptime + configuration.Delay; machine.Uptime < end;)
        {
            machine.FeedWatchdog();
            machine.Sleep(TimeSpan.FromMilliseconds(250));
        }
    }

    private static string Verb(FinalAction action) => action switch
    {
        FinalAction.PowerOff => "switching off",
        FinalAction.Halt => "stopping",
        _ => "starting the machine again",
    };
}
