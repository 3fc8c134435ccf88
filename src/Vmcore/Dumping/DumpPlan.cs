using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Pmem;

namespace Vmcore.Dumping;

/// <summary>
/// Decides for every page whether it stays: pmem first and by range, then the rest page by page. A window can be asked for at any time and in any
/// order, so nothing needs to be held for all of a large machine.
/// </summary>
public sealed class DumpPlan
{
    private readonly CrashDump _dump;
    private readonly DumpOptions _options;
    private readonly PmemLayout _pmem;
    private readonly Lazy<PfnRangeSet> _unusedMemmap;

    /// <summary>Creates a plan.</summary>
    /// <param name="dump">The input.</param>
    /// <param name="options">What to leave out.</param>
    /// <exception cref="MissingInformationException">The level needs what the dump does not say.</exception>
    public DumpPlan(CrashDump dump, DumpOptions options)
    {
        _dump = dump;
        _options = options;
        _pmem = dump.Pmem;
        const DumpLevel NeedsMemmap = DumpLevel.Cache | DumpLevel.CachePrivate | DumpLevel.User | DumpLevel.Free;
        if ((options.Level & NeedsMemmap) != 0 && dump.ClassificationProblem is { } problem)
            throw new MissingInformationException(problem);
        MaxPfn = dump.Memory.MaxPfn;
        _unusedMemmap = new(() => options.ExcludeUnusedMemmap ? UnusedMemmap.Find(this) : PfnRangeSet.Empty);
    }

    /// <summary>One past the highest pfn.</summary>
    public ulong MaxPfn { get; }

    /// <summary>The pmem that the plan goes by.</summary>
    public PmemLayout Pmem => _pmem;

    /// <summary>The input.</summary>
    public CrashDump Dump => _dump;

    /// <summary>The options.</summary>
    public DumpOptions Options => _options;

    /// <summary>The windows in which pages can exist, ascending. A window's first pfn is its number shifted left by <see cref="PlanWindow.Shift"/>.</summary>
    public IEnumerable<ulong> Windows()
    {
        ulong next = 0;
        foreach (PfnRange range in _dump.Memory.Extents)
        {
            ulong end = (range.End + PlanWindow.Pages - 1) >> PlanWindow.Shift;
            for (ulong number = Math.Max(next, range.Start >> PlanWindow.Shift); number < end; number++)
                yield return number;
            next = Math.Max(next, end);
        }
    }

    /// <summary>Creates what one thread needs to classify windows.</summary>
    public WindowClassifier CreateClassifier() => new(this, _unusedMemmap.Value);
}
