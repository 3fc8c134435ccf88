using System.Globalization;
using Vmcore.Kernel.Vfs;
using Vmcore.Memory;
using Vmcore.Pmem;
using Vmcore.Pmem.Usage;
using Vmcore.Ranges;

namespace Vmcore.Cli.Reader.Pmem;

/// <summary>Says in words what one page was.</summary>
internal static class PageExplainer
{
    internal static PmemPageAnswer Explain(CrashDump dump, ulong pfn)
    {
        int shift = dump.Memory.PageShift;
        ulong address = pfn << shift;
        List<string> words = [];
        var answer = new PmemPageAnswer { Pfn = pfn, Address = address, Kind = "not_pmem", Words = words };
        string which = $"Page {Sizes.Hex(pfn)} (physical address {Sizes.Hex(address)})";
        if (!dump.Pmem.Pages.Contains(pfn))
        {
            words.Add($"{which} is not on pmem.");
            words.Add(InDump(dump, pfn, out bool exists));
            if (exists && PageWords.Sentence(dump, pfn) is { } page)
                words.Add(page);
            return answer with { Poisoned = exists && PageWords.IsPoisoned(dump, pfn) };
        }

        PmemNamespace? item = dump.Pmem.Namespaces.FirstOrDefault(n => n.Range.Contains(address));
        answer = answer with { Namespace = item?.Name };
        words.Add(item is null ? $"{which} is on pmem, in no namespace: nothing of it is in any dump."
            : $"{which} is on pmem, {Sizes.Text(address - item.Range.Start)} into {item.Name ?? "a namespace"} "
                + $"({(item.Mode == PmemMode.Unknown ? "mode not known" : item.Mode.ToString().ToLowerInvariant())}).");
        if (dump.Pmem.Metadata.Contains(pfn))
        {
            bool isBlock = item?.InfoBlock is not null && pfn == (item.Range.Start + InfoBlock.Offset) >> shift;
            words.Add(isBlock ? "It holds the namespace's info block: metadata."
                : "It holds struct pages of the namespace, its memmap: metadata." + Describes(dump, pfn));
            words.Add(InDump(dump, pfn, out _));
            return answer with { Kind = isBlock ? "info_block" : "memmap" };
        }

        words.Add("It is user data: Vmcore keeps it out of every dump.");
        answer = answer with { Kind = "user_data" };
        if (item is null || item.StructPages == 0)
        {
            words.Add("The kernel had no struct page for it, so nothing is known of its use.");
            return answer;
        }

        if (pfn < UsageScan.DataOf(item, shift).Start)
        {
            words.Add("It lies in the space that the namespace sets aside in front of its data, in a part that the kernel does not use: "
                + "it holds whatever the media held before.");
            return answer;
        }

        return OfUserData(dump, pfn, item, answer, words);
    }

    private static PmemPageAnswer OfUserData(CrashDump dump, ulong pfn, PmemNamespace item, PmemPageAnswer answer, List<string> words)
    {
        PmemUsage usage = dump.CollectPmemUsage(scanPages: false);
        DaxPage page = default;
        ulong head = pfn;
        int order = 0;
        if (item.State == MemmapState.Overwritten || usage.Scan is not { } scan || !scan.TryReadPage(pfn, out page, out head, out order))
            return WithoutStruct(dump, usage, pfn, item, answer, words);
        if (order > 0)
            words.Add(head == pfn
                ? $"It is the first page of a compound page of {1UL << order} pages."
                : $"It is part of a compound page of {1UL << order} pages that starts at {Sizes.Hex(head)}.");
        List<PageOwnerInfo> owners = [];
        switch (page.State)
        {
            case DaxPageState.Idle:
                words.Add("It is idle: no process had it mapped and no file claimed it through a mapping. "
                    + "Files that are only read and written leave no trace, so it may hold data all the same.");
                break;
            case DaxPageState.Mapped:
                Owner(dump, usage, usage.Vfs?.InodeOfMapping(page.Mapping), page.Mapping, page.Index, pfn, owners, words);
                Sharers(dump, usage, pfn, page.Mapping, owners, words);
                break;
            case DaxPageState.Shared when scan.HasFolios:
                page = OfFolio(dump, usage, pfn, page, owners, words);
                break;
            case DaxPageState.Shared:
                words.Add(string.Create(CultureInfo.InvariantCulture, $"Several files share it (reflink); the kernel's share count is {page.Index}."));
                Sharers(dump, usage, pfn, 0, owners, words);
                break;
            case DaxPageState.InUse:
                words.Add("It is in use without a file: the kernel or a device holds it.");
                break;
            default:
                words.Add($"Its struct page is not that of a page of pmem (flags {Sizes.Hex(page.Flags)}): never written, damaged, or of another kernel.");
                break;
        }

        if (page.IsPinned)
            words.Add(string.Create(CultureInfo.InvariantCulture,
                $"It is pinned: its reference count is {page.References}, so direct I/O, RDMA or the like was using it."));
        if (page.IsPoisoned)
            words.Add("It is poisoned: the memory failed there (PG_hwpoison).");
        foreach (string problem in usage.Problems)
            words.Add($"Note: {problem}.");
        return answer with
        {
            State = page.State == DaxPageState.InUse ? "in_use" : page.State.ToString().ToLowerInvariant(),
            Pinned = page.IsPinned,
            Poisoned = page.IsPoisoned,
            References = page.References,
            ShareCount = page.State == DaxPageState.Shared && page.Index > 0 ? page.Index : null,
            Owners = owners,
        };
    }

    /// <summary>What the files' page trees and the processes' page tables say of a page whose own structure is lost.</summary>
    private static PmemPageAnswer WithoutStruct(
        CrashDump dump, PmemUsage usage, ulong pfn, PmemNamespace item, PmemPageAnswer answer, List<string> words)
    {
        words.Add((item.State == MemmapState.Overwritten
            ? "Its struct page was written anew after the crash, by a pmem driver in the capture kernel" : "Its struct page is not in the dump")
            + ": what follows is from the files' page trees and the processes' page tables.");
        List<PageOwnerInfo> owners = [];
        Sharers(dump, usage, pfn, 0, owners, words);
        HashSet<ulong> devices = [];
        foreach ((PmemMapping area, ulong index) in usage.InTables(pfn))
        {
            if (area.IsDeviceDax && devices.Add(area.Mapping))
                Owner(dump, usage, usage.Vfs?.InodeOfMapping(area.Mapping), area.Mapping, index, pfn, owners, words);
        }

        if (owners.Count == 0)
            words.Add("None of them names it. It may have been idle; that is not known.");
        foreach (string problem in usage.Problems)
            words.Add($"Note: {problem}.");
        return answer with { State = owners.Count switch { 0 => null, 1 => "mapped", _ => "shared" }, Owners = owners };
    }

    /// <summary>Since 6.15 a page that lost its only file may look shared: the files' page trees decide.</summary>
    private static DaxPage OfFolio(CrashDump dump, PmemUsage usage, ulong pfn, DaxPage page, List<PageOwnerInfo> owners, List<string> words)
    {
        int at = words.Count;
        Sharers(dump, usage, pfn, 0, owners, words);
        bool isIdle = owners.Count == 0 && usage.Vfs is { Problems.Count: 0 };
        words.Insert(at, isIdle
            ? "It is idle: its struct page looks like that of a shared page, but no file names it. The kernel leaves such traces of files that are gone."
            : owners.Count == 0 ? "Its struct page is that of a page that several files share (reflink), but none of them was found."
            : string.Create(CultureInfo.InvariantCulture, $"Files share it (reflink): {owners.Count} of them name it."));
        return page with { State = isIdle ? DaxPageState.Idle : DaxPageState.Shared, Index = (ulong)owners.Count };
    }

    private static void Owner(CrashDump dump, PmemUsage usage, KernelInode? inode,
        ulong mapping, ulong index, ulong pfn, List<PageOwnerInfo> owners, List<string> words)
    {
        bool isDevice = inode is { IsDeviceDax: true };
        string? path = null;
        if (isDevice)
        {
            string? name = dump.Resources?.All().LastOrDefault(r => r.Range.Contains(pfn << dump.Memory.PageShift)
                && r.Name.StartsWith("dax", StringComparison.Ordinal))?.Name;
            path = name is null ? null : "/dev/" + name;
            words.Add(string.Create(CultureInfo.InvariantCulture,
                $"It is page {index} of the device {path ?? inode!.Device.ToString()} (device number {inode!.Device})."));
        }
        else if (inode is not null)
        {
            KernelPath found = usage.Vfs!.PathOf(inode);
            path = found.Text;
            words.Add(string.Create(CultureInfo.InvariantCulture, $"It is page {index} (offset {Sizes.Hex(index << dump.Memory.PageShift)}) "
                + $"of the file {path ?? "whose path is not in memory"}{(found.IsDeleted ? " (deleted)" : "")}, "
                + $"inode {inode.Number} of {inode.SuperBlock?.Type ?? "a file system"} on {inode.SuperBlock?.Id ?? "an unknown device"}."));
        }
        else
        {
            words.Add(string.Create(CultureInfo.InvariantCulture,
                $"It is page {index} of a file whose address_space at {Sizes.Hex(mapping)} cannot be followed to an inode."));
        }

        List<PageMapperInfo> mappers = [];
        foreach (PmemMapping area in usage.Mappings.Where(m => m.Mapping == mapping))
        {
            ulong pages = (area.Area.End - area.Area.Start) >> dump.Memory.PageShift;
            if (index >= area.Area.PageOffset && index - area.Area.PageOffset < pages)
                mappers.Add(new(area.Process.Pid, area.Process.Name, area.Area.Start + ((index - area.Area.PageOffset) << dump.Memory.PageShift)));
        }

        foreach (PageMapperInfo mapper in mappers)
            words.Add(string.Create(CultureInfo.InvariantCulture, $"Process {mapper.Pid} ({mapper.Name}) maps it at {Sizes.Hex(mapper.Address)}."));
        if (mappers.Count == 0)
            words.Add("No process maps it now.");
        owners.Add(new(path, isDevice ? null : inode?.SuperBlock?.Id, isDevice ? null : inode?.Number, index, mappers));
    }

    /// <summary>Up to 6.2 a shared page names one file only, so the page trees of all are asked.</summary>
    private static void Sharers(CrashDump dump, PmemUsage usage, ulong pfn, ulong known, List<PageOwnerInfo> owners, List<string> words)
    {
        if (usage.Vfs is not { } vfs)
            return;
        foreach (KernelSuperBlock block in vfs.SuperBlocks().Where(b => b.Id.StartsWith("pmem", StringComparison.Ordinal)))
        {
            foreach (KernelInode inode in vfs.InodesWithPages(block).Where(i => i.IsDax && i.Mapping != known))
            {
                foreach (DaxEntry entry in vfs.DaxEntries(inode.Mapping, dump.Memory.PageShift))
                {
                    if (pfn >= entry.Pfn && pfn - entry.Pfn < entry.Pages)
                        Owner(dump, usage, inode, inode.Mapping, entry.Index + (pfn - entry.Pfn), pfn, owners, words);
                }
            }
        }
    }

    private static string InDump(CrashDump dump, ulong pfn, out bool isMemory)
    {
        Span<ulong> exists = stackalloc ulong[1], present = stackalloc ulong[1];
        dump.Coverage.GetPages(pfn & ~63UL, exists, present);
        isMemory = PageBits.Get(exists, (int)(pfn & 63));
        return PageBits.Get(present, (int)(pfn & 63)) ? "Its content is in the dump."
            : isMemory ? "It was left out of the dump." : dump.Resources?.All().Any(r => r.Name == Vmcore.Picture.MemoryPicture.CrashKernel && r.Range.Contains(pfn << dump.Memory.PageShift)) == true
                ? "It is in the area of the crash kernel, which is in no dump." : "The dump knows of no memory there.";
    }

    private static string Describes(CrashDump dump, ulong pfn)
    {
        if (dump.Memmap is not { } memmap || dump.Kernel is not { } kernel)
            return "";

        // Backwards: of which page is the structure that starts first in it? Namespaces are small
        // in number, and a binary search is not possible where blocks come in any order.
        ulong physical = pfn << dump.Memory.PageShift;
        int perPage = dump.Memory.PageSize / memmap.StructPageSize;
        foreach (PmemNamespace item in dump.Pmem.Namespaces.Where(n => n.Metadata.Contains(pfn)))
        {
            PfnRange all = item.Range.ToPfns(dump.Memory.PageShift);
            for (ulong at = all.Start; at < all.End;)
            {
                if (!memmap.Model.TryGetStructPage(at, out ulong address, out _))
                    break;
                Architectures.Translation translation = kernel.Memory.Translate(address);
                ulong size = Math.Max(translation.Size, (ulong)dump.Memory.PageSize),
                    leaf = translation.PhysicalAddress & ~(size - 1), inLeaf = address & (size - 1);
                if (translation.Status == MemoryStatus.Ok && physical >= leaf && physical - leaf < size)
                {
                    ulong offset = physical - leaf;
                    ulong first = offset >= inLeaf ? at + ((offset - inLeaf) / (ulong)memmap.StructPageSize) : at;
                    return string.Create(CultureInfo.InvariantCulture, $" They describe the pages from {Sizes.Hex(first)} on, about {perPage}.");
                }

                at += Math.Max(1, (size - inLeaf) / (ulong)memmap.StructPageSize);
            }
        }

        return "";
    }
}
