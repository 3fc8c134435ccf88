using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Vmcore.IO;

/// <summary>Knows the files that the kernel makes up as they are read.</summary>
internal static partial class ProcFiles
{
    private const long ProcFileSystem = 0x9fa0; // PROC_SUPER_MAGIC of linux/magic.h

    /// <summary>True if a file is one of <c>/proc</c>.</summary>
    internal static unsafe bool Has(SafeFileHandle file)
    {
        // struct statfs is 120 bytes long and begins with the file system's type.
        long* status = stackalloc long[32];
        return FileStatus(file, status) == 0 && status[0] == ProcFileSystem;
    }

    [LibraryImport("libc", EntryPoint = "fstatfs")]
    private static unsafe partial int FileStatus(SafeFileHandle file, long* status);
}
