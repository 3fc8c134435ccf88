using System.Buffers.Binary;
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
    private const int MaxEntries = 65536;
    private const string Damaged = "pmem: the kernel's list of memmaps is damaged";

    internal static IReadOnlyList<KernelListEntry> Read(CrashedKernel? kernel, List<string> findings)
    {
        List<KernelListEntry> entries = [];
        if (kernel?.VmcoreInfo is not { } info || info.Symbol("devm_memmap_vmcore_head") is not { } head)
            return entries;
        int size = info.Size("devm_memmap_vmcore") ?? 0, next = info.Offset("list_head.next") ?? 0;
        if (info.Offset("devm_memmap_vmcore.entry") is not { } entry || info.Offset("devm_memmap_vmcore.start") is not { } start
            || info.Offset("devm_memmap_vmcore.end") is not { } end || size is < 32 or > 4096 || Math.Max(Math.Max(start, end), entry + next) + 8 > size)
        {
            findings.Add("pmem: vmcoreinfo names the kernel's list of memmaps, but its SIZE and OFFSET keys are absent or impossible; the list is not used");
            return entries;
        }

        byte[] node = new byte[size];
        ulong headEntry = head + (ulong)entry;
        var outcome = new WalkOutcome();
        foreach (ulong link in ListWalk.Circular(kernel.Memory, headEntry, MaxEntries, outcome, (ulong)next))
        {
            ulong address = link - (ulong)entry;
            if (kernel.Memory.Read(address, node) != MemoryStatus.Ok)
            {
                findings.Add($"{Damaged}: entry {entries.Count} at {PmemFinder.Hex(address)} cannot be read");
                break;
            }

            var pages = new PfnRange(BinaryPrimitives.ReadUInt64LittleEndian(node.AsSpan(start)), BinaryPrimitives.ReadUInt64LittleEndian(node.AsSpan(end)));
            if (pages.IsEmpty || pages.End > 1UL << 44)
                findings.Add($"pmem: the kernel's list of memmaps: entry at {PmemFinder.Hex(address)} names pfn {pages}, which is no range; ignored");
            else
                entries.Add(new(address, pages));
        }

        string? fault = outcome.End switch
        {
            WalkEnd.Unreadable when outcome.Count == 0 => $"pmem: the head of the kernel's list of memmaps at {PmemFinder.Hex(head)} cannot be read",
            WalkEnd.Unreadable => $"{Damaged}: entry {entries.Count} at {PmemFinder.Hex(outcome.Address - (ulong)entry)} cannot be read",
            WalkEnd.Null => $"{Damaged}: entry {entries.Count} at {PmemFinder.Hex(unchecked(0 - (ulong)entry))} cannot be read",
            WalkEnd.Cycle or WalkEnd.Limit =>
                $"{Damaged}: it comes back to {PmemFinder.Hex(outcome.Address)} after {entries.Count} entries instead of to its head",
            _ => null,
        };
        if (fault is not null)
            findings.Add(fault);
        return entries;
    }

    /// <summary>Reports where the list, the info blocks and the page tables do not agree.</summary>
    internal static void Compare(
        IReadOnlyList<KernelListEntry> list, PfnRangeSet memmapPages, IReadOnlyList<LocatedInfoBlock> blocks, int pageShift, List<string> findings)
    {
        if (list.Count == 0)
            return;
        PfnRangeSet listed = PfnRangeSet.From(list.Select(e => e.Pages));
        foreach (PfnRange range in memmapPages.Except(listed))
            findings.Add($"pmem: the page tables have live memmap at pfn {range}, the kernel's list does not name it; it is metadata");
        foreach (LocatedInfoBlock block in blocks.Where(b => b.IsLive && b.Block.Map == PmemMap.Device))
        {
            var reserved = new PfnRange((block.Base + block.Block.StartPad) >> pageShift,
                (block.Base + block.Block.StartPad + block.Block.DataOffset) >> pageShift);

            // Kernels differ in where an entry ends: with the area set aside, or with the last page of it that is in use.
            if (!list.Any(e => e.Pages.Start == reserved.Start && e.Pages.End <= reserved.End))
                findings.Add($"pmem: the info block at {PmemFinder.Hex(block.Base)} reserves pfn {reserved}, "
                    + $"the kernel's list has {Nearest(list, reserved)}; the page tables decide");
        }

        foreach (KernelListEntry entry in list)
        {
            if (!blocks.Any(b => b.IsLive && b.Base >> pageShift <= entry.Pages.Start && (b.Base + b.Block.NamespaceSize) >> pageShift >= entry.Pages.End))
                findings.Add($"pmem: the kernel's list names pfn {entry.Pages}, but no namespace with a valid info block is there; the page tables decide");
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
