using System.Buffers.Binary;
using Vmcore.Findings;
using Vmcore.Kernel.Lists;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Vfs;

/// <summary>
/// The crashed kernel's file systems: super blocks, the mounts of the first namespace, inodes and their paths. The way from a struct page on pmem to a
/// file's name. Every pointer may be wild and every list cyclic; what cannot be read is null.
/// </summary>
/// <remarks>Not safe for several threads at once.</remarks>
public sealed class KernelVfs
{
    private const int IdLength = 32;

    private readonly KernelSymbols? _symbols;
    private readonly Dictionary<ulong, KernelSuperBlock?> _superBlocks = [];
    private readonly Lazy<MountTable> _mounts;
    private readonly DentryPaths _paths;

    private KernelVfs(KernelSymbols? symbols, VfsLayout layout, IVirtualMemory memory)
    {
        _symbols = symbols;
        Layout = layout;
        Memory = memory;
        _paths = new(layout, memory);
        _mounts = new(() => MountTable.Read(this, _symbols));
    }

    /// <summary>The mounts of the first namespace, in the order of /proc/mounts: by age.</summary>
    public IReadOnlyList<KernelMount> Mounts => _mounts.Value.Mounts;

    /// <summary>What cut lists short, or could not be read; one sentence each.</summary>
    public IReadOnlyList<Finding> Problems => ProblemList.Findings;

    internal VfsLayout Layout { get; }

    internal IVirtualMemory Memory { get; }

    internal ProblemList ProblemList { get; } = new();

    internal DentryPaths Dentries => _paths;

    /// <summary>Makes the reader for a kernel.</summary>
    /// <param name="kernel">The kernel; its dump must stay open.</param>
    /// <exception cref="MissingInformationException">The kernel's memory or its types cannot be read, or lack what is needed.</exception>
    public static KernelVfs Open(KernelView kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        return kernel is { Types: { } types, Memory: { } memory }
            ? Open(kernel.Symbols, types, memory)
            : throw new MissingInformationException($"{kernel.Name}: the file systems cannot be read: {kernel.TypesProblem ?? kernel.KernelProblem}");
    }

    /// <summary>Makes the reader.</summary>
    /// <param name="symbols">The kernel's symbols; without them there are no mounts, and paths are those within their file system.</param>
    /// <param name="types">The kernel's types.</param>
    /// <param name="memory">The kernel's memory.</param>
    /// <exception cref="MissingInformationException">The types lack what is needed.</exception>
    internal static KernelVfs Open(KernelSymbols? symbols, KernelTypes types, IVirtualMemory memory) => new(symbols, new(types), memory);

    /// <summary>Reads a file system's super block.</summary>
    /// <param name="address">Virtual address.</param>
    /// <returns>Null if it cannot be read.</returns>
    public KernelSuperBlock? SuperBlock(ulong address)
    {
        if (_superBlocks.TryGetValue(address, out KernelSuperBlock? known))
            return known;
        if (_superBlocks.Count >= Memory.Limits.SuperBlocks)
            return null;
        KernelSuperBlock? result = null;
        if (Memory.TryReadUInt32(address + (ulong)Layout.SuperBlockDevice, out uint device)
            && Memory.TryReadUInt64(address + (ulong)Layout.SuperBlockType, out ulong type)
            && Memory.TryReadUInt64(address + (ulong)Layout.SuperBlockRoot, out ulong root)
            && Memory.TryReadUInt64(address + (ulong)Layout.SuperBlockFlags, out ulong flags))
        {
            Memory.TryReadCString(address + (ulong)Layout.SuperBlockId, IdLength, out string id);
            result = new(address, id, TypeName(address, type), new(device), root, flags);
        }

        _superBlocks[address] = result;
        return result;
    }

    /// <summary>All super blocks, the kernel's own file systems included.</summary>
    public IEnumerable<KernelSuperBlock> SuperBlocks()
    {
        if (_symbols is null || Layout.SuperBlockList < 0 || !_symbols.TryFind("super_blocks", out ulong head))
        {
            ProblemList.Add(FindingCode.FilesNotFound,
                $"the list of super blocks cannot be found: {_symbols?.Lacks("super_blocks") ?? "the kernel's symbols are not there"}");
            yield break;
        }

        foreach (ulong entry in List(head, Memory.Limits.SuperBlocks, "super blocks"))
        {
            if (SuperBlock(entry - (ulong)Layout.SuperBlockList) is { } block)
                yield return block;
            else
                ProblemList.Add(FindingCode.FilesUnreadable, $"the super block at 0x{entry - (ulong)Layout.SuperBlockList:x} cannot be read");
        }
    }

    /// <summary>Reads an inode.</summary>
    /// <param name="address">Virtual address.</param>
    /// <returns>Null if it cannot be read.</returns>
    public KernelInode? Inode(ulong address)
    {
        const int Most = 4096;
        if (Layout.InodeLength > Most)
            return null;
        Span<byte> bytes = stackalloc byte[Most];
        bytes = bytes[..Layout.InodeLength];
        if (!Memory.IsKernelAddress(address) || Memory.Read(address, bytes) != MemoryStatus.Ok)
            return null;
        return new(
            address,
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[Layout.InodeNumber..]),
            BinaryPrimitives.ReadUInt16LittleEndian(bytes[Layout.InodeMode..]),
            BinaryPrimitives.ReadInt64LittleEndian(bytes[Layout.InodeSize..]),
            new(BinaryPrimitives.ReadUInt32LittleEndian(bytes[Layout.InodeDevice..])),
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[Layout.InodeMapping..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[Layout.InodeFlags..]),
            SuperBlock(BinaryPrimitives.ReadUInt64LittleEndian(bytes[Layout.InodeSuperBlock..])));
    }

    /// <summary>The inode whose pages an address_space keeps.</summary>
    /// <param name="mapping">Virtual address of the address_space.</param>
    /// <returns>Null if it has none, if it cannot be read, or if the inode says that its pages are elsewhere.</returns>
    public KernelInode? InodeOfMapping(ulong mapping)
    {
        if (!Memory.IsKernelAddress(mapping) || (mapping & 7) != 0 || !Memory.TryReadUInt64(mapping + (ulong)Layout.MappingHost, out ulong host))
            return null;
        return Inode(host) is { } inode && inode.Mapping == mapping ? inode : null;
    }

    /// <summary>The inodes that a file system has in memory, and that have pages.</summary>
    /// <param name="block">The file system.</param>
    public IEnumerable<KernelInode> InodesWithPages(KernelSuperBlock block)
    {
        if (Layout.SuperBlockInodes < 0 || Layout.InodeSuperBlockList < 0 || Layout.MappingPageCount < 0)
            yield break;
        foreach (ulong entry in List(block.Address + (ulong)Layout.SuperBlockInodes, Memory.Limits.Inodes, $"inodes of {block.Id}"))
        {
            ulong address = entry - (ulong)Layout.InodeSuperBlockList;
            if (!Memory.TryReadUInt64(address + (ulong)Layout.InodeMapping, out ulong mapping)
                || !Memory.TryReadUInt64(mapping + (ulong)Layout.MappingPageCount, out ulong count))
                ProblemList.Add(FindingCode.FilesUnreadable, $"an inode of {block.Id} cannot be read at 0x{address:x}");
            else if (count != 0 && Inode(address) is { } inode)
                yield return inode;
        }
    }

    /// <summary>The pages of a file that the kernel has mapped directly (DAX).</summary>
    /// <param name="mapping">Virtual address of its address_space.</param>
    /// <param name="pageShift">log2 of the page size in bytes.</param>
    public IEnumerable<DaxEntry> DaxEntries(ulong mapping, int pageShift) =>
        Layout.MappingPages < 0 || Layout.PageTree is null ? [] : DaxEntryWalk.Over(this, mapping + (ulong)Layout.MappingPages, Layout.PageTree, pageShift);

    /// <summary>Where an inode is: the path by which it was last looked up, with the mount point in front.</summary>
    /// <param name="inode">The inode.</param>
    public KernelPath PathOf(KernelInode inode)
    {
        KernelPath best = KernelPath.Unknown;
        var outcome = new WalkOutcome();
        foreach (ulong alias in ListWalk.Singly(Memory, inode.Address + (ulong)Layout.InodeDentries, 0, Memory.Limits.InodeNames, outcome))
        {
            KernelPath path = PathOf(alias - (ulong)Layout.DentryAlias);

            // Of several links one that still is there.
            if (best.Text is null || (best.IsDeleted && !path.IsDeleted && path.Text is not null))
                best = path;
        }

        // An inode without a dentry has no name in memory; that is no gap in the dump.
        if (best.Text is null && (outcome.Count > 0 || !outcome.IsComplete))
            ProblemList.Add(FindingCode.FilesNameless, $"the name of inode {inode.Number} on {inode.SuperBlock?.Id ?? "an unknown device"} is not in the dump");
        return best;
    }

    /// <summary>The path of a dentry through the mount of its file system in the first namespace; through none if it is not mounted there.</summary>
    /// <param name="dentry">Virtual address of the dentry.</param>
    public KernelPath PathOf(ulong dentry) =>
        _paths.TryClimb(dentry, out DentryChain chain) ? _mounts.Value.PathOf(chain) : KernelPath.Unknown;

    /// <summary>The path of an open file through the mount by which it was opened.</summary>
    /// <param name="file">Virtual address of the struct file.</param>
    public KernelPath PathOfFile(ulong file)
    {
        if (!Memory.TryReadUInt64(file + (ulong)Layout.FileDentry, out ulong dentry) || !Memory.TryReadUInt64(file + (ulong)Layout.FileMount, out ulong mount)
            || !_paths.TryClimb(dentry, out DentryChain chain))
            return KernelPath.Unknown;
        return _mounts.Value.PathThrough(mount - (ulong)Layout.Mount, chain);
    }

    /// <summary>The inode of an open file, and the one whose pages it maps: they differ for devices.</summary>
    /// <param name="file">Virtual address of the struct file.</param>
    /// <param name="mapped">Receives the inode whose pages the file maps; null if it cannot be read.</param>
    /// <returns>The file's own inode; null if it cannot be read.</returns>
    public KernelInode? InodeOfFile(ulong file, out KernelInode? mapped)
    {
        mapped = Memory.TryReadUInt64(file + (ulong)Layout.FileMapping, out ulong mapping) ? InodeOfMapping(mapping) : null;
        return Memory.TryReadUInt64(file + (ulong)Layout.FileInode, out ulong inode) ? Inode(inode) : null;
    }

    /// <summary>The entries of a circular list; why it ended early goes to the problems.</summary>
    internal IReadOnlyList<ulong> List(ulong head, int limit, string what)
    {
        var outcome = new WalkOutcome();
        List<ulong> entries = ListWalk.CircularBothWays(Memory, head, limit, outcome);
        if (WalkText.OfList(outcome, head, limit) is { } problem)
            ProblemList.Add(FindingCode.FilesListBroken, $"{what}: {problem}; {entries.Count} entries were found");
        return entries;
    }

    /// <summary>The files that a task has open, by descriptor. Threads of a process share them.</summary>
    /// <param name="task">The task.</param>
    /// <returns>None for a task that has ended; ends early where the table of files is not in the dump.</returns>
    public IEnumerable<OpenFile> FilesOf(KernelTask task)
    {
        ArgumentNullException.ThrowIfNull(task);
        return FileTable.Of(task, Memory, ProblemList).Select(f => new OpenFile(f.Descriptor, f.File, PathOfFile(f.File), InodeOfFile(f.File, out _)));
    }

    private string TypeName(ulong block, ulong type)
    {
        if (!Memory.TryReadUInt64(type + (ulong)Layout.TypeName, out ulong at)
            || !Memory.TryReadCString(at, Memory.Limits.FileSystemNameBytes, out string name))
            return "";
        if (Layout.SuperBlockSubtype >= 0 && Memory.TryReadUInt64(block + (ulong)Layout.SuperBlockSubtype, out ulong subtype) && subtype != 0
            && Memory.TryReadCString(subtype, Memory.Limits.FileSystemNameBytes, out string more) && more.Length > 0)
            name += "." + more;
        return name;
    }
}
