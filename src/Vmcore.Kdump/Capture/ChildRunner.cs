using Vmcore.Kdump.Configuration;

namespace Vmcore.Kdump.Capture;

/// <summary>
/// Runs a step of the capture as a process of its own, and watches it: what computes over damaged memory may crash, hang or run out of memory, and init
/// must not. Out of memory, the kernel ends the largest process, which is never init.
/// </summary>
/// <param name="machine">The machine.</param>
/// <param name="journal">What is said.</param>
/// <param name="configuration">The limits.</param>
internal sealed class ChildRunner(ICaptureMachine machine, CaptureJournal journal, KdumpConfiguration configuration)
{
    private const int Terminate = 15, KillNow = 9;
    private static readonly TimeSpan s_step = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(15);

    /// <summary>Runs a command line of this executable to its end.</summary>
    /// <param name="what">What it does, for messages.</param>
    /// <param name="words">The command line.</param>
    /// <param name="output">A file that grows while it works; null if there is none.</param>
    /// <param name="limit">Time that it may take; zero for no limit.</param>
    /// <returns>True if it says that it succeeded.</returns>
    internal bool Run(string what, IReadOnlyList<string> words, string? output, TimeSpan limit)
    {
        int pid = machine.Start(words);
        if (pid < 0)
        {
            journal.Say($"{what}: cannot be started: {ErrorNames.Of(-pid)}");
            return false;
        }

        TimeSpan started = machine.Uptime, moved = started;
        (long, long) last = default;
        int status;
        while (!machine.HasEnded(pid, out status))
        {
            machine.FeedWatchdog();
            machine.Sleep(s_step);
            (long, long) now = (machine.ProgressOf(pid), LengthOf(output));
            if (now != last)
                (last, moved) = (now, machine.Uptime);
            string? why = limit > TimeSpan.Zero && machine.Uptime - started > limit ? "it takes longer than it may"
                : configuration.StallLimit > TimeSpan.Zero && machine.Uptime - moved > configuration.StallLimit ? "it makes no step any more"
                : null;
            if (why is null)
                continue;
            journal.Say($"{what}: {why}; ending it");
            if (!End(pid, out status))
            {
                journal.Say($"{what}: it cannot be ended, since it waits for a device; going on without it");
                return false;
            }

            break;
        }

        if (status == 0)
            return true;
        journal.Say(status switch
        {
            128 + KillNow => $"{what}: failed: it was killed (out of memory, or its time was over)",
            > 128 => $"{what}: failed: signal {status - 128} ended it",
            _ => $"{what}: failed with exit status {status}",
        });
        return false;
    }

    // The dumper finishes its file on the first signal, so that what it has is of use.
    private bool End(int pid, out int status)
    {
        status = 0;
        foreach (int signal in (ReadOnlySpan<int>)[Terminate, KillNow])
        {
            machine.Kill(pid, signal);
            for (TimeSpan end = machine.Uptime + s_grace; machine.Uptime < end;)
            {
                if (machine.HasEnded(pid, out status))
                    return true;
                machine.FeedWatchdog();
                machine.Sleep(s_step);
            }
        }

        return false;
    }

    // statx(2) of a file whose device is gone answers out of memory.
    private static long LengthOf(string? file)
    {
        try
        {
            return file is not null && File.Exists(file) ? new FileInfo(file).Length : 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return 0;
        }
    }
}
