using System.Globalization;

namespace Vmcore.Kernel.Vfs;

/// <summary>A device number as the kernel keeps it in memory: major and minor.</summary>
/// <param name="Value">dev_t: major in the bits from 20 on, minor below.</param>
public readonly record struct DeviceNumber(uint Value)
{
    /// <summary>Major number.</summary>
    public uint Major => Value >> 20;

    /// <summary>Minor number.</summary>
    public uint Minor => Value & 0xfffff;

    /// <summary>As <c>major:minor</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Major}:{Minor}");
}

/// <summary>A mounted file system, or one of the kernel's own.</summary>
/// <param name="Address">Virtual address of the super_block.</param>
/// <param name="Id">The kernel's name for it, for example <c>pmem0</c>; empty if it cannot be read.</param>
/// <param name="Type">Type of file system, for example <c>ext4</c>; empty if it cannot be read.</param>
/// <param name="Device">Its device number.</param>
/// <param name="Root">Virtual address of the root's dentry.</param>
/// <param name="Flags">SB_* flags.</param>
public sealed record KernelSuperBlock(ulong Address, string Id, string Type, DeviceNumber Device, ulong Root, ulong Flags)
{
    /// <summary>True if nothing may be written.</summary>
    public bool IsReadOnly => (Flags & 1) != 0;
}

/// <summary>An inode: a file, a directory, a device.</summary>
/// <param name="Address">Virtual address of the inode.</param>
/// <param name="Number">Inode number.</param>
/// <param name="Mode">Type and permissions, as stat(2) gives them.</param>
/// <param name="Size">Size of the file in bytes.</param>
/// <param name="Device">For a device file, the device.</param>
/// <param name="Mapping">Virtual address of the address_space with its pages.</param>
/// <param name="Flags">S_* flags.</param>
/// <param name="SuperBlock">Its file system; null if that cannot be read.</param>
public sealed record KernelInode(ulong Address, ulong Number, ushort Mode, long Size,
    DeviceNumber Device, ulong Mapping, uint Flags, KernelSuperBlock? SuperBlock)
{
    // include/linux/fs.h, since 4.15.
    private const uint DirectAccess = 1 << 13;

    /// <summary>True for files whose pages are mapped directly (DAX).</summary>
    public bool IsDax => (Flags & DirectAccess) != 0;

    /// <summary>True for an inode of a device-dax device.</summary>
    public bool IsDeviceDax => SuperBlock is { Type: "dax" };
}

/// <summary>A mount of the first mount namespace.</summary>
public sealed record KernelMount
{
    /// <summary>Virtual address of the struct mount.</summary>
    public required ulong Address { get; init; }

    /// <summary>The kernel's number for it; −1 if it has none.</summary>
    public int Id { get; init; }

    /// <summary>What is mounted, as <c>/proc/mounts</c> shows it.</summary>
    public required string Source { get; init; }

    /// <summary>Where it is mounted; null if the way there cannot be read.</summary>
    public string? Target { get; init; }

    /// <summary>Directory of the file system that is mounted there; <c>/</c> unless it is a bind mount of a part. Null if it cannot be read.</summary>
    public string? Root { get; init; }

    /// <summary>Type of file system.</summary>
    public required string Type { get; init; }

    /// <summary>Options that the kernel keeps for every mount: <c>rw,relatime</c>. Those of the file system itself are not among them.</summary>
    public required string Options { get; init; }

    /// <summary>True if it is on pmem and a file of it is mapped directly (DAX); false if none is in use.</summary>
    public bool IsDax { get; init; }

    /// <summary>The file system; null if it cannot be read.</summary>
    public KernelSuperBlock? SuperBlock { get; init; }

    /// <summary>Virtual address of the dentry that is the root of the mount.</summary>
    public ulong RootDentry { get; init; }
}
