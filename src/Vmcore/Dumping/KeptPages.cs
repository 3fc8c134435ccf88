using System.Numerics;

namespace Vmcore.Dumping;

/// <summary>
/// Goes through the pages that stay, in ascending order. Windows that the first pass could not remember are classified again, some of them ahead.
/// </summary>
internal sealed class KeptPages
{
    private readonly Workers _workers;
    private readonly PlanCache _cache;
    private readonly IEnumerator<WindowRun> _runs;
    private readonly Queue<WindowJob> _ahead = new();
    private readonly Stack<WindowJob> _free = new();
    private bool _more = true;
    private WindowJob? _current;
    private int _word = PlanWindow.Words;
    private ulong _bits;

    internal KeptPages(DumpPlan plan, PlanCache cache, Workers workers)
    {
        _workers = workers;
        _cache = cache;
        _runs = plan.Runs().GetEnumerator();
        for (int i = 0; i < workers.Ahead; i++)
            _free.Push(new());
    }

    /// <summary>Takes the next pages.</summary>
    /// <param name="pfns">Receives them.</param>
    /// <returns>How many; fewer than there is room for only at the end.</returns>
    internal int Take(Span<ulong> pfns)
    {
        int count = 0;
        while (count < pfns.Length)
        {
            while (_bits == 0)
            {
                if (_word == PlanWindow.Words && !NextWindow())
                    return count;
                _bits = _current!.Window.Kept[_word++];
            }

            ulong first = _current!.Windows.FirstPfn + ((ulong)(_word - 1) << 6);
            while (_bits != 0 && count < pfns.Length)
            {
                pfns[count++] = first + (ulong)BitOperations.TrailingZeroCount(_bits);
                _bits &= _bits - 1;
            }
        }

        return count;
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
            job.IsKnown = _cache.TryGet(run.Number, job.Window.Kept);
            if (!job.IsKnown)
                _workers.Submit(job);
            _ahead.Enqueue(job);
        }

        if (!_ahead.TryDequeue(out _current))
            return false;
        _current.Wait();
        _word = 0;
        return true;
    }

    private bool NextRun(out WindowRun run)
    {
        while (_runs.MoveNext())
        {
            run = _runs.Current;
            if (!run.IsUserData && !_cache.IsEmpty(run.Number))
                return true;
        }

        run = default;
        return false;
    }
}
