using System.Text;
using Microsoft.Win32.SafeHandles;
using Vmcore.IO;

namespace Vmcore.Kdump.Devices;

/// <summary>
/// What makes a partition without a file system ours: a block at its very end, behind the room for the log, which no dump reaches. A capture kernel
/// writes to no partition without it, so that a device that changed its name loses nothing.
/// </summary>
/// <param name="Uuid">Tells it from others.</param>
/// <param name="State">What is on it: <c>empty</c>, <c>writing</c>, <c>whole</c> or <c>incomplete</c>, and for people when.</param>
internal sealed record RawArea(string Uuid, string State)
{
    /// <summary>Length of the block in bytes; it is the last of the device.</summary>
    internal const int BlockSize = 4 << 10;

    /// <summary>Room for the log, in front of the block, in bytes: the end of a longer one is kept.</summary>
    internal const int LogSize = 1 << 20;

    /// <summary>The smallest device that is taken, in bytes.</summary>
    internal const long SmallestDevice = 64L << 20;

    private const string Magic = "vmcore kdump raw area 1";

    /// <summary>How much of a device a dump may take, in bytes.</summary>
    internal static long RoomOf(long deviceSize) => deviceSize - BlockSize - LogSize;

    /// <summary>Reads the last block of a device.</summary>
    /// <returns>Null if the device is not ours.</returns>
    internal static RawArea? Parse(ReadOnlySpan<byte> block)
    {
        int end = block.IndexOf((byte)0);
        string[] lines = Encoding.UTF8.GetString(end < 0 ? block : block[..end]).Split('\n');
        return lines.Length >= 3 && lines[0] == Magic && lines[1].StartsWith("uuid=", StringComparison.Ordinal)
            && lines[2].StartsWith("state=", StringComparison.Ordinal) && Guid.TryParse(lines[1].AsSpan(5), out Guid uuid)
            ? new(uuid.ToString(), lines[2][6..]) : null;
    }

    /// <summary>The block's bytes.</summary>
    internal byte[] ToBytes()
    {
        byte[] block = new byte[BlockSize];
        Encoding.UTF8.GetBytes($"{Magic}\nuuid={Uuid}\nstate={State}\n").CopyTo(block, 0);
        return block;
    }

    /// <summary>Reads that of a device.</summary>
    /// <param name="device">The device's node.</param>
    /// <param name="size">Receives the device's size in bytes; 0 if it cannot be read.</param>
    /// <returns>Null if the device is not ours, or cannot be read.</returns>
    internal static RawArea? TryRead(string device, out long size)
    {
        size = 0;
        try
        {
            using FileSource source = FileSource.Open(device);
            size = source.Length;
            byte[] block = new byte[BlockSize];
            return size >= SmallestDevice && source.Read(size - BlockSize, block) == BlockSize ? Parse(block) : null;
        }
        catch (VmcoreException)
        {
            return null;
        }
    }

    /// <summary>Writes it to a device, and waits until it is there.</summary>
    /// <param name="device">The device's node.</param>
    /// <param name="log">The log's text, to stand in front of it; empty to leave that as it is.</param>
    internal void Write(string device, ReadOnlySpan<byte> log)
    {
        // The runtime does not know the length of a device.
        long end;
        using (FileSource source = FileSource.Open(device))
            end = source.Length - BlockSize;
        using SafeFileHandle file = File.OpenHandle(device, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        if (!log.IsEmpty)
        {
            byte[] room = new byte[LogSize];
            log[^Math.Min(log.Length, LogSize)..].CopyTo(room);
            RandomAccess.Write(file, room, end - LogSize);
        }

        RandomAccess.Write(file, ToBytes(), end);
        RandomAccess.FlushToDisk(file);
    }
}
