using Vmcore.Findings;
using Vmcore.Kernel.Resources;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Pmem;

/// <summary>Puts info blocks, the resource tree and the page tables together to a list of namespaces.</summary>
internal static class NamespaceBuilder
{
    internal static IReadOnlyList<PmemNamespace> Build(
        PfnRangeSet pages, PfnRangeSet metadata, VmemmapWalk walk, IReadOnlyList<LocatedInfoBlock> blocks, PmemEvidence evidence, List<Finding> findings)
    {
        int shift = evidence.Memory.PageShift;
        List<PmemNamespace> result = [];
        foreach (LocatedInfoBlock block in blocks.Where(b => b.IsLive))
        {
            var range = new PhysicalRange(block.Base, block.Base + block.Block.NamespaceSize);
            PfnRangeSet own = metadata.Intersect(range.ToPfns(shift));
            ulong present = Present(evidence.Memory, own);
            PfnRangeSet memmap = walk.MemmapPages.Intersect(range.ToPfns(shift));
            CheckBounds(block, memmap, shift, findings);
            MemmapState state = memmap.IsEmpty ? MemmapState.None
                : present == 0 ? MemmapState.Missing
                : IsOverwritten(block, evidence) ? MemmapState.Overwritten
                : present < own.PageCount ? MemmapState.Incomplete : MemmapState.Complete;
            string? name = NameAt(evidence.Resources, block.Base);
            if (state is MemmapState.Missing or MemmapState.Incomplete)
                findings.Add(new(FindingCode.PmemMetadataMissing, name ?? "the namespace", range, own.PageCount - present, own.PageCount));
            if (state == MemmapState.Overwritten)
                findings.Add(new(FindingCode.PmemMemmapOverwritten, name ?? "the namespace", range));
            result.Add(new()
            {
                Name = name,
                Range = range,
                Mode = block.Block.Mode,
                Map = block.Block.Map,
                InfoBlock = block.Block,
                Metadata = own,
                MetadataPresent = present,
                StructPages = walk.PagesWithStruct.Intersect(range.ToPfns(shift)).PageCount,
                State = state,
            });
        }

        AddNamed(result, pages, metadata, walk, evidence, shift, findings);
        result.Sort(static (a, b) => a.Range.Start.CompareTo(b.Range.Start));
        return result;
    }

    /// <summary>Namespaces without a live info block: raw, sector, legacy, or not in the dump.</summary>
    private static void AddNamed(
        List<PmemNamespace> result, PfnRangeSet pages, PfnRangeSet metadata, VmemmapWalk walk, PmemEvidence evidence, int shift, List<Finding> findings)
    {
        if (evidence.Resources is null)
            return;
        List<PmemNamespace> added = [];
        List<PhysicalRange> devices = DevicesIn(evidence.Resources, pages, shift, evidence.Memory.Limits.NamedNamespaces);
        foreach (KernelResource resource in evidence.Resources.All())
        {
            if (added.Count == evidence.Memory.Limits.NamedNamespaces)
                break;
            if (!resource.Name.StartsWith("namespace", StringComparison.Ordinal) || !pages.Contains(resource.Start >> shift)
                || result.Exists(n => n.Range.Contains(resource.Start)) || added.Exists(n => !n.Range.Intersect(resource.Range).IsEmpty))
                continue;
            PhysicalRange range = WithDevices(resource.Range, devices);
            PfnRange pfns = range.ToPfns(shift);
            PfnRangeSet own = metadata.Intersect(pfns), memmap = walk.MemmapPages.Intersect(pfns);
            ulong present = Present(evidence.Memory, own);
            if (!memmap.IsEmpty && present < own.PageCount)
                findings.Add(new(FindingCode.PmemMetadataMissing, resource.Name, range, own.PageCount - present, own.PageCount));
            added.Add(new()
            {
                Name = resource.Name,
                Range = range,
                Mode = ModeWithoutBlock(evidence.Memory, resource.Start),
                Map = !memmap.IsEmpty ? PmemMap.Device : HasStructsInRam(pfns, walk, evidence) ? PmemMap.Memory : PmemMap.None,
                Metadata = own,
                MetadataPresent = present,
                StructPages = walk.PagesWithStruct.Intersect(pfns).PageCount,
                State = memmap.IsEmpty ? MemmapState.None
                    : present == 0 ? MemmapState.Missing
                    : present < own.PageCount ? MemmapState.Incomplete
                    : MemmapState.Complete,
            });
        }

        result.AddRange(added);
    }

    // A legacy namespace has no info block, and its memmap is in RAM. All its pages name a dev_pagemap; a page that RAM shares a section with has a struct page
    // too, but one that is linked to itself.
    private static bool HasStructsInRam(PfnRange pfns, VmemmapWalk walk, PmemEvidence evidence) =>
        walk.PagesWithStruct.Intersect(pfns).PageCount == pfns.Count
        && BlockProof.TryReadLru(pfns.Start, evidence, out ulong expected, out ulong next, out _)
        && next != expected && evidence.Kernel!.Memory.IsKernelAddress(next);

    /// <summary>Of a devdax namespace the kernel's tree has only the reserve under its name: its devices follow it under their own.</summary>
    private static PhysicalRange WithDevices(PhysicalRange range, List<PhysicalRange> devices)
    {
        foreach (PhysicalRange next in devices)
        {
            if (next.Start == range.End && next.End > range.End)
                range = new(range.Start, next.End);
        }

        return range;
    }

    private static List<PhysicalRange> DevicesIn(ResourceTree tree, PfnRangeSet pages, int shift, int most)
    {
        List<PhysicalRange> devices = [];
        foreach (KernelResource resource in tree.All())
        {
            if (devices.Count < most && resource.Name.StartsWith("dax", StringComparison.Ordinal) && pages.Contains(resource.Start >> shift))
                devices.Add(resource.Range);
        }

        devices.Sort(static (a, b) => a.Start.CompareTo(b.Start));
        return devices;
    }

    private static PmemMode ModeWithoutBlock(CrashMemory memory, ulong start)
    {
        Span<byte> signature = stackalloc byte[16];
        foreach (ulong offset in (ReadOnlySpan<ulong>)[0, 4096])
        {
            if (memory.Read(start + offset, signature) == MemoryStatus.Ok && signature.StartsWith("BTT_ARENA_INFO\0"u8))
                return PmemMode.Sector;
        }

        return PmemMode.Unknown;
    }

    private static string? NameAt(ResourceTree? tree, ulong start) =>
        tree?.All().FirstOrDefault(r => r.Start == start && r.Name.StartsWith("namespace", StringComparison.Ordinal))?.Name;

    /// <summary>The memmap must lie inside what the info block reserves for it.</summary>
    private static void CheckBounds(LocatedInfoBlock block, PfnRangeSet memmap, int shift, List<Finding> findings)
    {
        ulong start = block.Base + block.Block.StartPad;
        PfnRange reserved = new PhysicalRange(start, start + block.Block.DataOffset).ToPfns(shift);
        foreach (PfnRange range in memmap.Except(PfnRangeSet.From([reserved])))
            findings.Add(new(FindingCode.PmemMemmapOutside, range, block.Base, reserved));
    }

    private static ulong Present(CrashMemory memory, PfnRangeSet set)
    {
        ulong count = 0;
        Span<ulong> exists = stackalloc ulong[64];
        Span<ulong> present = stackalloc ulong[64];
        foreach (PfnRange range in set)
        {
            for (ulong first = range.Start & ~63UL; first < range.End; first += 4096)
            {
                memory.GetPages(first, exists, present);
                int from = (int)(Math.Max(range.Start, first) - first), to = (int)(Math.Min(range.End, first + 4096) - first);
                PageBits.Clear(present, 0, from);
                PageBits.Clear(present, to, 4096 - to);
                count += (ulong)PageBits.Count(present);
            }
        }

        return count;
    }

    /// <summary>
    /// The first struct page after the reserve belongs to metadata, and the kernel links its lru to itself: an address with the kernel's own
    /// vmemmap base in it. A capture kernel that brings the namespace up writes its own.
    /// </summary>
    private static bool IsOverwritten(LocatedInfoBlock block, PmemEvidence evidence) =>
        block.Block.Map == PmemMap.Device
        && BlockProof.TryReadLink(block.Base, block.Block, evidence, out ulong expected, out ulong next, out ulong previous)
        && (next != expected || previous != expected);
}
