using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Vmcore.IO;

/// <summary>
/// Which file a path leads to, whatever links and mounts are on the way: what statx(2) says of it. The C library is asked, since the call has another
/// number on each architecture, and a wrong one would look as if the file were not there.
/// </summary>
/// <param name="Device">Major and minor number of the file system.</param>
/// <param name="Inode">Number of the file in it.</param>
/// <param name="Type">Type bits of the mode (S_IFMT).</param>
internal readonly partial record struct FileIdentity(ulong Device, ulong Inode, int Type)
{
    private const int AtCurrentDirectory = -100;
    private const int TypeMask = 0xf000;
    private const int Fifo = 0x1000;
    private const int Socket = 0xc000;
    private const int Regular = 0x8000;
    private const int BlockDevice = 0x6000;

    /// <summary>True for a pipe or a socket: nothing can be written to it at an offset, and opening one waits for a reader.</summary>
    public bool IsPipe => Type is Fifo or Socket;

    /// <summary>True for a block device.</summary>
    public bool IsBlockDevice => Type == BlockDevice;

    /// <summary>True for a regular file.</summary>
    public bool IsRegular => Type == Regular;

    /// <summary>Asks for a path, symbolic links followed.</summary>
    /// <returns>Null if there is nothing, or it may not be asked for.</returns>
    public static unsafe FileIdentity? Of(string path)
    {
        byte[] name = [.. Encoding.UTF8.GetBytes(path), 0];
        Span<byte> result = stackalloc byte[256];
        result.Clear();
        fixed (byte* n = name, r = result)
        {
            // Basic statistics (0x7ff); the answer's layout is struct statx of the kernel.
            if (StatX(AtCurrentDirectory, n, 0, 0x7ff, r) != 0)
                return null;
        }

        ulong device = ((ulong)BinaryPrimitives.ReadUInt32LittleEndian(result[136..]) << 32) | BinaryPrimitives.ReadUInt32LittleEndian(result[140..]);
        return new(device, BinaryPrimitives.ReadUInt64LittleEndian(result[32..]), BinaryPrimitives.ReadUInt16LittleEndian(result[28..]) & TypeMask);
    }

    /// <summary>Refuses a file that is named twice, be it by another path: it would count as two parts of one dump.</summary>
    /// <param name="paths">The files.</param>
    /// <exception cref="FileAccessException">A file is named twice.</exception>
    public static void RequireDistinct(IReadOnlyList<string> paths)
    {
        for (int i = 1; i < paths.Count; i++)
        {
            FileIdentity? own = Of(paths[i]);
            for (int j = 0; j < i; j++)
            {
                if (paths[j] == paths[i])
                    throw new FileAccessException(paths[i], "is named twice");
                if (own is not null && Of(paths[j]) == own)
                    throw new FileAccessException(paths[i], $"is the same file as {paths[j]}");
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "statx")]
    private static unsafe partial int StatX(int directory, byte* path, int flags, uint mask, byte* result);
}
