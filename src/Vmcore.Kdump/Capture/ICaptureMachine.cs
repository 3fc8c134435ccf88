using Vmcore.Kdump.Configuration;
using Vmcore.Kexec;

namespace Vmcore.Kdump.Capture;

/// <summary>
/// What init asks of the kernel. One implementation makes system calls; the one of the tests fails at any of them. Calls that return a number give 0 or
/// an error number.
/// </summary>
internal interface ICaptureMachine
{
    /// <summary>The root of the file system.</summary>
    SystemRoot Root { get; }

    /// <summary>Time since the machine was started; it is never set.</summary>
    TimeSpan Uptime { get; }

    /// <summary>The time of day, UTC, by the machine's clock, which may be wrong.</summary>
    DateTime Now { get; }

    /// <summary>Says something on the console.</summary>
    void Say(string line);

    /// <summary>mount(2), with nosuid, noexec and, but for devtmpfs, nodev.</summary>
    int Mount(string source, string target, string type, string options);

    /// <summary>umount2(2).</summary>
    int Unmount(string target);

    /// <summary>finit_module(2).</summary>
    /// <param name="path">The file.</param>
    /// <param name="isCompressed">True if the kernel has to unpack it.</param>
    int LoadModule(string path, bool isCompressed);

    /// <summary>Does something that may never come back, such as a system call on a disk that is gone.</summary>
    /// <param name="call">What; it must touch nothing that is used later, since it may still be going on then.</param>
    /// <param name="limit">How long to wait.</param>
    /// <param name="meanwhile">What to do each quarter of a second.</param>
    /// <returns>What the call returned; ETIMEDOUT if it did not.</returns>
    int Bounded(Func<int> call, TimeSpan limit, Action meanwhile);

    /// <summary>Starts this executable again, as another process.</summary>
    /// <param name="words">Its command line.</param>
    /// <returns>Its PID; a negative error number if it cannot be started.</returns>
    int Start(IReadOnlyList<string> words);

    /// <summary>Asks whether a process has ended, without waiting.</summary>
    /// <param name="pid">Its PID.</param>
    /// <param name="status">Receives its exit status; 128 and the signal if a signal ended it.</param>
    bool HasEnded(int pid, out int status);

    /// <summary>A number that changes as long as a process computes or its writes go on; 0 if it cannot be told.</summary>
    long ProgressOf(int pid);

    /// <summary>kill(2).</summary>
    void Kill(int pid, int signal);

    /// <summary>Waits.</summary>
    void Sleep(TimeSpan time);

    /// <summary>fsync(2) of a folder.</summary>
    int SyncFolder(string path);

    /// <summary>sync(2).</summary>
    int SyncAll();

    /// <summary>Opens the watchdog if there is one. From then on it wants to be fed.</summary>
    /// <returns>True if there is one.</returns>
    bool OpenWatchdog();

    /// <summary>Feeds the watchdog, if it was opened.</summary>
    void FeedWatchdog();

    /// <summary>Ends the machine. Returns only on a machine of the tests.</summary>
    void End(FinalAction action);
}
