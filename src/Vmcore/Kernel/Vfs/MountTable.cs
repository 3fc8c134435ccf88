using System.Text;
using Vmcore.Findings;
using Vmcore.Kernel.Lists;
using Vmcore.Kernel.Symbols;
using Vmcore.Memory;

namespace Vmcore.Kernel.Vfs;

/// <summary>The mounts of the first namespace, and paths through them.</summary>
internal sealed class MountTable
{
    // A reader of /proc/mounts keeps its place in the list with an entry of its own (up to 6.7).
    private const uint CursorFlag = 0x10000000;

    // Flags of mounts and of super blocks that every file system has, in the order of /proc/mounts.
    private static readonly (ulong Flag, string Name)[] s_blockOptions = [(16, "sync"), (128, "dirsync"), (64, "mand"), (1 << 25, "lazytime")];

    private static readonly (ulong Flag, string Name)[] s_mountOptions =
        [(1, "nosuid"), (2, "nodev"), (4, "noexec"), (8, "noatime"), (0x10, "nodiratime"), (0x20, "relatime"), (0x80, "nosymfollow")];

    private readonly KernelVfs _vfs;
    private readonly Dictionary<ulong, ulong> _byRoot = [];
    private readonly Dictionary<ulong, string?> _targets = [];
    private ulong? _namespace;

    private MountTable(KernelVfs vfs) => _vfs = vfs;

    internal IReadOnlyList<KernelMount> Mounts { get; private set; } = [];

    /// <summary>Reads the mounts.</summary>
    internal static MountTable Read(KernelVfs vfs, KernelSymbols? symbols)
    {
        var table = new MountTable(vfs);
        if (symbols is null)
            vfs.ProblemList.Add(FindingCode.FilesNotFound, "the mounts cannot be found: the kernel's symbols are not there");
        else if (!symbols.TryFind("init_nsproxy", out ulong proxy))
            vfs.ProblemList.Add(FindingCode.FilesNotFound,
                $"the mounts cannot be found: {symbols.Lacks("init_nsproxy")}");
        else if (!vfs.Memory.TryReadUInt64(proxy + (ulong)vfs.Layout.ProxyMounts, out ulong space) || !vfs.Memory.IsKernelAddress(space))
            vfs.ProblemList.Add(FindingCode.FilesNotFound, $"the first mount namespace cannot be read: init_nsproxy is at 0x{proxy:x}");
        else
            table.ReadNamespace(space, symbols);
        return table;
    }

    /// <summary>The path of a dentry through a mount of this namespace that shows it.</summary>
    internal KernelPath PathOf(DentryChain chain)
    {
        // The mount that shows most of the file system: bind mounts of parts of it come second.
        if (Find(chain) is { } found)
            return new(Join(found.Target, chain.Below(found.Index)), chain.IsDeleted, IsMounted: true);
        string inside = chain.Below(chain.Dentries.Count - 1);
        return new(inside.Length == 0 ? "/" : inside, chain.IsDeleted, IsMounted: false);
    }

    /// <summary>
    /// The path of a dentry through a given mount, if that is one of this namespace. Of a container's mount, and of one that was taken away while a file was
    /// open (umount -l), the way up ends at a root that is not the one of this namespace, so it says nothing of where a file is here.
    /// </summary>
    internal KernelPath PathThrough(ulong mount, DentryChain chain)
    {
        VfsLayout layout = _vfs.Layout;
        if (!IsElsewhere(mount) && _vfs.Memory.TryReadUInt64(mount + (ulong)layout.MountRoot, out ulong root))
        {
            for (int i = 0; i < chain.Dentries.Count; i++)
            {
                if (chain.Dentries[i] == root && TargetOf(mount, 0) is { } target)
                    return new(Join(target, chain.Below(i)), chain.IsDeleted, IsMounted: true);
            }
        }

        return PathOf(chain);
    }

    private bool IsElsewhere(ulong mount) => _namespace is { } here && _vfs.Layout.MountNamespace >= 0
        && _vfs.Memory.TryReadUInt64(mount + (ulong)_vfs.Layout.MountNamespace, out ulong space) && space != here;

    private static string Join(string target, string below) => below.Length == 0 ? target : target == "/" ? below : target + below;

    private (string Target, int Index)? Find(DentryChain chain)
    {
        for (int i = chain.Dentries.Count - 1; i >= 0; i--)
        {
            if (_byRoot.TryGetValue(chain.Dentries[i], out ulong mount) && TargetOf(mount, 0) is { } target)
                return (target, i);
        }

        return null;
    }

    private void ReadNamespace(ulong space, KernelSymbols symbols)
    {
        VfsLayout layout = _vfs.Layout;
        _namespace = space;
        List<KernelMount> mounts = [];
        ulong[] addresses = [.. Addresses(space)];

        // Roots first: the path of a mount point may lead through any other mount.
        foreach (ulong address in addresses)
        {
            if (_vfs.Memory.TryReadUInt64(address + (ulong)layout.MountRoot, out ulong root))
                _byRoot.TryAdd(root, address);
        }

        ulong? top = TopMount(symbols) is { } found && addresses.Contains(found) ? found : null;
        foreach (ulong address in addresses)
        {
            if ((top is null || IsBelow(address, top.Value)) && ReadMount(address) is { } mount)
                mounts.Add(mount);
        }

        Mounts = mounts;
        int nameless = mounts.Count(static m => m.Target is null);
        if (nameless > 0)
            _vfs.ProblemList.Add(FindingCode.FilesNameless,
                $"the mount points of {nameless} of {mounts.Count} mounts are not known: names on the way to them cannot be read");
        int rootless = mounts.Count(static m => m.Root is null);
        if (rootless > 0)
            _vfs.ProblemList.Add(FindingCode.FilesNameless,
                $"which directory is mounted is not known of {rootless} of {mounts.Count} mounts: names on the way to it cannot be read");
        int unread = mounts.Count(static m => m.SuperBlock is null);
        if (unread > 0)
            _vfs.ProblemList.Add(FindingCode.FilesUnreadable,
                $"the super blocks of {unread} of {mounts.Count} mounts cannot be read: their type, device and options are not known");
    }

    /// <summary>
    /// The mount that the first process has as its root. As in its /proc/mounts, what lies above is not shown: the file system that the machine started
    /// with, and the empty one that 7.x has below everything.
    /// </summary>
    private ulong? TopMount(KernelSymbols symbols)
    {
        VfsLayout layout = _vfs.Layout;
        return layout is { FirstProcess: >= 0, TaskFileSystem: >= 0, RootMount: >= 0 }
            && symbols.TryFind("init_pid_ns", out ulong space)
            && _vfs.Memory.TryReadUInt64(space + (ulong)layout.FirstProcess, out ulong process)
            && _vfs.Memory.TryReadUInt64(process + (ulong)layout.TaskFileSystem, out ulong files)
            && _vfs.Memory.TryReadUInt64(files + (ulong)layout.RootMount, out ulong mount) ? mount - (ulong)layout.Mount : null;
    }

    private bool IsBelow(ulong mount, ulong top)
    {
        for (int i = 0; i < _vfs.Memory.Limits.MountDepth && mount != top; i++)
        {
            // What cannot be followed is shown rather than hidden.
            if (!_vfs.Memory.TryReadUInt64(mount + (ulong)_vfs.Layout.MountParent, out ulong parent))
                return true;
            if (parent == mount)
                return false;
            mount = parent;
        }

        return true;
    }

    private IEnumerable<ulong> Addresses(ulong space)
    {
        VfsLayout layout = _vfs.Layout;
        if (layout.NamespaceTree >= 0 && layout.MountNode >= 0)
            return Tree(space + (ulong)layout.NamespaceTree).Select(n => n - (ulong)layout.MountNode);
        if (layout.NamespaceList >= 0 && layout.MountList >= 0)
            return _vfs.List(space + (ulong)layout.NamespaceList, _vfs.Memory.Limits.Mounts, "mounts").Select(n => n - (ulong)layout.MountList);
        _vfs.ProblemList.Add(FindingCode.FilesNotFound, "the kernel's types do not say how a mount namespace keeps its mounts");
        return [];
    }

    private List<ulong> Tree(ulong root)
    {
        var outcome = new WalkOutcome();
        List<ulong> nodes = [.. RedBlackWalk.Run(_vfs.Memory, root, _vfs.Layout.Tree, _vfs.Memory.Limits.Mounts, outcome)];
        foreach (WalkFault fault in outcome.Faults)
        {
            _vfs.ProblemList.Add(FindingCode.FilesListBroken, fault.Reason != WalkEnd.Unreadable
                ? $"the tree of mounts is damaged at 0x{fault.Address:x}, or has more than {_vfs.Memory.Limits.Mounts} nodes; the rest is left out"
                : fault.Address == root ? $"the tree of mounts cannot be read at 0x{root:x}"
                : $"a node in the tree of mounts cannot be read at 0x{fault.Address:x}");
        }

        return nodes;
    }

    private KernelMount? ReadMount(ulong address)
    {
        VfsLayout layout = _vfs.Layout;
        IVirtualMemory memory = _vfs.Memory;
        if (!memory.TryReadUInt32(address + (ulong)layout.MountFlags, out uint flags))
        {
            _vfs.ProblemList.Add(FindingCode.FilesUnreadable, $"the mount at 0x{address:x} cannot be read");
            return null;
        }

        if ((flags & CursorFlag) != 0)
            return null;
        memory.TryReadUInt64(address + (ulong)layout.MountRoot, out ulong root);
        memory.TryReadUInt64(address + (ulong)layout.MountSuperBlock, out ulong superBlock);
        KernelSuperBlock? block = _vfs.SuperBlock(superBlock);
        string source = memory.TryReadUInt64(address + (ulong)layout.MountDeviceName,
            out ulong name) && name != 0 && memory.TryReadCString(name, memory.Limits.DeviceNameBytes, out string text) ? text : "none";
        uint id = 0;
        bool hasId = layout.MountId >= 0 && memory.TryReadUInt32(address + (ulong)layout.MountId, out id);
        string? inside = _vfs.Dentries.TryClimb(root, out DentryChain chain) ? chain.Below(chain.Dentries.Count - 1) : null;
        return new()
        {
            Address = address,
            Id = hasId ? unchecked((int)id) : -1,
            Source = source,
            Target = TargetOf(address, 0),
            Root = inside is "" ? "/" : inside,
            Type = block?.Type ?? "",
            Options = Options(flags, block),
            IsDax = block is not null && HasDaxFiles(block),
            SuperBlock = block,
            RootDentry = root,
        };
    }

    /// <summary>Only files are marked, no directory, so the files that are in memory are asked.</summary>
    private bool HasDaxFiles(KernelSuperBlock block) =>
        block.Id.StartsWith("pmem", StringComparison.Ordinal) && _vfs.InodesWithPages(block).Take(_vfs.Memory.Limits.FilesAskedForDax).Any(i => i.IsDax);

    private static string Options(uint flags, KernelSuperBlock? block)
    {
        const uint ReadOnlyMount = 0x40;
        var text = new StringBuilder((flags & ReadOnlyMount) != 0 || block is { IsReadOnly: true } ? "ro" : "rw");
        foreach ((ulong flag, string name) in s_blockOptions)
            text.Append(((block?.Flags ?? 0) & flag) != 0 ? "," + name : "");
        foreach ((ulong flag, string name) in s_mountOptions)
            text.Append((flags & flag) != 0 ? "," + name : "");
        return text.ToString();
    }

    /// <summary>Where a mount is mounted, through all the mounts above it.</summary>
    private string? TargetOf(ulong mount, int depth)
    {
        if (_targets.TryGetValue(mount, out string? known))
            return known;
        if (depth > _vfs.Memory.Limits.MountDepth)
            return null;

        // Damage may close a circle: then the inner one has no path.
        _targets[mount] = null;
        string? target = Target(mount, depth);
        _targets[mount] = target;
        return target;
    }

    private string? Target(ulong mount, int depth)
    {
        VfsLayout layout = _vfs.Layout;
        if (!_vfs.Memory.IsKernelAddress(mount) || !_vfs.Memory.TryReadUInt64(mount + (ulong)layout.MountParent, out ulong parent)
            || !_vfs.Memory.TryReadUInt64(mount + (ulong)layout.MountPoint, out ulong point))
            return null;
        if (parent == mount)
            return "/";

        if (TargetOf(parent, depth + 1) is not { } above || !_vfs.Memory.TryReadUInt64(parent + (ulong)layout.MountRoot, out ulong root)
            || !_vfs.Dentries.TryClimb(point, out DentryChain chain))
            return null;
        for (int i = 0; i < chain.Dentries.Count; i++)
        {
            if (chain.Dentries[i] == root)
                return Join(above, chain.Below(i));
        }

        return null;
    }
}
