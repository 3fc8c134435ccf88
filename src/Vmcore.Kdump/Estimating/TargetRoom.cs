using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Vmcore.Kdump.Devices;
using Vmcore.Kdump.Loading;
using Vmcore.Kexec;

namespace Vmcore.Kdump.Estimating;

/// <summary>How much room a target has.</summary>
internal static unsafe partial class TargetRoom
{
    // struct statvfs of 64-bit Linux: f_bsize, f_frsize, f_blocks, f_bfree, f_bavail, … 8 bytes each.
    private const int StatSize = 256, FragmentSize = 8, BlocksFree = 24;

    /// <summary>Bytes that a dump may take there; null if it is not mounted, or cannot be asked.</summary>
    internal static long? Of(SystemRoot root, ResolvedTarget target)
    {
        if (target.Folder.Length == 0)
            return target.Device.Length > 0 && RawArea.TryRead(root.Map($"/dev/{target.Device}"), out long size) is not null ? RawArea.RoomOf(size) : null;
        string folder = root.Map(target.Folder);
        while (folder.Length > 1 && !Directory.Exists(folder))
            folder = Path.GetDirectoryName(folder) ?? "/";
        byte* stat = stackalloc byte[StatSize];
        if (Statistics(folder, stat) != 0)
            return null;
        var bytes = new ReadOnlySpan<byte>(stat, StatSize);
        // init is root, which may use what is set aside for root.
        ulong room = BinaryPrimitives.ReadUInt64LittleEndian(bytes[FragmentSize..]) * BinaryPrimitives.ReadUInt64LittleEndian(bytes[BlocksFree..]);
        return (long)Math.Min(room, long.MaxValue);
    }

    [LibraryImport("libc", EntryPoint = "statvfs", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statistics(string path, byte* result);
}
