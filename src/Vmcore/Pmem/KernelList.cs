using System.Buffers.Binary;
using Vmcore.Findings;
using Vmcore.Kernel.Identity;
using Vmcore.Kernel.Lists;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Pmem;

/// <summary>An entry of the kernel's own list of memmaps on pmem.</summary>
/// <param name="Address">Virtual address of the entry.</param>
/// <param name="Pages">The pages that it names.</param>
internal sealed record KernelListEntry(ulong Address, PfnRange Pages);

/// <summary>
/// The list that kernels with pmem support keep (<c>devm_memmap_vmcore_head</c>). It names whole reserved areas and may have been caught in the
/// middle of a change: a hint and a check, never the set to dump.
/// </summary>
internal static class KernelList
{
    internal static IReadOnlyList<KernelListEntry> Read(CrashedKernel? kernel, List<Finding> findings)
    {
        List<KernelListEntry> entries = [];
        if (kernel?.VmcoreInfo is not { } info || info.Symbol("devm_memmap_vmcore_head") is not { } head)
            return entries;
        int size = info.Size("devm_memmap_vmcore") ?? 0, next = info.Offset("list_head.next") ?? 0;
        if (info.Offset("devm_memmap_vmcore.entry") is not { } entry || info.Offset("devm_memmap_vmcore.start") is not { } start
            || info.Offset("devm_memmap_vmcore.end") is not { } end || size is < 32 or > 4096 || Math.Max(Math.Max(start, end), entry + next) + 8 > size)
        {
            findings.Add(new(FindingCode.PmemListUnusable));
            return entries;
        }

        byte[] node = new byte[size];
        ulong headEntry = head + (ulong)entry;
        var outcome = new WalkOutcome();
        foreach (ulong link in ListWalk.Circular(kernel.Memory, headEntry, kernel.Memory.Limits.NvdimmEntries, outcome, (ulong)next))
        {
            ulong address = link - (ulong)entry;
            if (kernel.Memory.Read(address, node) != MemoryStatus.Ok)
            {
                findings.Add(new(FindingCode.PmemListBroken, entries.Count, address));
                break;
            }

            var pages = new PfnRange(BinaryPrimitives.ReadUInt64LittleEndian(node.AsSpan(start)), BinaryPrimitives.ReadUInt64LittleEndian(node.AsSpan(end)));
            if (pages.IsEmpty || pages.End > 1UL << 44)
                findings.Add(new(FindingCode.PmemListNoRange, address, pages));
            else
                entries.Add(new(address, pages));
        }

        Finding? fault = outcome.End switch
        {
            WalkEnd.Unreadable when outcome.Count == 0 => new(FindingCode.PmemListUnreadable, head),
            WalkEnd.Unreadable => new(FindingCode.PmemListBroken, entries.Count, outcome.Address - (ulong)entry),
            WalkEnd.Null => new(FindingCode.PmemListBroken, entries.Count, unchecked(0 - (ulong)entry)),
            WalkEnd.Cycle or WalkEnd.Limit => new(FindingCode.PmemListCyclic, outcome.Address, entries.Count),
            _ => null,
        };
        if (fault is not null)
            findings.Add(fault);
        return entries;
    }

    /// <summary>Reports where the list, the info blocks and the page tables do not agree.</summary>
    internal static void Compare(
        IReadOnlyList<KernelListEntry> list, PfnRangeSet memmapPages, IReadOnlyList<LocatedInfoBlock> blocks, int pageShift, List<Finding> findings)
    {
        if (list.Count == 0)
            return;
        PfnRangeSet listed = PfnRangeSet.From(list.Select(e => e.Pages));
        foreach (PfnRange range in memmapPages.Except(listed))
            findings.Add(new(FindingCode.PmemNotListed, range));
        foreach (LocatedInfoBlock block in blocks.Where(b => b.IsLive && b.Block.Map == PmemMap.Device))
        {
            var reserved = new PfnRange((block.Base + block.Block.StartPad) >> pageShift,
                (block.Base + block.Block.StartPad + block.Block.DataOffset) >> pageShift);

            // Kernels differ in where an entry ends: with the area set aside, or with the last page of it that is in use.
            if (!list.Any(e => e.Pages.Start == reserved.Start && e.Pages.End <= reserved.End))
                findings.Add(new(FindingCode.PmemListDiffers, block.Base, reserved, Nearest(list, reserved)));
        }

        foreach (KernelListEntry entry in list)
        {
            if (!blocks.Any(b => b.IsLive && b.Base >> pageShift <= entry.Pages.Start && (b.Base + b.Block.NamespaceSize) >> pageShift >= entry.Pages.End))
                findings.Add(new(FindingCode.PmemListedElsewhere, entry.Pages));
        }
    }

    private static string Nearest(IReadOnlyList<KernelListEntry> list, PfnRange range)
    {
        foreach (KernelListEntry entry in list)
        {
            if (!entry.Pages.Intersect(range).IsEmpty)
                return $"pfn {entry.Pages}";
        }

        return "nothing there";
    }
}
