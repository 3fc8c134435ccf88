using Vmcore.Memmap;
using Vmcore.Opening;
using Vmcore.Pmem;
using Vmcore.Ranges;

namespace Vmcore.Dumping;

/// <summary>
/// Decides for every page whether it stays: pmem first and by range, then the rest page by page. A window can be asked for at any time and in any
/// order, so nothing needs to be held for all of a large machine.
/// </summary>
public sealed class DumpPlan
{
    private readonly OpenedDump _dump;
    private readonly DumpOptions _options;
    private readonly PmemLayout _pmem;
    private readonly Lazy<PfnRangeSet> _unusedMemmap;

    /// <summary>Creates a plan.</summary>
    /// <param name="dump">The input.</param>
    /// <param name="options">What to leave out.</param>
    /// <exception cref="MissingInformationException">The level needs what the dump does not say, or an ELF dump cannot be made of it.</exception>
    public DumpPlan(OpenedDump dump, DumpOptions options)
    {
        _dump = dump;
        _options = options;
        _pmem = dump.Pmem;
        if (options.Output == DumpOutput.Elf)
            ElfDumpWriter.Check(dump);
        const DumpLevel NeedsMemmap = DumpLevel.Cache | DumpLevel.CachePrivate | DumpLevel.User | DumpLevel.Free;
        if ((options.Level & NeedsMemmap) != 0 && dump.ClassificationProblem is { } problem)
            throw new MissingInformationException(problem);
        MaxPfn = dump.Coverage.MaxPfn;
        _unusedMemmap = new(() => options.ExcludeUnusedMemmap ? UnusedMemmap.Find(this) : PfnRangeSet.Empty);
    }

    /// <summary>One past the highest pfn.</summary>
    public ulong MaxPfn { get; }

    /// <summary>The pmem that the plan goes by.</summary>
    public PmemLayout Pmem => _pmem;

    /// <summary>The input.</summary>
    public OpenedDump Dump => _dump;

    /// <summary>What the pages that stay are copied from.</summary>
    internal Memory.CrashMemory CopySource => _dump.CopySource(_options.IncludePmemUserData);

    /// <summary>The options.</summary>
    public DumpOptions Options => _options;

    /// <summary>The windows in which pages can exist, ascending. A window's first pfn is its number shifted left by <see cref="PlanWindow.Shift"/>.</summary>
    internal IEnumerable<ulong> Windows()
    {
        ulong next = 0;
        foreach (PfnRange range in _dump.Coverage.Extents)
        {
            ulong end = (range.End + PlanWindow.Pages - 1) >> PlanWindow.Shift;
            for (ulong number = Math.Max(next, range.Start >> PlanWindow.Shift); number < end; number++)
                yield return number;
            next = Math.Max(next, end);
        }
    }

    /// <summary>The same windows, those together that need no look: 6 TiB of user data are one step, not 49,152.</summary>
    internal IEnumerable<WindowRun> Runs()
    {
        ulong next = 0;
        foreach (PfnRange range in _dump.Coverage.Extents)
        {
            ulong end = (range.End + PlanWindow.Pages - 1) >> PlanWindow.Shift;
            for (ulong number = Math.Max(next, range.Start >> PlanWindow.Shift); number < end;)
            {
                ulong whole = WindowsOfUserData(number, range);
                yield return new(number, Math.Max(whole, 1), whole > 0);
                number += Math.Max(whole, 1);
            }

            next = Math.Max(next, end);
        }
    }

    /// <summary>Number of windows, from one on, of which every page is in the input and is left out as user data of pmem.</summary>
    private ulong WindowsOfUserData(ulong number, PfnRange extent)
    {
        const ulong Most = 1UL << 13; // 1 TiB: so often can it be stopped.
        PfnRangeSet userData = _pmem.UserData;
        ulong first = number << PlanWindow.Shift;
        int at = userData.IndexAtOrAfter(first);
        if (_options.IncludePmemUserData || at >= userData.Count || userData[at].Start > first || extent.Start > first)
            return 0;
        ulong windows = Math.Min((Math.Min(userData[at].End, extent.End) - first) >> PlanWindow.Shift, Most);
        return windows > 0 && _dump.Coverage.HasAll(new(first, first + (windows << PlanWindow.Shift))) ? windows : 0;
    }

    /// <summary>Creates what one thread needs to classify windows.</summary>
    internal WindowClassifier CreateClassifier() => new(this, _unusedMemmap.Value);
}
