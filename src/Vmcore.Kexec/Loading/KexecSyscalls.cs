using System.Buffers;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Vmcore.Kexec;

/// <summary>The system calls of the running kernel.</summary>
public sealed unsafe partial class KexecSyscalls : IKexecSyscalls
{
    // GRND_NONBLOCK: early in the boot there may be no randomness, and the load must not wait for it.
    private const uint RandomNonblock = 1;

    // MFD_NOEXEC_SEAL (include/uapi/linux/memfd.h): with sysctl vm.memfd_noexec=2 the kernel makes no other file in memory.
    private const uint MemoryFileNoExec = 8;

    /// <inheritdoc/>
    public int Load(ulong entry, IReadOnlyList<Segment> segments, ulong flags)
    {
        var pins = new MemoryHandle[segments.Count];
        try
        {
            // Never of length 0: the address of an empty array is not defined.
            var array = new KexecSegment[Math.Max(1, segments.Count)];
            for (int i = 0; i < segments.Count; i++)
            {
                Segment segment = segments[i];
                pins[i] = segment.Data.Pin();
                array[i] = new()
                {
                    Buffer = (nint)pins[i].Pointer,
                    BufferSize = segment.Data.Length,
                    Memory = (nint)segment.Memory.Start,
                    MemorySize = (nint)segment.Memory.Length,
                };
            }

            fixed (KexecSegment* pointer = array)
                return Call(static n => n.Load, (nint)entry, segments.Count, segments.Count == 0 ? 0 : (nint)pointer, (nint)flags, 0);
        }
        finally
        {
            foreach (MemoryHandle pin in pins)
                pin.Dispose();
        }
    }

    /// <inheritdoc/>
    public int FileLoad(KernelImage kernel, ReadOnlyMemory<byte> initrd, string? initrdFile, ReadOnlyMemory<byte> commandLine, ulong flags)
    {
        using SafeFileHandle kernelHandle = kernel.IsPlainFile ? Open(kernel.File) : InMemory("kernel", kernel.Image);
        using SafeFileHandle? initrdHandle = initrd.IsEmpty ? null
            : initrdFile is not null ? Open(initrdFile)
            : InMemory("initrd", initrd);
        using MemoryHandle line = commandLine.Pin();
        return Call(
            static n => n.FileLoad,
            kernelHandle.DangerousGetHandle(),
            initrdHandle?.DangerousGetHandle() ?? -1,
            commandLine.Length,
            (nint)line.Pointer,
            (nint)(flags | (initrdHandle is null ? KexecAbi.FileNoInitramfs : 0)));
    }

    /// <inheritdoc/>
    public int FileUnload(ulong flags) => Call(static n => n.FileLoad, -1, -1, 0, 0, (nint)(flags | KexecAbi.FileUnload));

    /// <inheritdoc/>
    public bool? IsCrashKernelLoaded() => RunningSystemReader.IsLoaded(null, panic: true);

    /// <summary>Random bytes of the kernel; fewer or none if it has none yet.</summary>
    public static byte[] Random(int count)
    {
        byte[] bytes = new byte[count];
        fixed (byte* pointer = bytes)
        {
            return GetRandom(pointer, (nuint)count, RandomNonblock) == count ? bytes : [];
        }
    }

    private static SafeFileHandle Open(string file)
    {
        try
        {
            return File.OpenHandle(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw InputFile.Unreadable(file, "file", e);
        }
    }

    private static SafeFileHandle InMemory(string name, ReadOnlyMemory<byte> content)
    {
        int fd = CreateMemoryFile(name, MemoryFileNoExec);
        // Kernels before 6.3 do not know the flag.
        if (fd < 0 && Marshal.GetLastPInvokeError() == KexecAbi.Einval)
            fd = CreateMemoryFile(name, 0);
        if (fd < 0)
            throw new KexecException($"Cannot make a file in memory for the unpacked {name}: {Marshal.GetLastPInvokeErrorMessage()}; load with -c.");
        var handle = new SafeFileHandle(fd, ownsHandle: true);
        RandomAccess.Write(handle, content.Span, 0);
        return handle;
    }

    private static int Call(Func<SystemCallNumbers, int> number, nint a, nint b, nint c, nint d, nint e)
    {
        Platform platform = Platform.All.FirstOrDefault(static p => p.ProcessArchitecture == RuntimeInformation.ProcessArchitecture)
            ?? throw Platform.Unsupported(RuntimeInformation.ProcessArchitecture.ToString());
        return Syscall(number(platform.SystemCalls), a, b, c, d, e) == 0 ? 0 : Marshal.GetLastPInvokeError();
    }

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint Syscall(nint number, nint a, nint b, nint c, nint d, nint e);

    [LibraryImport("libc", EntryPoint = "getrandom")]
    private static partial nint GetRandom(byte* buffer, nuint length, uint flags);

    [LibraryImport("libc", EntryPoint = "memfd_create", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int CreateMemoryFile(string name, uint flags);

    [StructLayout(LayoutKind.Sequential)]
    private struct KexecSegment
    {
        public nint Buffer;
        public nint BufferSize;
        public nint Memory;
        public nint MemorySize;
    }
}
