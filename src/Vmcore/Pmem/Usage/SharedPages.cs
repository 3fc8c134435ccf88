using Vmcore.IO;
using Vmcore.Ranges;

namespace Vmcore.Pmem.Usage;

/// <summary>
/// Which pages of a namespace files share, by the files' own page trees. Since 6.15 a struct page alone does not say it: a page that lost its only file keeps
/// its place in that file where the share count is kept (fs/dax.c resets it for large folios alone, up to 6.18 at least), so it looks shared, and later shares
/// are counted on from there.
/// </summary>
internal static class SharedPages
{
    /// <summary>Corrects what was made of the struct pages.</summary>
    /// <param name="usage">The namespace.</param>
    /// <param name="files">The files with pages in it; what they share is known.</param>
    /// <param name="limits">The bounds on how many runs are kept.</param>
    /// <returns>False if the files are not known well enough; then all stays as it is.</returns>
    internal static bool TrySettle(NamespaceUsage usage, IReadOnlyCollection<PmemFile> files, ReadLimits limits)
    {
        if (usage.SharedRuns.Count == limits.SharedRuns || files.Any(f => f.RunsLeftOut > 0 || f.SharedRunsLeftOut > 0))
            return false;
        PfnRangeSet marked = PfnRangeSet.From(usage.SharedRuns.Select(s => s.Pages));
        List<SharedRun> shared = [];
        ulong pages = 0;
        foreach (SharedRun run in Count(files, usage.Data))
        {
            foreach (PfnRange part in marked.Intersect(run.Pages))
            {
                pages += part.Count;
                if (shared is [.., var last] && last.Pages.End == part.Start && last.Count == run.Count)
                    shared[^1] = last with { Pages = new(last.Pages.Start, part.End) };
                else
                    shared.Add(new(part, run.Count));
            }
        }

        usage.SharedRuns.Clear();
        usage.SharedRuns.AddRange(shared.Take(limits.SharedRuns));
        usage.Counts.Idle += usage.Counts.Shared - pages;
        usage.Counts.Shared = pages;
        return true;
    }

    // How many files name each page, in runs of the same number, ascending.
    private static IEnumerable<SharedRun> Count(IEnumerable<PmemFile> files, PfnRange within)
    {
        List<(ulong Pfn, int Step)> edges = [];
        foreach (DaxRun run in files.SelectMany(f => f.SharedList))
        {
            PfnRange part = new PfnRange(run.Pfn, run.Pfn + run.Pages).Intersect(within);
            if (part.IsEmpty)
                continue;
            edges.Add((part.Start, 1));
            edges.Add((part.End, -1));
        }

        edges.Sort();
        int open = 0;
        ulong start = 0;
        foreach ((ulong pfn, int step) in edges)
        {
            if (open > 0 && pfn > start)
                yield return new(new(start, pfn), (ulong)open);
            open += step;
            start = pfn;
        }
    }
}
