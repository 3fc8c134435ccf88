using Vmcore.Findings;
using Vmcore.Ranges;

namespace Vmcore.Pmem;

/// <summary>
/// Finds the pmem and its metadata. Several sources say what is pmem, and the union of them counts: user data must never leak because
/// one source was silent. The vmemmap page tables alone say what live memmap on it is; info blocks and the kernel's own list
/// are checked against them.
/// </summary>
internal static class PmemFinder
{
    /// <summary>Most findings that are reported: a damaged machine could give one for each of 100,000 blocks.</summary>
    private const int ToldFindings = 200;

    /// <summary>Merges all evidence to one answer.</summary>
    public static PmemLayout Find(PmemEvidence evidence)
    {
        List<Finding> findings = evidence.Resources?.Problem is { } cut ? [cut] : [];
        int pageShift = evidence.Memory.PageShift;
        PfnRangeSet pages = PmemRanges.Find(evidence, findings);
        if (pages.IsEmpty)
            return PmemLayout.None;
        VmemmapWalk walk = VmemmapWalk.Over(pages, evidence, findings);
        IReadOnlyList<KernelListEntry> list = KernelList.Read(evidence.Kernel, findings);
        IReadOnlyList<LocatedInfoBlock> blocks = InfoBlockScan.Find(pages, walk, list, evidence, findings);

        // An info block page counts as metadata only where the kernel really had struct pages for the namespace.
        PfnRangeSet blockPages = PfnRangeSet.From(blocks.Where(b => b.IsLive).Select(b => PageAt(b.Base + InfoBlock.Offset, pageShift)));
        PfnRangeSet metadata = walk.MemmapPages.Union(blockPages).Union(evidence.NotedMetadata.Intersect(pages));
        KernelList.Compare(list, walk.MemmapPages, blocks, pageShift, findings);
        IReadOnlyList<PmemNamespace> namespaces = NamespaceBuilder.Build(pages, metadata, walk, blocks, evidence, findings);
        if (findings.Count > ToldFindings)
        {
            int more = findings.Count - ToldFindings;
            findings.RemoveRange(ToldFindings, more);
            findings.Add(new(FindingCode.MoreOfPmem, more));
        }

        IReadOnlyList<PhysicalRange> besides = BesideBlocks(blockPages.Except(walk.MemmapPages), blocks, pageShift);
        return new(pages, metadata, namespaces, findings, [.. UnwrittenStructs.Find(namespaces, walk, evidence), .. besides]);
    }

    /// <summary>
    /// What else is on the pages of the info blocks, with pages of 16 or 64 KiB: 12 or 60 KiB of the media, which the kernel never wrote and which can be
    /// somebody's data.
    /// </summary>
    private static List<PhysicalRange> BesideBlocks(PfnRangeSet blockPages, IReadOnlyList<LocatedInfoBlock> blocks, int pageShift)
    {
        List<PhysicalRange> result = [];
        foreach (PfnRange run in blockPages)
        {
            for (ulong pfn = run.Start; pfn < run.End; pfn++)
            {
                ulong at = pfn << pageShift, end = (pfn + 1) << pageShift;
                foreach (ulong block in blocks.Where(b => b.IsLive).Select(b => b.Base + InfoBlock.Offset).Where(b => b >> pageShift == pfn).Order())
                {
                    if (block > at)
                        result.Add(new(at, block));
                    at = Math.Min(block + InfoBlock.Size, end);
                }

                if (at < end)
                    result.Add(new(at, end));
            }
        }

        return result;
    }

    private static PfnRange PageAt(ulong address, int pageShift) => new(address >> pageShift, (address >> pageShift) + 1);
}
