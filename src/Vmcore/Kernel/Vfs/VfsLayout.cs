using Vmcore.Kernel.Lists;
using Vmcore.Kernel.Types;

namespace Vmcore.Kernel.Vfs;

/// <summary>Offsets in bytes of what is read of the kernel's file system objects; −1 for what this kernel does not have.</summary>
internal sealed class VfsLayout
{
    internal VfsLayout(KernelTypes types)
    {
        var members = new StructMembers(types);
        InodeMode = members.Required("inode", "i_mode");
        InodeSuperBlock = members.Required("inode", "i_sb");
        InodeMapping = members.Required("inode", "i_mapping");
        InodeNumber = members.Required("inode", "i_ino");
        InodeSize = members.Required("inode", "i_size");
        InodeDevice = members.Required("inode", "i_rdev");
        InodeFlags = members.Required("inode", "i_flags");
        InodeDentries = members.Required("inode", "i_dentry");
        InodeSuperBlockList = members.Optional("inode", "i_sb_list");
        InodeLength = Math.Max(Math.Max(InodeMode + 4, InodeFlags + 4),
            Math.Max(Math.Max(InodeSuperBlock, InodeMapping), Math.Max(Math.Max(InodeNumber, InodeSize), Math.Max(InodeDevice, InodeDentries))) + 8);
        MappingHost = members.Required("address_space", "host");
        MappingPages = members.Optional("address_space", "i_pages");
        MappingPageCount = members.Optional("address_space", "nrpages");
        SuperBlockDevice = members.Required("super_block", "s_dev");
        SuperBlockId = members.Required("super_block", "s_id");
        SuperBlockType = members.Required("super_block", "s_type");
        SuperBlockSubtype = members.Optional("super_block", "s_subtype");
        SuperBlockRoot = members.Required("super_block", "s_root");
        SuperBlockFlags = members.Required("super_block", "s_flags");
        SuperBlockInodes = members.Optional("super_block", "s_inodes");
        SuperBlockList = members.Optional("super_block", "s_list");
        TypeName = members.Required("file_system_type", "name");
        DentryParent = members.Required("dentry", "d_parent");
        DentryNameLength = members.Required("dentry", "d_name.len");
        DentryName = members.Required("dentry", "d_name.name");
        DentryAlias = members.Required("dentry", "d_u.d_alias", "d_alias");
        DentryHash = members.Required("dentry", "d_hash.pprev");
        Mount = members.Required("mount", "mnt");
        MountParent = members.Required("mount", "mnt_parent");
        MountPoint = members.Required("mount", "mnt_mountpoint");
        MountRoot = members.Required("mount", "mnt.mnt_root");
        MountSuperBlock = members.Required("mount", "mnt.mnt_sb");
        MountFlags = members.Required("mount", "mnt.mnt_flags");
        MountDeviceName = members.Required("mount", "mnt_devname");
        MountId = members.Optional("mount", "mnt_id");
        MountNamespace = members.Optional("mount", "mnt_ns");
        MountList = members.Optional("mount", "mnt_list");
        MountNode = members.Optional("mount", "mnt_node");
        NamespaceList = members.Optional("mnt_namespace", "list");
        NamespaceTree = members.Optional("mnt_namespace", "mounts");
        ProxyMounts = members.Required("nsproxy", "mnt_ns");
        FirstProcess = members.Optional("pid_namespace", "child_reaper");
        TaskFileSystem = members.Optional("task_struct", "fs");
        RootMount = members.Optional("fs_struct", "root.mnt");
        FileMount = members.Required("file", "f_path.mnt");
        FileDentry = members.Required("file", "f_path.dentry");
        FileMapping = members.Required("file", "f_mapping");
        FileInode = members.Required("file", "f_inode");
        PageTree = XArrayLayout.From(members);
        Tree = RedBlackLayout.From(types);
    }

    internal int InodeMode { get; }

    internal int InodeSuperBlock { get; }

    internal int InodeMapping { get; }

    internal int InodeNumber { get; }

    internal int InodeSize { get; }

    internal int InodeDevice { get; }

    internal int InodeFlags { get; }

    internal int InodeDentries { get; }

    internal int InodeSuperBlockList { get; }

    /// <summary>Bytes of an inode up to the last member that is read.</summary>
    internal int InodeLength { get; }

    internal int MappingHost { get; }

    internal int MappingPages { get; }

    internal int MappingPageCount { get; }

    internal int SuperBlockDevice { get; }

    internal int SuperBlockId { get; }

    internal int SuperBlockType { get; }

    internal int SuperBlockSubtype { get; }

    internal int SuperBlockRoot { get; }

    internal int SuperBlockFlags { get; }

    internal int SuperBlockInodes { get; }

    internal int SuperBlockList { get; }

    internal int TypeName { get; }

    internal int DentryParent { get; }

    internal int DentryNameLength { get; }

    internal int DentryName { get; }

    internal int DentryAlias { get; }

    internal int DentryHash { get; }

    /// <summary>The vfsmount inside a mount: what other structures point to.</summary>
    internal int Mount { get; }

    internal int MountParent { get; }

    internal int MountPoint { get; }

    internal int MountRoot { get; }

    internal int MountSuperBlock { get; }

    internal int MountFlags { get; }

    internal int MountDeviceName { get; }

    internal int MountId { get; }

    /// <summary>The namespace that a mount is of; null once it was taken away.</summary>
    internal int MountNamespace { get; }

    /// <summary>Link in the namespace's list (up to 6.7).</summary>
    internal int MountList { get; }

    /// <summary>Link in the namespace's tree (6.8 and later).</summary>
    internal int MountNode { get; }

    internal int NamespaceList { get; }

    internal int NamespaceTree { get; }

    internal int ProxyMounts { get; }

    /// <summary>The first process in a namespace of processes.</summary>
    internal int FirstProcess { get; }

    internal int TaskFileSystem { get; }

    /// <summary>The mount that a process has as its root.</summary>
    internal int RootMount { get; }

    internal int FileMount { get; }

    internal int FileDentry { get; }

    internal int FileMapping { get; }

    internal int FileInode { get; }

    /// <summary>The XArray of a file's pages; null where the kernel has none (before 4.20).</summary>
    internal XArrayLayout? PageTree { get; }

    internal RedBlackLayout Tree { get; }
}
