using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Vmcore.Kdump.Devices;

/// <summary>What lies on a block device, by the beginning of it: there is no udev in a capture kernel that could be asked.</summary>
/// <param name="Type">The name that mount(2) takes, <c>ext4</c> for ext2 and ext3 too; or what else it is: <c>LVM</c>, <c>LUKS</c>.</param>
/// <param name="Uuid">As <c>UUID=</c> has it; empty if it has none.</param>
/// <param name="Label">As <c>LABEL=</c> has it; empty if it has none.</param>
internal sealed record FileSystemProbe(string Type, string Uuid, string Label)
{
    /// <summary>How much of a device it looks at, in bytes: btrfs has its first superblock at 64 KiB.</summary>
    internal const int HeadSize = 72 << 10;

    /// <summary>File systems that a dump can be saved on.</summary>
    internal static IReadOnlyList<string> Supported { get; } = ["ext4", "xfs", "btrfs", "vfat"];

    /// <summary>Says what a device has on it.</summary>
    /// <param name="head">Its first <see cref="HeadSize"/> bytes, or fewer of a smaller one.</param>
    /// <returns>Null if that is unknown.</returns>
    internal static FileSystemProbe? Read(ReadOnlySpan<byte> head) => Xfs(head) ?? Ext(head) ?? Btrfs(head) ?? Other(head) ?? Fat(head);

    /// <summary>True if <c>UUID=…</c> or <c>LABEL=…</c> means it.</summary>
    internal bool Is(string tag) =>
        (tag.StartsWith("UUID=", StringComparison.Ordinal) && Uuid.Length > 0 && tag.AsSpan(5).Equals(Uuid, StringComparison.OrdinalIgnoreCase))
        || (tag.StartsWith("LABEL=", StringComparison.Ordinal) && Label.Length > 0 && tag.AsSpan(6).SequenceEqual(Label));

    // struct xfs_dsb (fs/xfs/libxfs/xfs_format.h).
    private static FileSystemProbe? Xfs(ReadOnlySpan<byte> head) =>
        head.Length >= 512 && head.StartsWith("XFSB"u8) ? new("xfs", Id(head.Slice(32, 16)), Name(head.Slice(108, 12))) : null;

    // struct ext4_super_block (fs/ext4/ext4.h), 1 KiB into the device.
    private static FileSystemProbe? Ext(ReadOnlySpan<byte> head)
    {
        const int At = 1024;
        const uint IncompatJournalDevice = 8;
        if (head.Length < At + 1024 || BinaryPrimitives.ReadUInt16LittleEndian(head[(At + 0x38)..]) != 0xef53)
            return null;
        bool isJournal = (BinaryPrimitives.ReadUInt32LittleEndian(head[(At + 0x60)..]) & IncompatJournalDevice) != 0;
        return new(isJournal ? "journal of ext4" : "ext4", Id(head.Slice(At + 0x68, 16)), Name(head.Slice(At + 0x78, 16)));
    }

    // struct btrfs_super_block (include/uapi/linux/btrfs_tree.h), 64 KiB into the device.
    private static FileSystemProbe? Btrfs(ReadOnlySpan<byte> head)
    {
        const int At = 64 << 10;
        if (head.Length < At + 0x400 || !head[(At + 0x40)..].StartsWith("_BHRfS_M"u8))
            return null;
        return new("btrfs", Id(head.Slice(At + 0x20, 16)), Name(head.Slice(At + 0x12b, 256)));
    }

    // What holds other devices, which nothing sets up in our capture kernel.
    private static FileSystemProbe? Other(ReadOnlySpan<byte> head)
    {
        if (head.StartsWith("LUKS"u8))
            return new("LUKS", "", "");
        return head.Length >= 1024 && head[512..].StartsWith("LABELONE"u8) ? new("LVM", "", "") : null;
    }

    // struct fat_boot_sector (include/uapi/linux/msdos_fs.h). Last, since a partition table ends as it does.
    private static FileSystemProbe? Fat(ReadOnlySpan<byte> head)
    {
        if (head.Length < 512 || head[510] != 0x55 || head[511] != 0xaa)
            return null;
        int at = head[0x52..].StartsWith("FAT32   "u8) ? 0x43
            : head[0x36..].StartsWith("FAT12   "u8) || head[0x36..].StartsWith("FAT16   "u8) ? 0x27
            : -1;
        if (at < 0)
            return null;
        uint serial = BinaryPrimitives.ReadUInt32LittleEndian(head[at..]);
        string label = Name(head.Slice(at + 4, 11)).TrimEnd();
        return new("vfat", string.Create(CultureInfo.InvariantCulture, $"{serial >> 16:X4}-{serial & 0xffff:X4}"), label == "NO NAME" ? "" : label);
    }

    private static string Id(ReadOnlySpan<byte> bytes) =>
        bytes.ContainsAnyExcept((byte)0) ? new Guid(bytes, bigEndian: true).ToString() : "";

    private static string Name(ReadOnlySpan<byte> bytes)
    {
        int end = bytes.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? bytes : bytes[..end]);
    }
}
