using System.Buffers.Binary;
using System.Text;
using Vmcore.Kernel.Btf;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Types;
using Vmcore.Kernel.Vfs;

namespace Vmcore.Tests.Kernel.Vfs;

/// <summary>How a kernel keeps the mounts of a namespace (fs/mount.h).</summary>
public enum MountEra
{
    /// <summary>Up to 6.7: a list, <c>mnt_namespace.list</c> through <c>mount.mnt_list</c>.</summary>
    List,

    /// <summary>
    /// From 6.8: a red-black tree by age, <c>mnt_namespace.mounts</c> of <c>mount.mnt_node</c>; the list's link is still there, and has another use.
    /// </summary>
    Tree,

    /// <summary>Later ones: the same, its root beside two pointers in a structure without a name, and the dentry's members in unions without names.</summary>
    NestedTree,
}

/// <summary>
/// Dentries, super blocks, mounts and a mount namespace, written down as a kernel of an era has them; each object can be taken out of the dump.
/// </summary>
internal sealed class VfsImage(MountEra era)
{
    private const ulong Base = 0xffff8880_01000000;
    private const int ObjectSize = 512;

    // Offsets of members, in bytes: no two eras agree, so none can be the one that the code assumes.
    private readonly int _skew = 8 * (int)era;
    private readonly SortedDictionary<ulong, byte[]> _objects = [];
    private readonly List<ulong> _mounts = [];
    private readonly Dictionary<string, ulong> _symbols = [];
    private ulong _next = Base;

    /// <summary>A directory entry; the root of a file system without a parent.</summary>
    public ulong Dentry(string name, ulong parent = 0, bool isDeleted = false)
    {
        ulong at = Allocate();
        Put(at, 8 + _skew, isDeleted ? 0 : at); // d_hash.pprev
        Put(at, 24 + _skew, parent == 0 ? at : parent);
        Put(at, 32 + _skew, (ulong)Encoding.UTF8.GetByteCount(name) << 32); // hash, len
        Put(at, 40 + _skew, Text(name));
        return at;
    }

    /// <summary>A file system.</summary>
    public ulong SuperBlock(string id, string type, ulong root, uint minor, ulong flags = 0)
    {
        ulong at = Allocate(), kind = Allocate();
        Put(kind, _skew, Text(type));
        Put(at, 16, minor);
        Put(at, 24 + _skew, kind);
        Put(at, 32 + _skew, flags);
        Put(at, 40 + _skew, root);
        Encoding.ASCII.GetBytes(id, _objects[at].AsSpan(128));
        return at;
    }

    /// <summary>A mount: on itself without a parent.</summary>
    public ulong Mount(ulong parent, ulong point, ulong root, ulong block, string device, ulong flags = 0, bool isListed = true)
    {
        ulong at = Allocate();
        Put(at, 16, parent == 0 ? at : parent);
        Put(at, 24, parent == 0 ? root : point);
        Put(at, 32 + _skew, root);
        Put(at, 40 + _skew, block);
        Put(at, 48 + _skew, flags);
        Put(at, 96 + _skew, Text(device));
        Put(at, 104 + _skew, (ulong)(100 + _mounts.Count));
        if (isListed)
            _mounts.Add(at);
        return at;
    }

    /// <summary>A file opened through a mount.</summary>
    public ulong File(ulong mount, ulong dentry)
    {
        ulong at = Allocate();
        Put(at, 16 + _skew, mount + 32 + (ulong)_skew);
        Put(at, 24 + _skew, dentry);
        return at;
    }

    /// <summary>Says that the first process has a mount as its root.</summary>
    public void FirstProcessIsIn(ulong mount)
    {
        ulong space = Symbol("init_pid_ns"), task = Allocate(), files = Allocate();
        Put(space, 40, task);
        Put(task, 48, files);
        Put(files, 24, mount + 32 + (ulong)_skew);
    }

    /// <summary>Changes a word of an object.</summary>
    public void Put(ulong address, int offset, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(_objects[address].AsSpan(offset), value);

    /// <summary>Another mount takes the place of the parent of a mount, or another dentry that of a dentry.</summary>
    public void PutParent(ulong child, ulong parent, bool isDentry = false) => Put(child, isDentry ? 24 + _skew : 16, parent);

    /// <summary>A mount says that it is of this namespace, or of another, or of none (0).</summary>
    public void PutNamespace(ulong mount, ulong space) => Put(mount, 112 + _skew, space);

    /// <summary>Takes an object out of the dump.</summary>
    public void Lose(ulong address) => Assert.True(_objects.Remove(address));

    /// <summary>Puts the mounts into the namespace, in the order in which they were made, and opens the file systems.</summary>
    public KernelVfs Open()
    {
        ulong space = Namespace(_mounts);
        foreach (ulong mount in _mounts.Where(_objects.ContainsKey))
            PutNamespace(mount, space);
        Put(Symbol("init_nsproxy"), 24, space);
        return OpenWith(_symbols);
    }

    /// <summary>Opens them again, as they are by now.</summary>
    public KernelVfs Reopen() => OpenWith(_symbols);

    /// <summary>Opens the file systems with these symbols; with none if null.</summary>
    public KernelVfs OpenWith(Dictionary<string, ulong>? symbols)
    {
        var memory = new FakeVirtualMemory();
        foreach ((ulong address, byte[] bytes) in _objects)
            memory.Add(address, bytes);
        return KernelVfs.Open(symbols is null ? null : KernelSymbols.Of(new NamedSymbols(symbols)), Types(), memory);
    }

    private ulong Namespace(IReadOnlyList<ulong> mounts)
    {
        ulong space = Allocate();
        ulong link = 64 + (ulong)_skew;
        if (era == MountEra.List)
        {
            ulong[] ring = [space + 32, .. mounts.Select(m => m + link), space + 32];
            for (int i = 0; i + 1 < ring.Length; i++)
                PutAnywhere(ring[i], ring[i + 1]);
        }
        else
        {
            PutAnywhere(space + 32 + (ulong)_skew, Subtree(mounts, link));
        }

        return space;
    }

    /// <summary>The middle one is the root, those before it are to its left.</summary>
    private ulong Subtree(IReadOnlyList<ulong> mounts, ulong link)
    {
        if (mounts.Count == 0)
            return 0;
        int middle = mounts.Count / 2;
        ulong root = mounts[middle] + link;
        PutAnywhere(root + 16, Subtree([.. mounts.Take(middle)], link));
        PutAnywhere(root + 8, Subtree([.. mounts.Skip(middle + 1)], link));
        return root;
    }

    private void PutAnywhere(ulong address, ulong value)
    {
        ulong start = address & ~(ulong)(ObjectSize - 1);
        if (_objects.ContainsKey(start)) // What is lost has no links.
            Put(start, (int)(address - start), value);
    }

    private ulong Symbol(string name)
    {
        if (!_symbols.TryGetValue(name, out ulong at))
            _symbols[name] = at = Allocate();
        return at;
    }

    private ulong Text(string text)
    {
        ulong at = Allocate();
        Encoding.UTF8.GetBytes(text, _objects[at]);
        return at;
    }

    private ulong Allocate()
    {
        ulong at = _next;
        _objects[at] = new byte[ObjectSize];
        _next += ObjectSize;
        return at;
    }

    private KernelTypes Types()
    {
        var b = new BtfBuilder();
        uint word = b.Int("unsigned long", 8), half = b.Int("unsigned int", 4), mode = b.Int("unsigned short", 2), letter = b.Int("char", 1);
        uint Struct(string name, params (string Name, uint Type, int At)[] members) =>
            b.Composite(BtfKind.Struct, name, ObjectSize, [.. members.Select(m => (m.Name, m.Type, (uint)m.At * 8))]);
        int skew = _skew;
        uint list = Struct("list_head", ("next", word, 0), ("prev", word, 8));
        uint node = Struct("rb_node", ("__rb_parent_color", word, 0), ("rb_right", word, 8), ("rb_left", word, 16));
        uint root = Struct("rb_root", ("rb_node", word, 0));
        uint hash = Struct("hlist_bl_node", ("next", word, 0), ("pprev", word, 8));
        uint text = Struct("qstr", ("hash", half, 0), ("len", half, 4), ("name", word, 8));
        uint place = Struct("path", ("mnt", word, 0), ("dentry", word, 8));
        uint shown = Struct("vfsmount", ("mnt_root", word, 0), ("mnt_sb", word, 8), ("mnt_flags", half, 16));
        bool isNested = era == MountEra.NestedTree;
        uint alias = Struct("", ("d_alias", word, 0)), name = isNested ? Struct("", ("d_name", text, 0)) : text;
        Struct("dentry", ("d_hash", hash, skew), ("d_parent", word, 24 + skew), (isNested ? "" : "d_name", name, 32 + skew),
            (isNested ? "" : "d_u", alias, 64 + skew));
        bool isList = era == MountEra.List;
        Struct("mount", ("mnt_parent", word, 16), ("mnt_mountpoint", word, 24), ("mnt", shown, 32 + skew), ("mnt_devname", word, 96 + skew),
            ("mnt_id", half, 104 + skew), ("mnt_ns", word, 112 + skew), ("mnt_list", list, isList ? 64 : 200),
            (isList ? "nobody_knows" : "mnt_node", node, isList ? 300 : 64 + skew));
        uint tree = isNested ? Struct("", ("mounts", root, 0), ("mnt_last_node", word, 8)) : root;
        Struct("mnt_namespace", era == MountEra.List ? ("list", list, 32) : (isNested ? "" : "mounts", tree, 32 + skew));
        Struct("nsproxy", ("mnt_ns", word, 24));
        Struct("pid_namespace", ("child_reaper", word, 40));
        Struct("task_struct", ("fs", word, 48));
        Struct("fs_struct", ("root", place, 24));
        Struct("file", ("f_path", place, 16 + skew), ("f_mapping", word, 40 + skew), ("f_inode", word, 48 + skew));
        Struct("inode", ("i_mode", mode, 0), ("i_sb", word, 8), ("i_mapping", word, 16), ("i_ino", word, 24), ("i_size", word, 32),
            ("i_rdev", half, 40), ("i_flags", half, 44), ("i_dentry", word, 48));
        Struct("address_space", ("host", word, 0));
        Struct("super_block", ("s_dev", half, 16), ("s_type", word, 24 + skew), ("s_flags", word, 32 + skew), ("s_root", word, 40 + skew),
            ("s_id", letter, 128));
        Struct("file_system_type", ("name", word, skew));
        return KernelTypes.From(BtfTypes.TryParse(b.Build(), out _)!);
    }
}
