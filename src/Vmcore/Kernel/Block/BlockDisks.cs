using System.Globalization;
using Vmcore.Findings;
using Vmcore.Kernel.Lists;
using Vmcore.Kernel.Summary;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Block;

/// <summary>The disks, and the I/O that the block layer holds for them.</summary>
/// <remarks>Source: block/bdev.c (each block device has an inode in a file system of its own), block/blk-mq.h, block/blk-mq-tag.c (a request is in use while
/// its bit is set), include/linux/blk-mq.h.</remarks>
public sealed class BlockDisks
{
    private const ulong OperationMask = 0xff; // REQ_OP_MASK

    private readonly KernelView _kernel;
    private readonly IVirtualMemory _memory;
    private readonly KernelTypes _types;
    private readonly ProblemList _problems = new();
    private readonly List<BlockDisk> _disks = [];
    private readonly XArrayLayout? _arrays;
    private readonly ulong? _now;
    private int _looks;

    private BlockDisks(KernelView kernel)
    {
        (_kernel, _memory, _types) = (kernel, kernel.RequireMemory(), kernel.RequireTypes());
        _arrays = XArrayLayout.From(new(_types));
        _now = KernelClock.TryRead(kernel)?.Monotonic;
    }

    /// <summary>The disks, by device number.</summary>
    public IReadOnlyList<BlockDisk> Disks => _disks;

    /// <summary>What cannot be told of them, or not all: one clause each; at most 100.</summary>
    public IReadOnlyList<Finding> Problems => _problems.Findings;

    /// <summary>Reads them.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <exception cref="MissingInformationException">The kernel's memory, symbols or types are not there, or the disks cannot be found.</exception>
    public static BlockDisks Load(KernelView kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        var disks = new BlockDisks(kernel);
        disks.Read();
        disks._disks.Sort(static (a, b) => a.Device.Value.CompareTo(b.Device.Value));
        return disks;
    }

    private void Read()
    {
        KernelType? node = _types.FindNamed(KernelTypeKind.Struct, "bdev_inode"), block = _types.FindNamed(KernelTypeKind.Struct, "super_block"),
            device = _types.FindNamed(KernelTypeKind.Struct, "block_device");
        if (_kernel.RequireSymbols().TryFindInImage("blockdev_superblock") is not { } symbol || !_memory.TryReadUInt64(symbol, out ulong super)
            || !_memory.IsKernelAddress(super) || block?.FindMember("s_inodes")?.ByteOffset is not { } inodes
            || node?.FindPath("vfs_inode.i_sb_list")?.ByteOffset is not { } link || device?.FindMember("bd_disk") is null)
            throw new MissingInformationException("the disks cannot be found: the kernel has no blockdev_superblock, or its types do not lead to them");
        var outcome = new WalkOutcome();
        ulong head = unchecked(super + (ulong)inodes);
        int limit = _memory.Limits.Inodes;
        HashSet<ulong> seen = [];
        foreach (ulong entry in ListWalk.CircularBothWays(_memory, head, limit, outcome))
        {
            ulong at = unchecked(entry - (ulong)link);
            try
            {
                // The first member of bdev_inode is the block device; partitions have the disk of the whole.
                KernelObject item = KernelObject.At(_memory, device, at), disk = item.Member("bd_disk");
                if (disk.AsUInt64() is not 0 and var address && seen.Add(address))
                    ReadDisk(disk.Dereference());
            }
            catch (KernelObjectException e)
            {
                Complain($"the block device at 0x{at:x}: {e.Message}");
            }
        }

        if (WalkText.OfList(outcome, head, limit) is { } problem)
            Complain($"block devices: {problem}");
    }

    private void ReadDisk(KernelObject item)
    {
        KernelObject queue = item.Member("queue");
        var disk = new BlockDisk
        {
            Name = TextOf(item.Member("disk_name")),
            Address = item.Address ?? 0,
            Queue = queue.AsUInt64(),
            Device = new(((uint)item.Member("major").AsUInt64() << 20) | ((uint)item.Member("first_minor").AsUInt64() & 0xfffff)),
            Operations = queue.AsUInt64() == 0 ? 0 : queue.Member("mq_ops").AsUInt64(),
        };
        _disks.Add(disk);
        try
        {
            if (disk.Operations != 0)
                disk.Requests = RequestsOf(queue.Dereference());
            else
                ReadCounters(disk, item.Member("part0"));
        }
        catch (KernelObjectException e)
        {
            Complain($"{disk.Name}: {e.Message}");
        }
    }

    private List<BlockRequest> RequestsOf(KernelObject queue)
    {
        List<BlockRequest> requests = [];
        HashSet<ulong> seen = [], tagSets = [];
        foreach (ulong address in HardwareQueues(queue))
        {
            if (!Look())
                break;
            KernelObject hardware = KernelObject.At(_memory, _types.FindNamed(KernelTypeKind.Struct, "blk_mq_hw_ctx")!, address);
            foreach (bool isScheduler in (ReadOnlySpan<bool>)[false, true])
            {
                // Of a driver's tags all queues of one host may have the same; requests that wait in a scheduler have tags of its own.
                KernelObject tags = hardware.Member(isScheduler ? "sched_tags" : "tags");
                if (tags.AsUInt64() is not 0 and var at && tagSets.Add(at))
                    ReadTags(tags.Dereference(), isScheduler, queue.Address ?? 0, seen, requests);
            }
        }

        // The oldest first; those of which it is not known last.
        return [.. requests.OrderByDescending(static r => r.Age ?? 0)];
    }

    // A table since 5.18, an array before.
    private List<ulong> HardwareQueues(KernelObject queue)
    {
        List<ulong> found = [];
        if (queue.Type.FindMember("hctx_table") is null)
        {
            foreach (KernelObject item in queue.Member("queue_hw_ctx").Elements((long)queue.Member("nr_hw_queues").AsUInt64()).Take(_memory.Limits.Cpus))
                found.Add(item.AsUInt64());
            return found;
        }

        if (_arrays is null)
            throw new KernelObjectException("the kernel's types have no xa_node.slots");
        var outcome = new WalkOutcome();
        ulong table = queue.Member("hctx_table").Address ?? 0;
        foreach (XArrayEntry entry in XArrayWalk.Run(_memory, table, _arrays, outcome))
        {
            found.Add(entry.Entry);
            if (found.Count >= _memory.Limits.Cpus)
                break;
        }

        if (WalkText.OfAny(outcome, table, _memory.Limits.XArrayNodes) is { } problem && outcome.End != WalkEnd.Unfinished)
            Complain($"hardware queues: {problem}");
        return found;
    }

    private void ReadTags(KernelObject tags, bool isScheduler, ulong queue, HashSet<ulong> seen, List<BlockRequest> requests)
    {
        ulong count = tags.Member("nr_tags").AsUInt64(), reserved = tags.Member("nr_reserved_tags").AsUInt64();
        KernelObject table = tags.Member(isScheduler ? "static_rqs" : "rqs");
        if (count > (ulong)_memory.Limits.BlockTags || reserved > count)
            throw new KernelObjectException($"the tags at 0x{tags.Address:x} are {count}, {reserved} of them reserved");
        foreach (string part in (ReadOnlySpan<string>)["breserved_tags", "bitmap_tags"])
        {
            foreach (int bit in TagMap.BitsOf(tags.Member(part).Member("sb")))
            {
                if (!Look())
                    return;
                ulong number = (ulong)bit + (part == "bitmap_tags" ? reserved : 0);

                // Whoever has just got a tag has no request there yet.
                if (number >= count || table.Element((long)number).AsUInt64() is not (not 0 and var address) || !seen.Add(address))
                    continue;
                KernelObject request = KernelObject.At(_memory, _types.FindNamed(KernelTypeKind.Struct, "request")!, address);

                // What a tag had before stays there until it is given out again: then it says so itself.
                if (request.Member("q").AsUInt64() != queue || (int)request.Member(isScheduler ? "internal_tag" : "tag").AsUInt64() != (int)number)
                    continue;
                requests.Add(ReadRequest(request));
            }
        }
    }

    // Disks may have tags in common: damaged ones all of them.
    private bool Look()
    {
        if (_looks++ < _memory.Limits.BlockLooks)
            return true;
        Complain($"more than {_memory.Limits.BlockLooks} tags of requests; the rest is left out");
        return false;
    }

    private BlockRequest ReadRequest(KernelObject item)
    {
        const ulong Flush = 2, FirstOfDriver = 32;
        ulong operation = item.Member("cmd_flags").AsUInt64() & OperationMask;
        int tag = (int)item.Member("tag").AsUInt64();
        KernelObject bio = item.Member("bio");
        return new()
        {
            Address = item.Address ?? 0,
            State = item.Member("state").AsUInt64() switch { 0 => BlockRequestState.Waiting, 2 => BlockRequestState.Complete, _ => BlockRequestState.InFlight },
            Operation = NameOf(operation),
            Sector = operation is Flush or >= FirstOfDriver ? null : item.Member("__sector").AsUInt64(),
            Length = (uint)item.Member("__data_len").AsUInt64(),
            Tag = tag >= 0 ? tag : null,
            Age = Since(item, "start_time_ns"),
            DriverAge = Since(item, "io_start_time_ns"),
            EndFunction = bio.AsUInt64() == 0 ? 0 : bio.Member("bi_end_io").AsUInt64(),
        };
    }

    private ulong? Since(KernelObject request, string member)
    {
        ulong at = request.Type.FindMember(member) is null ? 0 : request.Member(member).AsUInt64();
        return at == 0 || _now is not { } now ? null : at <= now ? now - at : 0;
    }

    // enum req_op; up to 5.19 req_opf.
    private string NameOf(ulong operation)
    {
        const string Prefix = "REQ_OP_";
        KernelType? names = _types.FindNamed(KernelTypeKind.Enum, "req_op") ?? _types.FindNamed(KernelTypeKind.Enum, "req_opf");
        foreach (KernelEnumerator value in names?.Enumerators ?? [])
        {
            if ((ulong)value.Value == operation && value.Name.StartsWith(Prefix, StringComparison.Ordinal))
                return value.Name[Prefix.Length..].ToLowerInvariant();
        }

        return operation.ToString(CultureInfo.InvariantCulture);
    }

    // What one CPU begins another may end: only the sum says something.
    private void ReadCounters(BlockDisk disk, KernelObject part)
    {
        KernelType? type = _types.FindNamed(KernelTypeKind.Struct, "disk_stats");
        bool isCounted = part.AsUInt64() != 0 && part.Dereference().Type.FindMember("bd_stats") is not null;
        ulong stats = isCounted ? part.Member("bd_stats").AsUInt64() : 0;
        if (stats == 0 || type?.FindMember("in_flight")?.ByteOffset is not { } place || _kernel.PerCpu is not { } areas)
        {
            Complain($"{disk.Name}: its I/O is not counted, or its counters cannot be found");
            return;
        }

        long reads = 0, writes = 0;
        foreach (int cpu in areas.Possible)
        {
            ulong at = areas.OffsetOf(cpu) is { } offset ? unchecked(stats + offset + (ulong)place) : 0;
            if (!_memory.TryReadUInt64(at, out ulong read) || !_memory.TryReadUInt64(at + 8, out ulong write))
            {
                Complain($"{disk.Name}: the counters of CPU {cpu} are not in the dump");
                return;
            }

            reads += (long)read;
            writes += (long)write;
        }

        (disk.Reads, disk.Writes) = (Math.Max(reads, 0), Math.Max(writes, 0));
    }

    private static string TextOf(KernelObject name)
    {
        string text = name.ReadString();
        return string.Concat(text.Select(static c => c is > ' ' and < (char)0x7f ? c : '?'));
    }

    private void Complain(string problem) => _problems.Add(FindingCode.BlockIncomplete, problem);
}
