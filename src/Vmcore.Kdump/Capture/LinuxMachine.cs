using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Vmcore.Kdump.Configuration;
using Vmcore.Kexec;

namespace Vmcore.Kdump.Capture;

/// <summary>The machine that a capture kernel runs on.</summary>
internal sealed unsafe partial class LinuxMachine : ICaptureMachine
{
    // include/uapi/linux/mount.h, module.h, reboot.h; the same on every machine.
    private const ulong NoSuid = 2, NoDevices = 4, NoExecution = 8;
    private const int CompressedModule = 4;
    private const int RebootNow = 0x01234567, PowerOffNow = 0x4321fedc, HaltNow = unchecked((int)0xcdef0123);
    private const int DoNotWait = 1;
    private const int LazyUnmount = 2;

    private SafeFileHandle? _watchdog;

    /// <inheritdoc/>
    public SystemRoot Root { get; } = new("");

    /// <inheritdoc/>
    public TimeSpan Uptime => TimeSpan.FromMilliseconds(Environment.TickCount64);

    /// <inheritdoc/>
    public DateTime Now => DateTime.UtcNow;

    /// <summary>What init needs before anything else: files that only their owner may read.</summary>
    internal static void Prepare() => _ = SetMask(0x3f);

    /// <summary>
    /// Mounts /proc, if it is not there, and starts the executable once more as what it is: the C library knows the stack of the first thread from
    /// /proc/self/maps, and the runtime asks for it before any code of ours runs. Returns if it is there, or cannot be mounted.
    /// </summary>
    internal static void RestartWithProc()
    {
        if (!Directory.Exists("/proc/self") && Mount("proc", "/proc", "proc", NoSuid | NoDevices | NoExecution, "") == 0)
            _ = Execute("/init", ["/init", null]);
    }

    /// <inheritdoc/>
    public void Say(string line)
    {
        try
        {
            Console.Error.WriteLine($"vmcore kdump: {line}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // There is no console, or it is full; there is nobody else to tell.
        }
    }

    /// <inheritdoc/>
    public int Mount(string source, string target, string type, string options) =>
        Mount(source, target, type, type == "devtmpfs" ? NoSuid | NoExecution : NoSuid | NoDevices | NoExecution, options) == 0
            ? 0 : Marshal.GetLastPInvokeError();

    /// <inheritdoc/>
    public int Unmount(string target)
    {
        if (UnmountWith(target, 0) == 0)
            return 0;
        int error = Marshal.GetLastPInvokeError();
        return UnmountWith(target, LazyUnmount) == 0 ? 0 : error;
    }

    /// <inheritdoc/>
    public int LoadModule(string path, bool isCompressed)
    {
        if (Platform.All.FirstOrDefault(static p => p.ProcessArchitecture == RuntimeInformation.ProcessArchitecture) is not { } platform)
            return ErrorNames.NoDevice;
        using SafeFileHandle file = File.OpenHandle(path);
        fixed (byte* none = "\0"u8)
        {
            return Syscall(platform.SystemCalls.LoadModule, file.DangerousGetHandle(), (nint)none, isCompressed ? CompressedModule : 0) == 0
                ? 0 : Marshal.GetLastPInvokeError();
        }
    }

    /// <inheritdoc/>
    public int Bounded(Func<int> call, TimeSpan limit, Action meanwhile)
    {
        int result = ErrorNames.TimedOut;
        Exception? error = null;
        var thread = new Thread(
            () =>
            {
                try
                {
                    Volatile.Write(ref result, call());
                }
#pragma warning disable CA1031 // It is handed on below; on this thread it would end init, and with it the kernel.
                catch (Exception e)
                {
                    error = e;
                }
#pragma warning restore CA1031
            },
            1 << 18)
        {
            IsBackground = true,
        };
        thread.Start();
        TimeSpan end = Uptime + limit;
        while (!thread.Join(250))
        {
            meanwhile();
            if (Uptime > end)
                return ErrorNames.TimedOut;
        }

        return error is null ? Volatile.Read(ref result) : throw error;
    }

    /// <inheritdoc/>
    public int Start(IReadOnlyList<string> words)
    {
        nint[] arguments = [Word("/init"), .. words.Select(Word), 0];
        nint[] environment = [Word("PATH=/"), 0];
        int error = Spawn(out int pid, "/init", 0, 0, arguments, environment);
        foreach (nint word in (ReadOnlySpan<nint>)[.. arguments, .. environment])
            Marshal.FreeHGlobal(word);
        return error == 0 ? pid : -error;
    }

    /// <inheritdoc/>
    public bool HasEnded(int pid, out int status)
    {
        // Orphans become ours: they are reaped too.
        while (WaitFor(-1, out int raw, DoNotWait) is > 0 and var ended)
        {
            if (ended != pid)
                continue;
            status = (raw & 0x7f) == 0 ? (raw >> 8) & 0xff : 128 + (raw & 0x7f);
            return true;
        }

        status = 0;
        return false;
    }

    /// <inheritdoc/>
    public long ProgressOf(int pid)
    {
        // proc(5): the fields behind the name in parentheses; the 12th and 13th of them are the times in user and kernel mode.
        string stat = Root.TryReadText($"/proc/{pid}/stat", 1024) ?? "";
        string[] fields = stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return fields.Length > 12 && long.TryParse(fields[11], out long user) && long.TryParse(fields[12], out long system) ? user + system : 0;
    }

    /// <inheritdoc/>
    public void Kill(int pid, int signal) => _ = SendSignal(pid, signal);

    /// <inheritdoc/>
    public void Sleep(TimeSpan time) => Thread.Sleep(time);

    /// <inheritdoc/>
    public int SyncFolder(string path)
    {
        int fd = OpenFolder(path, 0);
        if (fd < 0)
            return Marshal.GetLastPInvokeError();
        using var handle = new SafeFileHandle(fd, ownsHandle: true);
        return Sync(fd) == 0 ? 0 : Marshal.GetLastPInvokeError();
    }

    /// <inheritdoc/>
    public int SyncAll()
    {
        SyncEverything();
        return 0;
    }

    /// <inheritdoc/>
    public bool OpenWatchdog()
    {
        try
        {
            _watchdog = File.OpenHandle("/dev/watchdog0", FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public void FeedWatchdog()
    {
        try
        {
            // Any byte but 'V', which would let it be closed without a reset (Documentation/watchdog/watchdog-api.rst).
            if (_watchdog is { } dog)
                RandomAccess.Write(dog, "1"u8, 0);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It resets the machine then, which is what it is for.
        }
    }

    /// <inheritdoc/>
    public void End(FinalAction action)
    {
        int command = action switch
        {
            FinalAction.PowerOff => PowerOffNow,
            FinalAction.Halt => HaltNow,
            _ => RebootNow,
        };
        // A driver may hang when its device is shut down. Then the machine is reset without asking the drivers.
        _ = Bounded(() => RebootWith(command), TimeSpan.FromSeconds(60), FeedWatchdog);
        Say("the machine does not end as it should: resetting it");
        try
        {
            File.WriteAllText("/proc/sysrq-trigger", "b");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The kernel ends with init, and panic= starts the machine again.
            return;
        }

        Thread.Sleep(Timeout.Infinite);
    }

    private static nint Word(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text + "\0");
        nint memory = Marshal.AllocHGlobal(bytes.Length);
        Marshal.Copy(bytes, 0, memory, bytes.Length);
        return memory;
    }

    [LibraryImport("libc", EntryPoint = "execv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Execute(string path, string?[] arguments);

    [LibraryImport("libc", EntryPoint = "umask")]
    private static partial uint SetMask(uint mask);

    [LibraryImport("libc", EntryPoint = "mount", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Mount(string source, string target, string type, ulong flags, string data);

    [LibraryImport("libc", EntryPoint = "umount2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int UnmountWith(string target, int flags);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint Syscall(nint number, nint a, nint b, nint c);

    [LibraryImport("libc", EntryPoint = "posix_spawn", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Spawn(out int pid, string path, nint fileActions, nint attributes, nint[] arguments, nint[] environment);

    [LibraryImport("libc", EntryPoint = "waitpid")]
    private static partial int WaitFor(int pid, out int status, int options);

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int SendSignal(int pid, int signal);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenFolder(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Sync(int fd);

    [LibraryImport("libc", EntryPoint = "sync")]
    private static partial void SyncEverything();

    [LibraryImport("libc", EntryPoint = "reboot", SetLastError = true)]
    private static partial int RebootWith(int command);
}
