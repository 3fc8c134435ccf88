using Vmcore.Kernel.Resources;
using Vmcore.Memmap;
using Vmcore.Opening;
using Vmcore.Ranges;

namespace Vmcore.Picture;

/// <summary>Draws up the picture. Pmem is decided by range, RAM by its struct pages, also of pages that the dump does not have.</summary>
public sealed class PictureBuilder
{
    private const int CellCount = 1 << 14;
    private const int RegionCount = 128;
    private const int MarkCount = 2000;
    private const int RunPages = 4096;

    // The kernel has two at most: one below 4 GiB beside the other.
    private const int CrashKernelCount = 8;

    private readonly OpenedDump _dump;
    private readonly ulong[] _exists = new ulong[PictureSlice.Pages / 64];
    private readonly ulong[] _present = new ulong[PictureSlice.Pages / 64];
    private readonly PictureSlice[] _slices = new PictureSlice[ParallelScan.BatchSize];
    private readonly PfnRange[] _ranges = new PfnRange[ParallelScan.BatchSize];
    private readonly Action<ulong, ulong>? _progress;
    private ulong _done;
    private ulong _total;

    private enum Kind
    {
        Ram,
        Pmem,
        Crash,
    }

    private PictureBuilder(OpenedDump dump, Action<ulong, ulong>? progress)
    {
        _dump = dump;
        _progress = progress;
        ulong reserved = dump.KernelView.Types?.EnumValue("pageflags", "PG_reserved") is { } bit and >= 0 and < 64 ? 1UL << (int)bit : 0;
        for (int i = 0; i < _slices.Length; i++)
            _slices[i] = new(dump, reserved);
    }

    /// <summary>Draws up the picture of a dump's machine.</summary>
    /// <param name="dump">The dump.</param>
    /// <param name="progress">Is told now and then how many pages were looked at, and of how many; null for nobody.</param>
    public static MemoryPicture Build(OpenedDump dump, Action<ulong, ulong>? progress = null)
    {
        var builder = new PictureBuilder(dump, progress);
        List<PictureRegion> regions = [.. builder.Regions()];
        builder._total = regions.Aggregate(0UL, static (sum, region) => sum + region.Pages.Count);
        foreach (PictureRegion region in regions)
            builder.Fill(region);
        return new(regions, [.. builder.Marks()], dump.Memory.PageShift);
    }

    private IEnumerable<PictureRegion> Regions()
    {
        PfnRangeSet pmem = _dump.Pmem.Pages, ram = _dump.Coverage.Extents.Except(pmem);

        // A kdump-compressed file knows memory by page only.
        if (_dump.Kdump is not null)
            ram = PfnRangeSet.From(ExistingRuns(ram));
        PfnRangeSet crash = CrashKernels().Except(pmem);
        List<(PfnRange Pages, Kind Kind)> parts = Merge(ram.Except(crash), pmem, crash);
        int shift = 0;
        while (parts.Sum(p => (long)(p.Pages.Count >> shift) + 1) > CellCount)
            shift++;
        foreach ((PfnRange pages, Kind kind) in parts)
            yield return new(kind == Kind.Crash ? MemoryPicture.CrashKernel : NameOf(pages, kind == Kind.Pmem), kind == Kind.Pmem, pages, shift);
    }

    /// <summary>Areas of the crash kernel, of which a dump that this kernel takes has nothing. A dump of a hypervisor has them, as memory like other.</summary>
    private PfnRangeSet CrashKernels()
    {
        IEnumerable<PfnRange> areas = (_dump.KernelView.Resources?.All() ?? [])
            .Where(static r => r.Name == MemoryPicture.CrashKernel && r.Range.Length > 1).Take(CrashKernelCount)
            .Select(r => r.Range.ToPfns(_dump.Memory.PageShift));
        return PfnRangeSet.From(areas.Where(area => PfnRangeSet.From(ExistingRuns(PfnRangeSet.From([area]))).IsEmpty));
    }

    private IEnumerable<PfnRange> ExistingRuns(PfnRangeSet extents)
    {
        foreach (PfnRange range in extents)
        {
            for (ulong first = range.Start & ~((ulong)PictureSlice.Pages - 1); first < range.End; first += PictureSlice.Pages)
            {
                first = _dump.Coverage.HoleUntil(new(Math.Max(first, range.Start), range.End)) & ~((ulong)PictureSlice.Pages - 1);
                _dump.Coverage.GetPages(first, _exists, _present);
                for (int word = 0; word < _exists.Length; word += RunPages / 64)
                {
                    PfnRange run = RunIn(first + ((ulong)word * 64), _exists.AsSpan(word, RunPages / 64)).Intersect(range);
                    if (!run.IsEmpty)
                        yield return run;
                }
            }
        }
    }

    private static PfnRange RunIn(ulong first, ReadOnlySpan<ulong> exists)
    {
        int last = exists.LastIndexOfAnyExcept(0UL);
        return last < 0 ? default
            : new(first + (ulong)PageBits.NextSet(exists, 0),
                first + ((ulong)last * 64) + 64 - (ulong)System.Numerics.BitOperations.LeadingZeroCount(exists[last]));
    }

    /// <summary>Small gaps are drawn as parts of what is around them, so that a file of many pieces still gives a picture.</summary>
    private static List<(PfnRange Pages, Kind Kind)> Merge(PfnRangeSet ram, PfnRangeSet pmem, PfnRangeSet crash)
    {
        List<(PfnRange Pages, Kind Kind)> parts =
            [.. ram.Select(static r => (r, Kind.Ram)), .. pmem.Select(static r => (r, Kind.Pmem)), .. crash.Select(static r => (r, Kind.Crash))];
        parts.Sort(static (a, b) => a.Pages.Start.CompareTo(b.Pages.Start));
        for (ulong gap = 256; ; gap *= 2)
        {
            List<(PfnRange Pages, Kind Kind)> merged = [];
            foreach ((PfnRange Pages, Kind Kind) part in parts)
            {
                if (merged is [.., var last] && last.Kind == part.Kind && part.Pages.Start - last.Pages.End <= gap)
                    merged[^1] = (new(last.Pages.Start, part.Pages.End), part.Kind);
                else
                    merged.Add(part);
            }

            parts = merged;
            if (parts.Count <= RegionCount || gap > 1UL << 40)
                return parts;
        }
    }

    private string NameOf(PfnRange pages, bool isPmem)
    {
        int shift = _dump.Coverage.PageShift;
        KernelResource? best = null;
        foreach (KernelResource resource in _dump.KernelView.Resources?.Root.Children ?? [])
        {
            PfnRange common = resource.Range.ToPfns(shift).Intersect(pages);
            if (common.Count > (best?.Range.ToPfns(shift).Intersect(pages).Count ?? 0))
                best = resource;
        }

        return best is { Name.Length: > 0 } ? best.Name : isPmem ? "Persistent Memory" : "Memory";
    }

    private IEnumerable<PictureMark> Marks()
    {
        int count = 0;
        foreach (KernelResource resource in _dump.KernelView.Resources?.All() ?? [])
        {
            bool isMemory = resource.IsSystemRam || resource.IsPersistentMemory
                || resource.Name is MemoryPicture.CrashKernel or "Reserved" or "System RAM (kmem)";
            if (isMemory && resource.Name.Length > 0 && count++ < MarkCount)
                yield return new(resource.Name, RangeOf(resource), resource.Depth);
        }

        foreach (PfnRange failed in _dump.Poisoned?.Pages ?? PfnRangeSet.Empty)
        {
            if (count++ < MarkCount)
                yield return new("poisoned (memory error)", failed.ToPhysical(_dump.Memory.PageShift), 0);
        }
    }

    // Of a devdax namespace the kernel's tree has only the reserve under its name.
    private PhysicalRange RangeOf(KernelResource resource) =>
        resource.Name.StartsWith("namespace", StringComparison.Ordinal)
            && _dump.Pmem.Namespaces.FirstOrDefault(n => n.Name == resource.Name && n.Range.Contains(resource.Start)) is { } item ? item.Range : resource.Range;

    private void Fill(PictureRegion region)
    {
        if (region.IsPmem)
        {
            foreach (PfnRange part in _dump.Pmem.Metadata.Intersect(region.Pages))
                region.Add(part, PictureClass.PmemMetadata);
            PfnRangeSet data = _dump.Pmem.UserData.Intersect(region.Pages), failed = _dump.Poisoned?.Pages ?? PfnRangeSet.Empty;
            foreach (PfnRange part in data.Except(failed))
                region.Add(part, PictureClass.PmemUserData);
            foreach (PfnRange part in data.Intersect(failed))
                region.Add(part, PictureClass.HwPoison);
            foreach (PfnRange part in PfnRangeSet.From([region.Pages]).Except(_dump.Pmem.Pages))
                region.Add(part, PictureClass.Hole);
            CountPresent(region, _dump.Coverage.Extents.Intersect(region.Pages));
            _progress?.Invoke(_done += region.Pages.Count, _total);
            return;
        }

        if (region.Name == MemoryPicture.CrashKernel)
        {
            region.Add(region.Pages, PictureClass.CrashKernel);
            _progress?.Invoke(_done += region.Pages.Count, _total);
            return;
        }

        ulong drawn = 0, at = region.Pages.Start;
        foreach ((PfnRange part, bool isWhole) in Pieces(_dump.Coverage.Extents.Intersect(region.Pages)))
        {
            region.Add(new(at, part.Start), PictureClass.Hole);
            FillRam(region, part, isWhole);
            at = part.End;
            drawn += part.Count;
        }

        region.Add(new(at, region.Pages.End), PictureClass.Hole);
        _done += region.Pages.Count - drawn;
    }

    /// <summary>The extents; those that are smaller than a slice, and near each other, with the gaps between them: a file may have any number.</summary>
    private static IEnumerable<(PfnRange Pages, bool IsWhole)> Pieces(PfnRangeSet extents)
    {
        PfnRange small = default;
        foreach (PfnRange extent in extents)
        {
            bool isSmall = extent.Count < PictureSlice.Pages;
            if (isSmall && !small.IsEmpty && extent.Start - small.End < PictureSlice.Pages)
            {
                small = new(small.Start, extent.End);
                continue;
            }

            if (!small.IsEmpty)
                yield return (small, false);
            small = isSmall ? extent : default;
            if (!isSmall)
                yield return (extent, true);
        }

        if (!small.IsEmpty)
            yield return (small, false);
    }

    private void FillRam(PictureRegion region, PfnRange part, bool isWhole)
    {
        for (ulong start = part.Start; start < part.End;)
        {
            ulong from = start, exists = _dump.Coverage.HoleUntil(new(start, part.End));
            bool isPresent = false;
            if (exists - start >= PictureSlice.Pages)
            {
                region.Add(new(start, exists), PictureClass.Hole);
                start = exists;
            }
            else if (isWhole && WithoutStructs(new(start, part.End), out isPresent) is { IsEmpty: false } bare)
            {
                region.Add(bare, PictureClass.Unknown);
                if (isPresent)
                    region.AddPresent(bare);
                start = bare.End;
            }
            else
            {
                int count = 0;
                for (; count < _ranges.Length && start < part.End; start = _ranges[count++].End)
                    _ranges[count] = new(start, Math.Min(((start / PictureSlice.Pages) + 1) * PictureSlice.Pages, part.End));
                ParallelScan.Run(count, i => _slices[i].Run(region, _ranges[i]));
                foreach (PictureSlice slice in _slices.AsSpan(0, count))
                    slice.AddToRegion();
            }

            _progress?.Invoke(_done += start - from, _total);
        }
    }

    /// <summary>Pages from the start of a range on that have no structures, and of which the dump has all or none: nothing is to be looked at.</summary>
    private PfnRange WithoutStructs(PfnRange range, out bool isPresent)
    {
        ulong end = range.End;
        if (_dump.Memmap is { } memmap && _dump.PageLayout is not null)
        {
            isPresent = false;
            if (memmap.Model.TryGetStructPage(range.Start, out _, out ulong runEnd))
                return default;
            end = Math.Min(end, runEnd);
        }

        var bare = new PfnRange(range.Start, end);
        isPresent = _dump.Coverage.HasAll(bare);
        return isPresent ? bare : new(bare.Start, _dump.Coverage.ExtentsExist ? _dump.Coverage.AbsentUntil(bare) : bare.Start);
    }

    private void CountPresent(PictureRegion region, PfnRangeSet extents)
    {
        foreach (PfnRange range in extents)
        {
            if (_dump.Coverage.HasAll(range))
            {
                region.AddPresent(range);
                continue;
            }

            for (ulong first = range.Start & ~((ulong)PictureSlice.Pages - 1); first < range.End; first += PictureSlice.Pages)
            {
                ulong from = Math.Max(first, range.Start), absent = _dump.Coverage.AbsentUntil(new(from, range.End));
                if (absent - from > PictureSlice.Pages)
                {
                    first = (absent - 1) & ~((ulong)PictureSlice.Pages - 1);
                    if (absent == range.End)
                        break;
                }

                _dump.Coverage.GetPages(first, _exists, _present);
                PageBits.Clear(_present, 0, from > first ? (int)(from - first) : 0);
                if (range.End - first < PictureSlice.Pages)
                    PageBits.Clear(_present, (int)(range.End - first), PictureSlice.Pages - (int)(range.End - first));
                int said = PageBits.Count(_present);
                _dump.Coverage.ClearLost(first, _present);
                region.Lost += (ulong)(said - PageBits.Count(_present));
                for (int at = 0; (at = PageBits.NextSet(_present, at)) < PictureSlice.Pages;)
                {
                    int end = PageBits.NextClear(_present, at);
                    region.AddPresent(new PfnRange(first + (ulong)at, first + (ulong)end).Intersect(range));
                    at = end;
                }
            }
        }
    }
}
