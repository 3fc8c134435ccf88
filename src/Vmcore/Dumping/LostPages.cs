using Vmcore.IO;
using Vmcore.Ranges;

namespace Vmcore.Dumping;

/// <summary>The pages that could not be read, and that a dump therefore does not have. All are counted; of the ranges the first are listed.</summary>
internal sealed class LostPages(ReadLimits limits)
{
    private readonly List<PfnRange> _ranges = [];

    /// <summary>Number of pages.</summary>
    internal ulong Count { get; private set; }

    /// <summary>Where they are, in the order in which they were met.</summary>
    internal IReadOnlyList<PfnRange> Ranges => _ranges;

    /// <summary>Adds a page.</summary>
    internal void Add(ulong pfn)
    {
        Count++;
        if (_ranges.Count > 0 && _ranges[^1].End == pfn)
            _ranges[^1] = _ranges[^1] with { End = pfn + 1 };
        else if (_ranges.Count < limits.LostRanges)
            _ranges.Add(new(pfn, pfn + 1));
    }
}
