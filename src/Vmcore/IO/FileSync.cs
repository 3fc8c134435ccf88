using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Vmcore.IO;

/// <summary>
/// Asks the kernel whether what was written to a file has reached its device: the one place for all that is to last. The runtime's own flush swallows what
/// fsync(2) answers, and that is where network file systems, quotas, thin volumes and failing disks say that data are lost.
/// </summary>
internal static partial class FileSync
{
    private const int Interrupted = 4, InvalidArgument = 22, ReadOnlyFileSystem = 30, NotSupported = 95;

    /// <summary>fsync(2).</summary>
    /// <param name="file">The open file.</param>
    /// <returns>0, or errno.</returns>
    internal delegate int Call(SafeFileHandle file);

    /// <summary>Waits until all of a file has reached its device.</summary>
    /// <param name="file">The open file.</param>
    /// <param name="name">Its name, for the error.</param>
    /// <param name="call">What asks; null for fsync(2).</param>
    /// <exception cref="FileAccessException">It has not, and will not; <see cref="FileAccessException.IsNoSpace"/> if there was no room for it.</exception>
    internal static void Flush(SafeFileHandle file, string name, Call? call = null)
    {
        int error;
        do
            error = (call ?? Sync)(file);
        while (error == Interrupted);
        // Pipes, sockets and some devices keep nothing that could be flushed; fsync(2) gives these for them.
        if (error is 0 or InvalidArgument or ReadOnlyFileSystem or NotSupported)
            return;
        throw FileErrors.Describe(name, "finish", new IOException(Marshal.GetPInvokeErrorMessage(error), error));
    }

    private static int Sync(SafeFileHandle file) => Synchronise(file) == 0 ? 0 : Marshal.GetLastPInvokeError();

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Synchronise(SafeFileHandle file);
}
