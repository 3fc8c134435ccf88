using Vmcore.Memory;
using Vmcore.Opening;
using Vmcore.Ranges;

namespace Vmcore.Dumping;

/// <summary>
/// Cuts the memory of a machine into windows, those together that need no look: 6 TiB of user data are one step, not 49,152, and so are 32 TiB of which a
/// header says that they exist, and of which the file has nothing. The time goes by what there is, not by what is claimed.
/// </summary>
internal sealed class WindowRuns
{
    /// <summary>Windows in a run: 1 TiB with pages of 4 KiB. So often can it be stopped.</summary>
    private const ulong RunWindows = 1UL << 13;

    private readonly OpenedDump _dump;
    private readonly PageCoverage _coverage;
    private readonly PfnRangeSet _userData;
    private readonly Lazy<bool> _isBelieved;

    /// <summary>Creates it.</summary>
    /// <param name="dump">The input.</param>
    /// <param name="userData">What is left out as user data of pmem.</param>
    internal WindowRuns(OpenedDump dump, PfnRangeSet userData)
    {
        _dump = dump;
        _coverage = dump.Coverage;
        _userData = userData;
        _isBelieved = new(() => AbsentPages() <= dump.Limits.BelievedPages);
    }

    /// <summary>The runs of all windows in which pages can exist, ascending.</summary>
    internal IEnumerable<WindowRun> All()
    {
        ulong next = 0;
        foreach (PfnRange extent in _coverage.Extents)
        {
            ulong end = (extent.End + PlanWindow.Pages - 1) >> PlanWindow.Shift;
            for (ulong number = Math.Max(next, extent.Start >> PlanWindow.Shift); number < end;)
            {
                // What the file says is no memory has no window.
                ulong first = Math.Max(number << PlanWindow.Shift, extent.Start), exists = _coverage.HoleUntil(new(first, extent.End));
                number = exists == extent.End ? end : exists >> PlanWindow.Shift;
                if (number == end)
                    break;
                WindowRun run = RunAt(number, extent);
                yield return run;
                number += run.Count;
            }

            next = Math.Max(next, end);
        }
    }

    /// <summary>One past the last page that is there, be it filtered out: not what only a header claims.</summary>
    internal ulong End()
    {
        // A kdump-compressed file says itself how far its bitmaps go.
        PfnRangeSet extents = _coverage.Extents;
        ulong last = 0;
        if (!_coverage.ExtentsExist)
            return extents.IsEmpty ? 0 : Math.Min((extents[^1].End + PlanWindow.Pages - 1) & ~((ulong)PlanWindow.Pages - 1), _coverage.MaxPfn);
        foreach (WindowRun run in All())
        {
            // The end of the last extent may lie inside a window.
            bool isClaimed = run.Kind == WindowKind.Claimed || (run.IsMixed && run.EndPfn > _coverage.MaxPfn
                && _coverage.AbsentUntil(new(run.FirstPfn, _coverage.MaxPfn)) == _coverage.MaxPfn
                && Absent(run.Number, new(run.FirstPfn, run.EndPfn)).Kind == WindowKind.Claimed);
            last = isClaimed ? last : run.EndPfn;
        }

        return Math.Min(last, _coverage.MaxPfn);
    }

    private WindowRun RunAt(ulong number, PfnRange extent)
    {
        ulong first = number << PlanWindow.Shift, windows = (extent.End - first) >> PlanWindow.Shift;
        if (extent.Start > first || windows == 0)
            return new(number, 1, WindowKind.Mixed);
        var range = new PfnRange(first, Math.Min(extent.End, first + (RunWindows << PlanWindow.Shift)));
        windows = WindowsTo(UserDataUntil(range), first);
        if (windows > 0 && _coverage.HasAll(new(first, first + (windows << PlanWindow.Shift))))
            return new(number, windows, WindowKind.UserData);
        ulong absent = _coverage.ExtentsExist ? _coverage.AbsentUntil(range) : first;
        return WindowsTo(absent, first) == 0 ? new(number, 1, WindowKind.Mixed) : Absent(number, new(first, absent));
    }

    private ulong UserDataUntil(PfnRange range)
    {
        int at = _userData.IndexAtOrAfter(range.Start);
        return at < _userData.Count && _userData[at].Start <= range.Start ? Math.Min(_userData[at].End, range.End) : range.Start;
    }

    /// <summary>A run of absent windows, as far as one answer is true of them: the kernel knows of this memory, or it does not.</summary>
    private WindowRun Absent(ulong number, PfnRange range)
    {
        ulong first = range.Start, end = first;
        bool isKnown = IsKnown(first, out ulong knownEnd);
        if (isKnown)
        {
            end = Math.Min(knownEnd, range.End);
        }
        else
        {
            // A window is claimed only if all of it is.
            for (; end < range.End && !IsKnown(end, out knownEnd);)
                end = Math.Clamp(knownEnd, end + 1, range.End);
        }

        ulong windows = WindowsTo(end, first);
        return new(number, Math.Max(1, windows), isKnown || windows == 0 ? WindowKind.Absent : WindowKind.Claimed);
    }

    /// <summary>Tells whether the kernel knows of a page that the input lacks: it is pmem, or has a struct page.</summary>
    private bool IsKnown(ulong pfn, out ulong end)
    {
        PfnRangeSet pmem = _dump.Pmem.Pages;
        int at = pmem.IndexAtOrAfter(pfn);
        ulong pmemStart = at < pmem.Count ? pmem[at].Start : ulong.MaxValue;
        end = pmemStart <= pfn ? pmem[at].End : pmemStart;
        if (pmemStart <= pfn)
            return true;
        if (_dump.Memmap is not { Model: var model })
            return _isBelieved.Value;
        bool isKnown = model.TryGetStructPage(pfn, out _, out ulong runEnd);
        end = Math.Min(end, runEnd);
        return isKnown;
    }

    /// <summary>Pages without content, but for those in windows that have some.</summary>
    private ulong AbsentPages()
    {
        ulong pages = 0;
        foreach (PfnRange extent in _coverage.Extents)
        {
            for (ulong pfn = extent.Start, absent; pfn < extent.End; pfn = absent + PlanWindow.Pages)
            {
                absent = _coverage.AbsentUntil(new(pfn, extent.End));
                pages += absent - pfn;
            }
        }

        return pages;
    }

    private static ulong WindowsTo(ulong end, ulong first) => (end - first) >> PlanWindow.Shift;
}
