using Vmcore.Architectures;
using Vmcore.Kernel;
using Vmcore.Kernel.Vfs;
using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Pmem.Usage;

/// <summary>Finds out what one page of pmem was, without reading the struct pages of all the others.</summary>
internal sealed class PmemPageFinder
{
    private readonly PmemUsage _usage;
    private readonly UsageScan? _scan;
    private readonly ulong _pfn;
    private readonly int _pageShift;
    private readonly List<PmemPageOwner> _owners = [];

    private PmemPageFinder(PmemUsage usage, ulong pfn, int pageShift)
    {
        _usage = usage;
        _scan = usage.Scan;
        _pfn = pfn;
        _pageShift = pageShift;
    }

    /// <summary>Finds it out.</summary>
    /// <param name="kernel">The crashed kernel.</param>
    /// <param name="pmem">The pmem.</param>
    /// <param name="memmap">The memmap; null if it cannot be found.</param>
    /// <param name="layout">The layout of its structures; null if it is not known.</param>
    /// <param name="pfn">The page.</param>
    /// <param name="mayLack">True if pages are missing of the dump that it should have: what was not found may be among them.</param>
    internal static PmemPage Find(KernelView kernel, PmemLayout pmem, MemmapReader? memmap, StructPageLayout? layout, ulong pfn, bool mayLack)
    {
        int shift = kernel.PhysicalMemory.PageShift;
        if (!pmem.Pages.Contains(pfn))
            return new(pfn, PmemPageKind.NotPmem, null);
        PmemNamespace? item = pmem.Namespaces.FirstOrDefault(n => n.Range.Contains(pfn << shift));
        if (pmem.Metadata.Contains(pfn))
        {
            return item?.InfoBlock is not null && pfn == (item.Range.Start + InfoBlock.Offset) >> shift
                ? new(pfn, PmemPageKind.InfoBlock, item)
                : new(pfn, PmemPageKind.Memmap, item) { Described = Described(kernel, pmem, memmap, pfn) };
        }

        if (item is null || item.StructPages == 0)
        {
            bool isUnknown = memmap is null || memmap.Model.IsUnreadable(pfn) || (item is null && mayLack && memmap.Model.TryGetStructPage(pfn, out _, out _));
            return new(pfn, isUnknown ? PmemPageKind.Unknown : PmemPageKind.WithoutStructPage, item);
        }

        if (pfn < item.DataPages(shift).Start)
            return new(pfn, PmemPageKind.Reserved, item);
        PmemUsage usage = PmemUsage.Collect(kernel, pmem, memmap, layout, scanPages: false);
        return new(pfn, PmemPageKind.Data, item) { Use = new PmemPageFinder(usage, pfn, shift).Use(item) };
    }

    private PmemPageUse Use(PmemNamespace item)
    {
        // What another kernel wrote there says nothing of this one.
        DaxPage page = default;
        ulong head = _pfn;
        int order = 0;
        if (item.State == MemmapState.Overwritten || _scan is null || !_scan.TryReadPage(_pfn, out page, out head, out order))
            return UseWithoutStruct();
        DaxPageState state = page.State;
        ulong? count = null;
        if (state == DaxPageState.Mapped)
        {
            Add(_usage.Vfs?.InodeOfMapping(page.Mapping), page.Mapping, page.Index);
            AddSharers(page.Mapping);
        }
        else if (state == DaxPageState.Shared)
        {
            AddSharers(known: 0);
            if (_scan.HasFolios && _owners.Count == 0 && _usage.Vfs is { Problems.Count: 0 })
                state = DaxPageState.Idle;
            else
                count = _scan.HasFolios ? (ulong)_owners.Count : page.Index;
        }

        return new()
        {
            HasStruct = true,
            Struct = page,
            State = state,
            Head = head,
            Order = order,
            Owners = _owners,
            ShareCount = count,
            KernelCountsSharers = !_scan.HasFolios,
            Problems = _usage.Problems,
        };
    }

    /// <summary>What the files' page trees and the processes' page tables say. Devdax devices keep no page tree; only the tables name them.</summary>
    private PmemPageUse UseWithoutStruct()
    {
        AddSharers(known: 0);
        HashSet<ulong> devices = [];
        foreach ((PmemMapping area, ulong index) in _usage.InTables(_pfn))
        {
            if (area.IsDeviceDax && devices.Add(area.Mapping))
                Add(_usage.Vfs?.InodeOfMapping(area.Mapping), area.Mapping, index);
        }

        return new()
        {
            State = _owners.Count switch { 0 => null, 1 => DaxPageState.Mapped, _ => DaxPageState.Shared },
            Head = _pfn,
            Owners = _owners,
            ShareCount = _owners.Count > 1 ? (ulong)_owners.Count : null,
            Problems = _usage.Problems,
        };
    }

    private void Add(KernelInode? inode, ulong mapping, ulong index)
    {
        bool isDevice = inode is { IsDeviceDax: true };
        _owners.Add(new()
        {
            Mapping = mapping,
            Index = index,
            Inode = inode,
            Path = inode is null || isDevice ? KernelPath.Unknown : _usage.Vfs!.PathOf(inode),
            Device = isDevice ? _usage.DeviceOf(inode, _pfn) : null,
            Mappers = [.. _usage.Mappings.Where(m => m.Mapping == mapping && index >= m.Area.PageOffset
                && index - m.Area.PageOffset < (m.Area.End - m.Area.Start) >> _pageShift)],
        });
    }

    /// <summary>Up to 6.2 a shared page names one file only, so the page trees of all are asked.</summary>
    private void AddSharers(ulong known)
    {
        if (_usage.Vfs is not { } vfs)
            return;
        foreach (KernelSuperBlock block in vfs.SuperBlocks().Where(b => b.Id.StartsWith("pmem", StringComparison.Ordinal)))
        {
            foreach (KernelInode inode in vfs.InodesWithPages(block).Where(i => i.IsDax && i.Mapping != known))
            {
                foreach (DaxEntry entry in vfs.DaxEntries(inode.Mapping, _pageShift))
                {
                    if (_pfn >= entry.Pfn && _pfn - entry.Pfn < entry.Pages)
                        Add(inode, inode.Mapping, entry.Index + (_pfn - entry.Pfn));
                }
            }
        }
    }

    /// <summary>Backwards: of which page is the structure that begins first in a page of memmap? A binary search is not possible where the blocks that the
    /// kernel maps come in any order.</summary>
    private static PfnRange? Described(KernelView kernel, PmemLayout pmem, MemmapReader? memmap, ulong pfn)
    {
        if (memmap is null || kernel.Memory is not { } memory)
            return null;
        int pageSize = kernel.PhysicalMemory.PageSize;
        ulong physical = pfn << kernel.PhysicalMemory.PageShift, structSize = (ulong)memmap.StructPageSize;
        foreach (PmemNamespace item in pmem.Namespaces.Where(n => n.Metadata.Contains(pfn)))
        {
            PfnRange all = item.Range.ToPfns(kernel.PhysicalMemory.PageShift);
            for (ulong at = all.Start; at < all.End;)
            {
                if (!memmap.Model.TryGetStructPage(at, out ulong address, out _))
                    break;
                Translation translation = memory.Translate(address);
                ulong size = Math.Max(translation.Size, (ulong)pageSize), leaf = translation.PhysicalAddress & ~(size - 1), inLeaf = address & (size - 1);
                if (translation.Status == MemoryStatus.Ok && physical >= leaf && physical - leaf < size)
                {
                    ulong offset = physical - leaf;
                    ulong first = offset >= inLeaf ? at + ((offset - inLeaf) / structSize) : at;
                    return new(first, first + ((ulong)pageSize / structSize));
                }

                at += Math.Max(1, (size - inLeaf) / structSize);
            }
        }

        return null;
    }
}
