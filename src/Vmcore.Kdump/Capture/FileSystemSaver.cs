using Vmcore.Kdump.Configuration;
using Vmcore.Kdump.Devices;
using Vmcore.Kdump.Initramfs;

namespace Vmcore.Kdump.Capture;

/// <summary>Saves log, dump and report to a folder of a file system. Each is on its device before the next is begun.</summary>
/// <param name="machine">The machine.</param>
/// <param name="journal">What is said.</param>
/// <param name="children">Runs the steps.</param>
/// <param name="configuration">How it is to be done.</param>
/// <param name="target">Where.</param>
internal sealed class FileSystemSaver(
    ICaptureMachine machine, CaptureJournal journal, ChildRunner children, KdumpConfiguration configuration, CaptureTarget target)
{
    private const string Top = "/target";

    // A journal is replayed when a file system is mounted that was in use at the crash.
    private static readonly TimeSpan s_mountLimit = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan s_fileLimit = TimeSpan.FromMinutes(5);

    /// <summary>Does it.</summary>
    /// <returns>True if the whole dump is there.</returns>
    internal bool Save()
    {
        string top = machine.Root.Map(Top);
        if (DeviceWaiter.Wait(machine, configuration.DeviceWait, root => DeviceFinder.ByFileSystem(root, target.Device)) is not { } name)
        {
            journal.Say($"no device has the file system {target.Device}");
            return false;
        }

        int error = Bounded(() => machine.Mount($"/dev/{name}", top, target.Type, target.Options), s_mountLimit);
        if (error != 0)
        {
            journal.Say($"{target.Device} (/dev/{name}, {target.Type}) cannot be mounted: {ErrorNames.Of(error)}");
            return false;
        }

        try
        {
            string folder = "";
            int made = Bounded(() => Made(folder = DumpFolders.Create(top, target.Folder, machine.Now)), s_fileLimit);
            return made == 0 ? Fill(folder) : Failed(made);
        }
        finally
        {
            if (Bounded(() => machine.Unmount(top), s_fileLimit) is not 0 and var fault)
                journal.Say($"{target.Title} cannot be unmounted: {ErrorNames.Of(fault)}");
        }

        static int Made(string folder) => folder.Length > 0 ? 0 : 1;
    }

    private bool Fill(string folder)
    {
        string shown = folder[machine.Root.Map(Top).Length..];
        // The mark first: whatever comes, the folder can be recognised as ours.
        SaveJournal(folder);
        string log = $"{folder}/{DumpFolders.Log}", dump = $"{folder}/{DumpFolders.Incomplete}", whole = $"{folder}/{DumpFolders.Whole}";
        if (children.Run("the log", CaptureCommands.Log(log), log, TimeSpan.Zero))
            journal.Say($"the log is saved: {shown}/{DumpFolders.Log}");
        bool isWhole = children.Run("the dump", CaptureCommands.Dump(configuration, dump, 0), dump, HardLimit(configuration));
        if (isWhole)
        {
            int error = Bounded(() => Renamed(dump, whole), s_fileLimit);
            error = error != 0 ? error : Bounded(() => machine.SyncFolder(folder), s_fileLimit);
            if (error != 0)
                return Failed(error);
            journal.Say($"the dump is saved: {shown}/{DumpFolders.Whole}");
        }
        else if (File.Exists(dump))
        {
            journal.Say($"what there is of the dump is left in {shown}/{DumpFolders.Incomplete}");
        }

        string made = isWhole ? whole : dump;
        if (configuration.Report && File.Exists(made)
            && children.Run("the report", CaptureCommands.Report(made, $"{folder}/{DumpFolders.Report}"), null, TimeSpan.FromMinutes(5)))
            journal.Say($"the report is saved: {shown}/{DumpFolders.Report}");
        if (isWhole)
            Prune(folder);
        SaveJournal(folder);
        Bounded(() => machine.SyncFolder(folder), s_fileLimit);
        return isWhole;
    }

    private void Prune(string folder)
    {
        string parent = folder[..folder.LastIndexOf('/')];
        Bounded(
            () =>
            {
                foreach (string name in DumpFolders.Prune(parent, folder, configuration.Keep, configuration.MaxSize))
                    journal.Say($"deleted the old dump {name}, as keep and max-size say");
                return 0;
            },
            s_fileLimit);
    }

    private void SaveJournal(string folder) => Bounded(() => Done(() => journal.Save(folder)), s_fileLimit);

    private static int Done(Action action)
    {
        action();
        return 0;
    }

    private static int Renamed(string from, string to)
    {
        File.Move(from, to);
        return 0;
    }

    private bool Failed(int error)
    {
        journal.Say($"{target.Title}: {ErrorNames.Of(error)}");
        return false;
    }

    // The dumper keeps to the limit itself; who does not gets half as much again, and a minute.
    internal static TimeSpan HardLimit(KdumpConfiguration configuration) =>
        configuration.TimeLimit == TimeSpan.Zero ? TimeSpan.Zero : (configuration.TimeLimit * 1.5) + TimeSpan.FromMinutes(1);

    // What fails is said, and is no reason to leave out the next step.
    private int Bounded(Func<int> call, TimeSpan limit)
    {
        try
        {
            return machine.Bounded(call, limit, machine.FeedWatchdog);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or VmcoreException)
        {
            journal.Say($"{target.Title}: {e.Message}");
            return e.HResult == 0 ? 1 : Math.Abs(e.HResult & 0xff);
        }
    }
}
