using Vmcore.Kdump.Configuration;
using Vmcore.Kdump.Devices;
using Vmcore.Kdump.Initramfs;

namespace Vmcore.Kdump.Capture;

/// <summary>Saves log and dump to a partition without a file system: the dump from its beginning, the log near its end.</summary>
/// <param name="machine">The machine.</param>
/// <param name="journal">What is said.</param>
/// <param name="children">Runs the steps.</param>
/// <param name="configuration">How it is to be done.</param>
/// <param name="target">Where.</param>
internal sealed class RawSaver(ICaptureMachine machine, CaptureJournal journal, ChildRunner children, KdumpConfiguration configuration, CaptureTarget target)
{
    private const string Log = "/tmp/log";
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(5);

    /// <summary>Does it.</summary>
    /// <returns>True if the whole dump is there.</returns>
    internal bool Save()
    {
        if (DeviceWaiter.Wait(machine, configuration.DeviceWait, root => DeviceFinder.ByRawArea(root, target.Device)) is not { } name)
        {
            journal.Say($"no partition is the raw area {target.Device}");
            return false;
        }

        string device = machine.Root.Map($"/dev/{name}");
        if (RawArea.TryRead(device, out long size) is not { } area)
        {
            journal.Say($"/dev/{name} is not ours: nothing is written to it ('vmcore kdump prepare /dev/{name}' makes it ours)");
            return false;
        }

        string log = machine.Root.Map(Log);
        byte[] text = children.Run("the log", CaptureCommands.Log(log), log, TimeSpan.Zero) ? machine.Root.TryReadBytes(Log, 64 << 20) ?? [] : [];
        if (!Mark(area, device, "writing", text))
            return false;
        if (text.Length > 0)
            journal.Say($"the log is saved at the end of /dev/{name}");
        bool isWhole = children.Run(
            "the dump", CaptureCommands.Dump(configuration, device, RawArea.RoomOf(size)), null, FileSystemSaver.HardLimit(configuration));
        if (isWhole)
            journal.Say($"the dump is saved: /dev/{name}");
        return Mark(area, device, isWhole ? "whole" : "incomplete", []) && isWhole;
    }

    private bool Mark(RawArea area, string device, string state, byte[] text)
    {
        DateTime now = machine.Now;
        RawArea marked = area with { State = $"{state} {now.ToString("yyyy-MM-dd HH:mm:ss", System.Globalization.CultureInfo.InvariantCulture)} UTC" };
        int error = machine.Bounded(
            () =>
            {
                marked.Write(device, text);
                return 0;
            },
            s_limit,
            machine.FeedWatchdog);
        if (error != 0)
            journal.Say($"{target.Title} does not answer any more");
        return error == 0;
    }
}
