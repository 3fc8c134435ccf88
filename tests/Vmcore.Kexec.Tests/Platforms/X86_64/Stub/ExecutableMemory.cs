using System.Runtime.InteropServices;

namespace Vmcore.Kexec.Tests.Platforms.X86_64.Stub;

/// <summary>Memory of the test process that can be written and executed.</summary>
internal sealed unsafe partial class ExecutableMemory : IDisposable
{
    private readonly nuint _length;

    public ExecutableMemory(int length)
    {
        _length = (nuint)length;
        // PROT_READ|WRITE|EXEC, MAP_PRIVATE|MAP_ANONYMOUS.
        Pointer = (byte*)Map(null, _length, 7, 0x22, -1, 0);
        Assert.NotEqual(-1, (nint)Pointer);
    }

    public byte* Pointer { get; }

    public ulong Address => (ulong)Pointer;

    public void Write(ReadOnlySpan<byte> code, int offset = 0) => code.CopyTo(new Span<byte>(Pointer + offset, (int)_length - offset));

    public void Dispose() => _ = Unmap(Pointer, _length);

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial void* Map(void* address, nuint length, int protection, int flags, int fd, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(void* address, nuint length);
}
