using Vmcore.Opening;
using Vmcore.Pmem;
using Vmcore.Pmem.Usage;
using Vmcore.Ranges;

namespace Vmcore.Picture;

/// <summary>
/// Draws up the picture of the pmem: by the struct pages, and where those are lost by the files' page trees and the processes' page tables. What nothing
/// tells of is unknown, never idle.
/// </summary>
public sealed class PmemPictureBuilder : IUsageVisitor
{
    // All cells together, about: a screen or two.
    private const int CellCount = 4000;
    private const int CellsOfSmall = 64;
    private const int AreaCount = 128;

    private readonly OpenedDump _dump;
    private readonly List<PmemPictureArea> _areas = [];

    // Pages without a structure that can be read, of the area that is scanned, by area.
    private readonly Dictionary<PmemPictureArea, List<PfnRange>> _unknown = [];
    private PmemPictureArea? _area;

    // Of a namespace whose info block is lost the data seem to begin at its start; what is known to be metadata is that.
    private PfnRangeSet _metadata = PfnRangeSet.Empty;
    private int _unknownRuns;
    private ulong _pagesLeftOut;

    private PmemPictureBuilder(OpenedDump dump) => _dump = dump;

    /// <summary>Draws up the picture of the pmem of a dump's machine.</summary>
    /// <param name="dump">The dump.</param>
    /// <param name="progress">Is told now and then how many struct pages were read, and of how many; null for nobody.</param>
    public static PmemPicture Build(OpenedDump dump, Action<ulong, ulong>? progress = null)
    {
        ArgumentNullException.ThrowIfNull(dump);
        var builder = new PmemPictureBuilder(dump);
        builder.Divide();
        PmemUsage usage = PmemUsage.CollectFor(builder, dump.KernelView, dump.Pmem, dump.Memmap, dump.PageLayout, scanPages: true, progress);
        PmemBadBlocks bad = PmemBadBlocks.Load(dump.KernelView, dump.Pmem);
        foreach (PmemPictureArea area in builder._areas)
        {
            if (area.Usage is { } known)
                builder.Correct(area, known, usage);
            else
                builder.FillWithoutUsage(area);
            builder.AddMarks(area, bad);
        }

        return new(builder._areas, usage, bad, builder._pagesLeftOut);
    }

    /// <inheritdoc/>
    void IUsageVisitor.Begin(NamespaceUsage usage)
    {
        _area = _areas.Find(a => ReferenceEquals(a.Namespace, usage.Namespace));
        if (_area is null)
            return;
        _area.Usage = usage;
        _metadata = AddMetadata(_area);

        // What is neither metadata nor data.
        foreach (PfnRange part in PfnRangeSet.From([_area.Pages]).Except(PfnRangeSet.From([usage.Data])).Except(_metadata))
            _area.Add(part, PmemPictureClass.Reserved);
    }

    /// <inheritdoc/>
    void IUsageVisitor.TakePages(PfnRange pages, DaxPage page)
    {
        PmemPictureClass kind = page.State switch
        {
            DaxPageState.Idle => PmemPictureClass.Idle,
            DaxPageState.Mapped => PmemPictureClass.Mapped,
            DaxPageState.Shared => PmemPictureClass.Shared,
            DaxPageState.InUse => PmemPictureClass.InUse,
            _ => PmemPictureClass.Foreign,
        };
        foreach (PfnRange part in DataOf(pages))
        {
            _area!.Add(part, kind);
            if (page.IsPinned)
                _area.Add(part, PmemPictureMark.Pinned);
            if (page.IsPoisoned)
                _area.Add(part, PmemPictureMark.Poisoned);
        }
    }

    /// <inheritdoc/>
    void IUsageVisitor.TakeWithout(PfnRange pages, bool isUnreadable)
    {
        foreach (PfnRange part in DataOf(pages))
        {
            _area!.Add(part, isUnreadable ? PmemPictureClass.Unknown : PmemPictureClass.WithoutStruct);

            // Beyond the bound they stay unknown.
            if (!isUnreadable || _unknownRuns >= _dump.Limits.UsageRuns)
                continue;
            if (!_unknown.TryGetValue(_area, out List<PfnRange>? runs))
                _unknown[_area] = runs = [];
            runs.Add(part);
            _unknownRuns++;
        }
    }

    private IEnumerable<PfnRange> DataOf(PfnRange pages)
    {
        if (_area is null)
            return [];
        int next = _metadata.IndexAtOrAfter(pages.Start);
        return next == _metadata.Count || _metadata[next].Start >= pages.End ? [pages] : PfnRangeSet.From([pages]).Except(_metadata);
    }

    /// <summary>Namespaces by address, and what is between them. Damaged ones may overlap: a page is drawn once.</summary>
    private void Divide()
    {
        int shift = _dump.Memory.PageShift;
        List<(PfnRange Pages, PmemNamespace? Namespace)> parts = [];
        ulong done = 0;
        foreach (PmemNamespace item in _dump.Pmem.Namespaces.OrderBy(static n => n.Range.Start))
        {
            PfnRange all = item.Range.ToPfns(shift);
            var own = new PfnRange(Math.Max(all.Start, done), all.End);
            if (own.IsEmpty)
                continue;
            parts.Add((own, item));
            done = own.End;
        }

        foreach (PfnRange rest in _dump.Pmem.Pages.Except(PfnRangeSet.From(parts.Select(static p => p.Pages))))
            parts.Add((rest, null));

        // Namespaces before what is in none, the large ones first.
        List<(PfnRange Pages, PmemNamespace? Namespace)> drawn =
            [.. parts.OrderBy(static p => p.Namespace is null ? 1 : 0).ThenByDescending(static p => p.Pages.Count).Take(AreaCount)];
        _pagesLeftOut = parts.Aggregate(0UL, static (sum, p) => sum + p.Pages.Count) - drawn.Aggregate(0UL, static (sum, p) => sum + p.Pages.Count);
        int cellShift = 0;
        while (drawn.Sum(p => (long)(p.Pages.Count >> cellShift) + 1) > CellCount)
            cellShift++;
        foreach ((PfnRange pages, PmemNamespace? item) in drawn.OrderBy(static p => p.Pages.Start))
        {
            // A small one beside a large one is to be seen too.
            int own = cellShift;
            while (own > 0 && pages.Count >> own < CellsOfSmall)
                own--;
            _areas.Add(new(item, pages, own));
        }
    }

    private PfnRangeSet AddMetadata(PmemPictureArea area)
    {
        PfnRangeSet own = _dump.Pmem.Metadata.Intersect(area.Pages);
        foreach (PfnRange part in own)
            area.Add(part, PmemPictureClass.Metadata);
        return own;
    }

    /// <summary>No struct pages, or they cannot be found. That there are no namespaces something has to say.</summary>
    private void FillWithoutUsage(PmemPictureArea area)
    {
        AddMetadata(area);
        bool isKnown = area.Namespace is not null || _dump.KernelView.Resources is not null || _dump.Pmem.Namespaces.Count > 0;
        foreach (PfnRange part in PfnRangeSet.From([area.Pages]).Except(_dump.Pmem.Metadata))
        {
            if (!isKnown || _dump.Memmap is not { } memmap)
            {
                area.Add(part, PmemPictureClass.Unknown);
                continue;
            }

            for (ulong at = part.Start; at < part.End;)
            {
                // Where something of the dump is lost, a structure that no namespace knows of tells that it was one's.
                bool mayLack = memmap.Model.TryGetStructPage(at, out _, out ulong end) && _dump.Loss is not null;
                end = Math.Clamp(end, at + 1, part.End);
                area.Add(new(at, end), mayLack || memmap.Model.IsUnreadable(at) ? PmemPictureClass.Unknown
                    : area.Namespace is null ? PmemPictureClass.Unassigned : PmemPictureClass.WithoutStruct);
                at = end;
            }
        }
    }

    /// <summary>What the files' page trees and the processes' page tables know better than struct pages.</summary>
    private void Correct(PmemPictureArea area, NamespaceUsage known, PmemUsage all)
    {
        // Since 6.15 a page that lost its only file may look shared (SharedPages): which are is known once the files were asked.
        ulong seen = area.Total(PmemPictureClass.Shared), shared = known.Shared.Aggregate(0UL, static (sum, run) => sum + run.Pages.Count);
        if (seen > known.Counts.Shared && shared == known.Counts.Shared)
        {
            area.MoveAll(PmemPictureClass.Shared, PmemPictureClass.Idle);
            foreach (SharedRun run in known.Shared)
                area.Move(run.Pages, PmemPictureClass.Idle, PmemPictureClass.Shared);
        }

        // What may not be of the crash proves no page idle.
        if (known.Damage is not null)
            area.MoveAll(PmemPictureClass.Idle, PmemPictureClass.Unknown);
        if (!_unknown.TryGetValue(area, out List<PfnRange>? runs))
            return;
        int number = all.Namespaces.ToList().IndexOf(known);
        PfnRangeSet unknown = PfnRangeSet.From(runs);
        (PfnRangeSet one, PfnRangeSet several) = Owned(all.Files.Where(f => f.Namespaces.Contains(number)));
        foreach (PfnRange part in one.Intersect(unknown))
            area.Move(part, PmemPictureClass.Unknown, PmemPictureClass.Mapped);
        foreach (PfnRange part in several.Intersect(unknown))
            area.Move(part, PmemPictureClass.Unknown, PmemPictureClass.Shared);
    }

    /// <summary>Pages that one file names, and pages that several do.</summary>
    private static (PfnRangeSet One, PfnRangeSet Several) Owned(IEnumerable<PmemFile> files)
    {
        List<(ulong Pfn, int Step)> edges = [];
        foreach (PmemFile file in files)
        {
            // A file that names a page twice is one file.
            foreach (PfnRange part in PfnRangeSet.From(file.AllRuns.Select(static r => new PfnRange(r.Pfn, r.Pfn + r.Pages))))
            {
                edges.Add((part.Start, 1));
                edges.Add((part.End, -1));
            }
        }

        edges.Sort();
        List<PfnRange> one = [], several = [];
        int open = 0;
        ulong start = 0;
        foreach ((ulong pfn, int step) in edges)
        {
            if (open > 0 && pfn > start)
                (open == 1 ? one : several).Add(new(start, pfn));
            open += step;
            start = pfn;
        }

        return (PfnRangeSet.From(one), PfnRangeSet.From(several));
    }

    /// <summary>Of data pages their struct pages were asked; poison elsewhere is known by those of the metadata.</summary>
    private void AddMarks(PmemPictureArea area, PmemBadBlocks bad)
    {
        int shift = _dump.Memory.PageShift;
        PfnRangeSet scanned = area.Usage is { } known ? PfnRangeSet.From([known.Data]).Except(_dump.Pmem.Metadata) : PfnRangeSet.Empty;
        foreach (PfnRange part in (_dump.Poisoned?.Pages ?? PfnRangeSet.Empty).Intersect(area.Pages).Except(scanned))
            area.Add(part, PmemPictureMark.Poisoned);
        foreach (PfnRange part in PfnRangeSet.From(bad.Ranges.Select(r => r.ToPfns(shift))).Intersect(area.Pages))
            area.Add(part, PmemPictureMark.BadBlock);
    }
}
