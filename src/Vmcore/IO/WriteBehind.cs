using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Vmcore.IO;

/// <summary>
/// Has the kernel write a growing file to its device while the rest of it is still made, so that little is left to wait for at the end. By itself
/// the kernel begins when a tenth of the memory is dirty, which can be all of a dump. A
/// thread of its own does it: the call waits when the device's queue is full.
/// </summary>
internal sealed partial class WriteBehind : IDisposable
{
    /// <summary>Bytes that are worth a call.</summary>
    private const long Step = 16 << 20;

    private const uint StartWriting = 2; // SYNC_FILE_RANGE_WRITE

    private readonly SafeFileHandle _file;
    private readonly Lock _lock = new();
    private Thread? _thread;
    private AutoResetEvent? _wake;
    private long _begun;
    private long _end;
    private bool _closed;

    internal WriteBehind(SafeFileHandle file) => _file = file;

    /// <summary>Tells that the file has grown.</summary>
    /// <param name="end">One past the highest byte written.</param>
    internal void Grown(long end)
    {
        if (end - _end < Step || !OperatingSystem.IsLinux())
            return;
        lock (_lock)
            _end = end;
        if (_thread is null)
        {
            _wake = new(initialState: false);
            _thread = new(Run, maxStackSize: 256 << 10) { IsBackground = true };
            _thread.Start();
        }

        _wake!.Set();
    }

    /// <summary>Ends the thread; what it began goes on.</summary>
    public void Dispose()
    {
        if (_thread is null)
            return;
        lock (_lock)
            _closed = true;
        _wake!.Set();
        _thread.Join();
        _wake.Dispose();
        _thread = null;
    }

    private void Run()
    {
        while (true)
        {
            _wake!.WaitOne();
            long end;
            lock (_lock)
            {
                if (_closed)
                    return;
                end = _end;
            }

            // A device or a file system that knows no such thing refuses; the flush at the end does it all then.
            if (sync_file_range(_file, _begun, end - _begun, StartWriting) != 0)
                return;
            _begun = end;
        }
    }

    [LibraryImport("libc")]
    private static partial int sync_file_range(SafeFileHandle file, long offset, long length, uint flags);
}
