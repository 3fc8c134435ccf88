using System.Collections;

namespace Vmcore.Ranges;

/// <summary>An immutable set of pages, kept as sorted ranges that neither overlap nor touch.</summary>
public sealed class PfnRangeSet : IReadOnlyList<PfnRange>
{
    private readonly PfnRange[] _ranges;

    private PfnRangeSet(PfnRange[] ranges)
    {
        _ranges = ranges;
        ulong total = 0;
        foreach (PfnRange range in ranges)
            total += range.Count;
        PageCount = total;
    }

    /// <summary>The set without a page.</summary>
    public static PfnRangeSet Empty { get; } = new([]);

    /// <summary>Number of ranges.</summary>
    public int Count => _ranges.Length;

    /// <summary>Number of pages in all ranges.</summary>
    public ulong PageCount { get; }

    /// <summary>True if there is no page in it.</summary>
    public bool IsEmpty => _ranges.Length == 0;

    /// <summary>Range number <paramref name="index"/>, in ascending order.</summary>
    public PfnRange this[int index] => _ranges[index];

    /// <summary>Builds a set from ranges in any order; overlapping and touching ones are merged, empty ones dropped.</summary>
    public static PfnRangeSet From(IEnumerable<PfnRange> ranges)
    {
        List<PfnRange> sorted = [.. ranges.Where(r => !r.IsEmpty)];
        if (sorted.Count == 0)
            return Empty;
        sorted.Sort(static (a, b) => a.Start.CompareTo(b.Start));
        List<PfnRange> merged = [sorted[0]];
        foreach (PfnRange range in sorted)
        {
            PfnRange last = merged[^1];
            if (range.Start <= last.End)
                merged[^1] = new(last.Start, Math.Max(last.End, range.End));
            else
                merged.Add(range);
        }

        return new([.. merged]);
    }

    /// <summary>True if <paramref name="pfn"/> is in the set. Costs log2 of <see cref="Count"/>.</summary>
    public bool Contains(ulong pfn)
    {
        int index = IndexAtOrAfter(pfn);
        return index < _ranges.Length && _ranges[index].Start <= pfn;
    }

    /// <summary>Index of the range that contains <paramref name="pfn"/> or, if none does, of the first one after it (then maybe <see cref="Count"/>).</summary>
    public int IndexAtOrAfter(ulong pfn)
    {
        int low = 0, high = _ranges.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_ranges[middle].End <= pfn)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }

    /// <summary>The pages that are in this set or in <paramref name="other"/>.</summary>
    public PfnRangeSet Union(PfnRangeSet other) => From(_ranges.Concat(other._ranges));

    /// <summary>The pages that are in this set and in <paramref name="other"/>.</summary>
    public PfnRangeSet Intersect(PfnRangeSet other)
    {
        List<PfnRange> result = [];
        int i = 0, j = 0;
        while (i < _ranges.Length && j < other._ranges.Length)
        {
            PfnRange common = _ranges[i].Intersect(other._ranges[j]);
            if (!common.IsEmpty)
                result.Add(common);
            if (_ranges[i].End < other._ranges[j].End)
                i++;
            else
                j++;
        }

        return result.Count == 0 ? Empty : new([.. result]);
    }

    /// <summary>The part of the set that lies in <paramref name="range"/>.</summary>
    public PfnRangeSet Intersect(PfnRange range) => Intersect(From([range]));

    /// <summary>The pages that are in this set and not in <paramref name="other"/>.</summary>
    public PfnRangeSet Except(PfnRangeSet other)
    {
        List<PfnRange> result = [];
        foreach (PfnRange range in _ranges)
        {
            ulong start = range.Start;
            for (int i = other.IndexAtOrAfter(start); i < other._ranges.Length && other._ranges[i].Start < range.End; i++)
            {
                if (other._ranges[i].Start > start)
                    result.Add(new(start, other._ranges[i].Start));
                start = Math.Max(start, other._ranges[i].End);
            }

            if (start < range.End)
                result.Add(new(start, range.End));
        }

        return result.Count == 0 ? Empty : new([.. result]);
    }

    /// <inheritdoc/>
    public IEnumerator<PfnRange> GetEnumerator() => ((IEnumerable<PfnRange>)_ranges).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
