using Vmcore.Findings;
using Vmcore.Formats.Elf;
using Vmcore.Kernel.Resources;
using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Pmem;

/// <summary>Says what is pmem.</summary>
internal static class PmemRanges
{
    internal static PfnRangeSet Find(PmemEvidence evidence, List<Finding> findings)
    {
        int shift = evidence.Memory.PageShift;
        List<PfnRange> flagged = [.. evidence.Loads.Where(l => l.IsDevice).Select(l => Pfns(l, shift))];
        List<PfnRange> named = [.. Named(evidence.Resources, shift)];
        List<PfnRange> sections = [.. BySections(evidence, out PfnRangeSet hotplugged)];
        PfnRangeSet found = PfnRangeSet.From([.. flagged, .. named, .. sections, .. evidence.NotedPages]);
        if (evidence.Memmap is null && evidence.Resources is null)
            found = found.Union(ByInfoBlocks(evidence, found, findings));

        // RAM that a device provides (dax/kmem) is RAM.
        PfnRangeSet ram = PfnRangeSet.From(SystemRam(evidence.Resources, shift));
        PfnRangeSet usedAsRam = found.Intersect(ram.Union(hotplugged));
        if (!usedAsRam.IsEmpty)
            found = found.Except(usedAsRam);
        ReportUnflagged(PfnRangeSet.From(flagged), PfnRangeSet.From(named).Except(ram), findings);
        return found.Union(PfnRangeSet.From(evidence.Forced.Select(f => f.ToPfns(shift))));
    }

    private static PfnRange Pfns(ElfSegment load, int shift) =>
        new PhysicalRange(load.PhysicalAddress, load.PhysicalEnd).ToPfns(shift);

    private static IEnumerable<PfnRange> Named(ResourceTree? tree, int shift) =>
        tree is null ? [] : tree.All().Where(IsPmem).Select(r => r.Range.ToPfns(shift));

    internal static bool IsPmem(KernelResource resource) =>
        resource.IsPersistentMemory
        || resource.Name is "Persistent Memory" or "Persistent Memory (legacy)" or "Device Backed Vmemmap"
        || IsDeviceName(resource.Name, "namespace") || IsDeviceName(resource.Name, "dax");

    /// <summary>True for a name like <c>dax0.1</c>.</summary>
    private static bool IsDeviceName(string name, string prefix) =>
        name.StartsWith(prefix, StringComparison.Ordinal) && name.Length > prefix.Length && char.IsAsciiDigit(name[prefix.Length])
        && name.Contains('.', StringComparison.Ordinal);

    private static IEnumerable<PfnRange> SystemRam(ResourceTree? tree, int shift)
    {
        if (tree is null)
            yield break;
        foreach (KernelResource resource in tree.All())
        {
            if (!resource.Name.StartsWith("System RAM", StringComparison.Ordinal))
                continue;

            // Only whole pages: a page that RAM shares with pmem is pmem.
            ulong start = (resource.Start + (1UL << shift) - 1) >> shift, end = resource.End >> shift;
            if (end > start)
                yield return new(start, end);
        }
    }

    /// <summary>
    /// Sections of device memory: neither boot memory nor online. A segment with such sections and no others is pmem as a whole, also where
    /// the kernel made no struct pages for it (raw, sector, unallocated).
    /// </summary>
    private static List<PfnRange> BySections(PmemEvidence evidence, out PfnRangeSet hotplugged)
    {
        List<PfnRange> result = [], online = [];
        hotplugged = PfnRangeSet.Empty;
        if (evidence.Memmap?.Model is not SparseMemoryModel model)
            return result;
        int shift = evidence.Memory.PageShift;
        bool knowsEarly = false;
        List<PfnRange> device = [], ram = [];
        // Every section once, however many segments there are.
        foreach (PfnRange extent in evidence.Memory.Extents)
        {
            for (ulong number = extent.Start >> model.SectionShift;
                number < model.SectionCount && number << model.SectionShift < extent.End && device.Count + ram.Count < evidence.Memory.Limits.SectionRuns;)
            {
                MemorySection section = model.GetSection(number);
                if (!section.HasMemMap)
                {
                    number = model.NextPresent(number);
                    continue;
                }

                var pfns = new PfnRange(number << model.SectionShift, (number + 1) << model.SectionShift);
                Append(section.IsDevice ? device : ram, pfns);
                knowsEarly |= (section.Flags & 8) != 0;
                if ((section.Flags & 0xc) == 4)
                    Append(online, pfns);
                number++;
            }
        }

        PfnRangeSet deviceSet = PfnRangeSet.From(device), ramSet = PfnRangeSet.From(ram);
        result.AddRange(deviceSet.Intersect(evidence.Memory.Extents));
        foreach (ElfSegment load in evidence.Loads)
        {
            PfnRange pages = Pfns(load, shift);
            if (Touches(deviceSet, pages) && !Touches(ramSet, WithoutSharedEnds(pages, model.SectionShift, evidence.Memory.Extents)))
                result.Add(pages);
        }

        // Since 5.3 boot memory is marked early, and memory that was added later comes in whole sections: such a section has no pmem in it.
        if (knowsEarly)
            hotplugged = PfnRangeSet.From(online);
        return result;
    }

    private static bool Touches(PfnRangeSet set, PfnRange range)
    {
        int index = set.IndexAtOrAfter(range.Start);
        return !range.IsEmpty && index < set.Count && set[index].Start < range.End;
    }

    private static void Append(List<PfnRange> ranges, PfnRange next)
    {
        if (ranges.Count > 0 && ranges[^1].End == next.Start)
            ranges[^1] = ranges[^1] with { End = next.End };
        else
            ranges.Add(next);
    }

    /// <summary>
    /// A section in which a segment starts or ends may also hold memory of another segment. Where pmem and RAM meet inside it, it is boot memory
    /// for both, and so tells nothing of the segment.
    /// </summary>
    private static PfnRange WithoutSharedEnds(PfnRange pages, int sectionShift, PfnRangeSet extents)
    {
        ulong size = 1UL << sectionShift;
        ulong start = pages.Start & ~(size - 1), end = (pages.End + size - 1) & ~(size - 1);
        bool sharesStart = Touches(extents, new(start, pages.Start)), sharesEnd = Touches(extents, new(pages.End, end));
        return new(sharesStart ? start + size : pages.Start, sharesEnd ? end - size : pages.End);
    }

    /// <summary>
    /// The last resort for a file without vmcoreinfo and without flags, as QEMU writes it: a valid info block where a namespace could start
    /// makes everything from there to the namespace's end pmem.
    /// </summary>
    private static PfnRangeSet ByInfoBlocks(PmemEvidence evidence, PfnRangeSet known, List<Finding> findings)
    {
        const ulong Step = 2 << 20;
        int shift = evidence.Memory.PageShift, probes = 0;
        List<PfnRange> result = [];
        byte[] block = new byte[InfoBlock.Size];
        foreach (PfnRange extent in evidence.Memory.Extents.Except(known))
        {
            PhysicalRange range = extent.ToPhysical(shift);
            for (ulong at = range.Start; at < range.End && probes < evidence.Memory.Limits.InfoBlockProbes; at = (at + Step) & ~(Step - 1))
            {
                probes++;
                if (evidence.Memory.Read(at + InfoBlock.Offset, block) != MemoryStatus.Ok
                    || InfoBlock.TryParse(block, at, 0, out _) is not { } found)
                    continue;
                var pmem = new PhysicalRange(at, at + found.NamespaceSize);
                findings.Add(new(FindingCode.PmemByInfoBlock, at + InfoBlock.Offset, pmem));
                result.Add(pmem.ToPfns(shift));
                at = Math.Max(at, pmem.End - Step);
            }
        }

        return PfnRangeSet.From(result).Intersect(evidence.Memory.Extents);
    }

    private static void ReportUnflagged(PfnRangeSet flagged, PfnRangeSet named, List<Finding> findings)
    {
        if (flagged.IsEmpty || named.IsEmpty)
            return;
        foreach (PfnRange range in flagged.Except(named))
            findings.Add(new(FindingCode.PmemOnlyFlagged, range));
    }
}
