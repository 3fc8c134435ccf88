using Vmcore.Findings;
using Vmcore.Kernel.Resources;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Pmem;

/// <summary>A valid info block and where its namespace starts.</summary>
/// <param name="Base">Physical address of the namespace.</param>
/// <param name="Block">The block.</param>
/// <param name="IsLive">True if the kernel had struct pages for the namespace's whole data when it crashed.</param>
internal sealed record LocatedInfoBlock(ulong Base, InfoBlock Block, bool IsLive);

/// <summary>
/// Looks for info blocks through the dump itself. User data may hold an image of one, and destroyed namespaces leave stale ones: where blocks overlap,
/// those that agree with the page tables win, then the lowest.
/// </summary>
internal static class InfoBlockScan
{
    private const ulong Step = 2 << 20;

    internal static IReadOnlyList<LocatedInfoBlock> Find(
        PfnRangeSet pages, VmemmapWalk walk, IReadOnlyList<KernelListEntry> list, PmemEvidence evidence, List<Finding> findings)
    {
        int shift = evidence.Memory.PageShift, structSize = evidence.Memmap?.StructPageSize ?? 0;
        var pending = new SortedSet<ulong>(Candidates(pages, walk, list, evidence, shift));
        var probed = new HashSet<ulong>();
        List<LocatedInfoBlock> all = [];
        byte[] block = new byte[InfoBlock.Size];
        while (pending.Count > 0 && probed.Count < evidence.Memory.Limits.InfoBlockProbes && all.Count < evidence.Memory.Limits.InfoBlocks)
        {
            ulong at = pending.Min;
            pending.Remove(at);
            if (!probed.Add(at) || evidence.Memory.Read(at + InfoBlock.Offset, block) != MemoryStatus.Ok)
                continue;
            InfoBlock? found = InfoBlock.TryParse(block, at, structSize, out string? problem);
            if (problem is not null)
                findings.Add(new(FindingCode.PmemInfoBlockInvalid, at + InfoBlock.Offset, problem));
            if (found is null)
                continue;
            all.Add(new(at, found, IsLive(at, found, pages, walk, evidence) && !BlockProof.Contradicts(at, found, evidence)));

            // Namespaces often follow each other: the next one may start where this one ends.
            ulong end = at + found.NamespaceSize;
            if (pages.Contains(end >> shift))
                pending.Add((end + Step - 1) & ~(Step - 1));
        }

        return Resolve(all, findings);
    }

    private static IEnumerable<ulong> Candidates(PfnRangeSet pages, VmemmapWalk walk, IReadOnlyList<KernelListEntry> list, PmemEvidence evidence, int shift)
    {
        foreach (PfnRange range in pages)
            yield return range.Start << shift;
        foreach (PfnRange range in walk.PagesWithStruct)
            yield return range.Start << shift;
        foreach (KernelListEntry entry in list)
        {
            if (pages.Contains(entry.Pages.Start))
                yield return entry.Pages.Start << shift;
        }

        if (evidence.Resources is not null)
        {
            foreach (KernelResource resource in evidence.Resources.All())
            {
                if (pages.Contains(resource.Start >> shift))
                    yield return resource.Start;
            }

            yield break;
        }

        // Without the resource tree, wherever a namespace could start.
        int budget = evidence.Memory.Limits.InfoBlockProbes / 2;
        foreach (PfnRange range in pages)
        {
            for (ulong at = range.Start << shift; at < range.End << shift && budget-- > 0; at += Step)
                yield return at;
        }
    }

    private static bool IsLive(ulong at, InfoBlock block, PfnRangeSet pages, VmemmapWalk walk, PmemEvidence evidence)
    {
        // From the reserve on, since old kernels map the namespace from base + start_pad.
        int shift = evidence.Memory.PageShift;
        var data = new PfnRange((at + block.StartPad + block.DataOffset) >> shift, (at + block.NamespaceSize - block.EndTruncation) >> shift);
        if (data.IsEmpty)
            return false;

        // A loader that gives the dump the metadata alone leaves the data outside of all that was walked.
        PfnRangeSet rest = PfnRangeSet.From([data]).Except(walk.PagesWithStruct);
        return rest.Intersect(pages).IsEmpty && rest.All(r => VmemmapWalk.IsMapped(r, evidence));
    }

    private static List<LocatedInfoBlock> Resolve(List<LocatedInfoBlock> all, List<Finding> findings)
    {
        List<LocatedInfoBlock> result = [];
        foreach (LocatedInfoBlock candidate in all.OrderByDescending(b => b.IsLive).ThenBy(b => b.Base))
        {
            var range = new PhysicalRange(candidate.Base, candidate.Base + candidate.Block.NamespaceSize);
            int other = result.FindIndex(r => !range.Intersect(new(r.Base, r.Base + r.Block.NamespaceSize)).IsEmpty);
            if (other < 0)
                result.Add(candidate);
            else
                findings.Add(new(FindingCode.PmemInfoBlockStale, candidate.Base, range, result[other].Base));
        }

        result.Sort(static (a, b) => a.Base.CompareTo(b.Base));
        return result;
    }
}
