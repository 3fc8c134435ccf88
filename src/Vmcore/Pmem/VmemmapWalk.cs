using Vmcore.Architectures;
using Vmcore.Findings;
using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Pmem;

/// <summary>
/// The authority on live memmap: the page tables of the vmemmap. What they map into pmem holds struct pages; what they map at all tells
/// which pages have one. Right also with start_pad, partial sections and overwritten info blocks.
/// </summary>
internal sealed class VmemmapWalk
{
    private VmemmapWalk(PfnRangeSet memmapPages, PfnRangeSet pagesWithStruct, int tablesMissing)
    {
        MemmapPages = memmapPages;
        PagesWithStruct = pagesWithStruct;
        TablesMissing = tablesMissing;
    }

    /// <summary>Pages of pmem that hold live memmap.</summary>
    internal PfnRangeSet MemmapPages { get; }

    /// <summary>Pages of pmem that have a struct page.</summary>
    internal PfnRangeSet PagesWithStruct { get; }

    /// <summary>Number of page tables that are not in the dump.</summary>
    internal int TablesMissing { get; }

    internal static VmemmapWalk Over(PfnRangeSet pmem, PmemEvidence evidence, List<Finding> findings)
    {
        if (evidence.Memmap is not { } memmap || evidence.Kernel is not { } kernel)
        {
            findings.Add(new(FindingCode.PmemMemmapNotFound));
            return new(PfnRangeSet.Empty, PfnRangeSet.Empty, 0);
        }

        int shift = evidence.Memory.PageShift, tablesMissing = 0;
        long steps = evidence.Memory.Limits.PageTableSteps;
        List<PfnRange> holds = [], has = [];
        foreach (PfnRange range in WithNeighbours(pmem, memmap.Model, evidence.Memory.Limits.PmemSections))
        {
            for (ulong pfn = range.Start; pfn < range.End;)
            {
                bool found = memmap.Model.TryGetStructPage(pfn, out ulong address, out ulong runEnd);
                ulong end = Math.Min(runEnd, range.End);
                if (found && holds.Count < evidence.Memory.Limits.MemmapRuns && steps > 0)
                    AddSection(kernel.Memory, memmap.StructPageSize, pfn, end, address, shift, holds, has, ref steps, ref tablesMissing);
                pfn = end;
            }
        }

        if (tablesMissing > 0)
            findings.Add(new(FindingCode.PmemTablesMissing, tablesMissing));
        if (steps <= 0)
            findings.Add(new(FindingCode.PmemTablesTooMany, evidence.Memory.Limits.PageTableSteps));
        if (holds.Count >= evidence.Memory.Limits.MemmapRuns)
            findings.Add(new(FindingCode.PmemTablesFragmented, evidence.Memory.Limits.MemmapRuns));
        return new(PfnRangeSet.From(holds).Intersect(pmem), PfnRangeSet.From(has), tablesMissing);
    }

    /// <summary>
    /// The pages to ask for: those of the pmem and, where it goes on in device sections, those behind. A core may hold the metadata of a namespace alone,
    /// and most of that metadata is about data that the core has not.
    /// </summary>
    private static PfnRangeSet WithNeighbours(PfnRangeSet pmem, MemoryModel model, int most)
    {
        if (model is not SparseMemoryModel sparse)
            return pmem;
        int budget = most;
        ulong reached = 0;
        List<PfnRange> result = [];
        foreach (PfnRange range in pmem)
        {
            ulong end = Math.Max(range.End, reached);
            for (ulong number = end >> sparse.SectionShift; budget > 0 && sparse.GetSection(number).IsDevice; number++, budget--)
                end = (number + 1) << sparse.SectionShift;
            reached = end;
            result.Add(range with { End = end });
        }

        return PfnRangeSet.From(result);
    }

    /// <summary>True if every page of a range has a struct page that the page tables map; the range may lie outside of the dump.</summary>
    internal static bool IsMapped(PfnRange range, PmemEvidence evidence)
    {
        if (evidence.Memmap is not { } memmap || evidence.Kernel is not { } kernel)
            return false;
        for (ulong pfn = range.Start; pfn < range.End;)
        {
            if (!memmap.Model.TryGetStructPage(pfn, out ulong address, out ulong runEnd))
                return false;
            ulong next = Math.Min(runEnd, range.End), end = address + ((next - pfn) * (ulong)memmap.StructPageSize);
            // The first hole ends it, so damage costs no more than what is really mapped.
            for (ulong at = address; at < end;)
            {
                Translation translation = kernel.Memory.Translate(at);
                if (translation.Status != MemoryStatus.Ok)
                    return false;
                at += translation.Size - (at & (translation.Size - 1));
            }

            pfn = next;
        }

        return true;
    }

    private static void AddSection(
        KernelAddressSpace space, int structSize, ulong pfn, ulong end, ulong address, int pageShift,
        List<PfnRange> holds, List<PfnRange> has, ref long steps, ref int tablesMissing)
    {
        ulong size = (ulong)structSize, count = end - pfn;
        IReadOnlyList<MappedRun> runs = space.FindMapped(address, address + (count * size), space.Limits.MemmapRunsOfSection, ref steps, out int missing);
        tablesMissing += missing;
        foreach (MappedRun run in runs)
        {
            ulong first = (run.VirtualAddress - address + size - 1) / size;
            ulong last = (run.VirtualAddress - address + run.Length) / size;
            has.Add(new(pfn + first, pfn + Math.Min(last, count)));

            // A whole page of memmap at a time: the part of it that lies outside the section's own range is live memmap all the same.
            holds.Add(new PhysicalRange(run.PhysicalAddress, run.PhysicalAddress + run.Length).ToPfns(pageShift));
        }
    }
}
