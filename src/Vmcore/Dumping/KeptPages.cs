using System.Numerics;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Dumping;

/// <summary>
/// Goes through the pages that stay: first those that are worth more, stage by stage, then the others in ascending order. Windows that the plan could not
/// remember are classified again, those of the others some of them ahead.
/// </summary>
internal sealed class KeptPages
{
    private readonly Workers _workers;
    private readonly DumpPlan _plan;
    private readonly WorthOrder _order;
    private readonly PageCoverage _coverage;
    private readonly IEnumerator<WindowRun> _runs;
    private readonly IEnumerator<KeptWord> _first;
    private readonly Queue<WindowJob> _ahead = new();
    private readonly Stack<WindowJob> _free = new();
    private readonly ulong[] _mask = new ulong[PlanWindow.Words];
    private bool _inFirst = true;
    private bool _more = true;
    private bool _isMasked;
    private WindowJob? _current;
    private int _word = PlanWindow.Words;
    private ulong _rank;
    private KeptWord _bits;

    /// <summary>Creates it.</summary>
    /// <param name="request">What is dumped.</param>
    /// <param name="plan">What stays.</param>
    /// <param name="windows">Decide again what the plan does not remember, for the pages that are worth more.</param>
    /// <param name="order">Which these are.</param>
    /// <param name="workers">Decide the others again.</param>
    internal KeptPages(DumpRequest request, DumpPlan plan, KeptWindows windows, WorthOrder order, Workers workers)
    {
        _workers = workers;
        _plan = plan;
        _order = order;
        _coverage = request.Dump.Coverage;
        _runs = request.Runs().GetEnumerator();
        _first = WorthFirst(windows).GetEnumerator();
        for (int i = 0; i < workers.Ahead; i++)
            _free.Push(new());
    }

    /// <summary>Takes the next pages into a batch: as many as it has room for, fewer at the end of the pages that are worth more and at the very end.</summary>
    /// <returns>False if there are none.</returns>
    internal bool Take(PageBatch batch)
    {
        batch.Count = 0;
        batch.IsOrdered = !_inFirst;
        while (batch.Count < batch.Capacity)
        {
            while (_bits.Left == 0)
            {
                if (_inFirst && _first.MoveNext())
                {
                    _bits = _first.Current;
                }
                else if (_inFirst)
                {
                    _inFirst = false;
                    if (batch.Count > 0)
                        return true;
                    batch.IsOrdered = true;
                }
                else if (!NextWord())
                {
                    return batch.Count > 0;
                }
            }

            _bits.MoveTo(batch);
        }

        return true;
    }

    private IEnumerable<KeptWord> WorthFirst(KeptWindows windows)
    {
        foreach (PfnRangeSet stage in _order.Stages)
        {
            foreach (PfnRange range in stage)
            {
                for (ulong pfn = range.Start & ~63UL; pfn < range.End; pfn += 64)
                {
                    // Of what has no content a range may name any amount.
                    if ((pfn & (PlanWindow.Pages - 1)) == 0)
                        pfn = Math.Max(pfn, _coverage.AbsentUntil(new(pfn, range.End)) & ~63UL);
                    if (pfn >= range.End)
                        break;
                    ulong number = pfn >> PlanWindow.Shift;
                    int word = (int)(pfn & (PlanWindow.Pages - 1)) >> 6;
                    ulong all = windows.Of(number)[word], left = all;
                    if (pfn < range.Start)
                        left &= ulong.MaxValue << (int)(range.Start - pfn);
                    if (range.End - pfn < 64)
                        left &= (1UL << (int)(range.End - pfn)) - 1;
                    if (left != 0)
                        yield return new(pfn, _plan.Shares.CountBefore(windows, pfn), all, left);
                }
            }
        }
    }

    private bool NextWord()
    {
        if (_word == PlanWindow.Words && !NextWindow())
            return false;
        ulong all = _current!.Window.Kept[_word];
        _bits = new(_current.Windows.FirstPfn + ((ulong)_word << 6), _rank, all, _isMasked ? all & ~_mask[_word] : all);
        _rank += (ulong)BitOperations.PopCount(all);
        _word++;
        return true;
    }

    private bool NextWindow()
    {
        if (_current is not null)
            _free.Push(_current);
        _current = null;
        while (_more && _free.TryPop(out WindowJob? job))
        {
            if (!NextRun(out WindowRun run))
            {
                _more = false;
                break;
            }

            job.Windows = run;
            job.IsKnown = _plan.Cache.TryGet(run.Number, job.Window.Kept);
            if (!job.IsKnown)
                _workers.Submit(job);
            _ahead.Enqueue(job);
        }

        if (!_ahead.TryDequeue(out _current))
            return false;
        _current.Wait();
        _word = 0;
        ulong first = _current.Windows.FirstPfn;
        int at = _order.All.IndexAtOrAfter(first);
        _isMasked = at < _order.All.Count && _order.All[at].Start < first + PlanWindow.Pages;
        if (_isMasked)
            PageBits.Fill(_mask, first, _order.All);
        return true;
    }

    private bool NextRun(out WindowRun run)
    {
        while (_runs.MoveNext())
        {
            run = _runs.Current;
            if (run.IsMixed && !_plan.Cache.IsEmpty(run.Number))
                return true;
        }

        run = default;
        return false;
    }

    /// <summary>64 neighbouring pages of which some are to be taken.</summary>
    private struct KeptWord(ulong pfn, ulong rank, ulong all, ulong left)
    {
        /// <summary>The pages that are still to be taken.</summary>
        internal ulong Left { get; private set; } = left;

        /// <summary>Moves pages into a batch as far as it has room.</summary>
        internal void MoveTo(PageBatch batch)
        {
            while (Left != 0 && batch.Count < batch.Capacity)
            {
                int bit = BitOperations.TrailingZeroCount(Left);
                batch.Pfns[batch.Count] = pfn + (ulong)bit;
                batch.Ranks[batch.Count++] = rank + (ulong)BitOperations.PopCount(all & ((1UL << bit) - 1));
                Left &= Left - 1;
            }
        }
    }
}
