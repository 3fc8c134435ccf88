using System.Diagnostics;
using Vmcore.Memmap;
using Vmcore.Ranges;

namespace Vmcore.Dumping;

/// <summary>The deciding pass: every window once, in order. What comes of it is a plan; who writes goes by that.</summary>
internal sealed class PlanPass
{
    private readonly DumpRequest _request;
    private readonly Workers _workers;

    /// <summary>Creates the pass.</summary>
    /// <param name="request">What is dumped.</param>
    /// <param name="workers">Do the work.</param>
    internal PlanPass(DumpRequest request, Workers workers)
    {
        _request = request;
        _workers = workers;
    }

    /// <summary>Bytes of verdicts that the plan may remember.</summary>
    internal long CacheBytes { get; init; }

    /// <summary>Finds the pages of zero among those that stay, by reading them all, and takes them out. Null: they stay.</summary>
    internal ZeroPageFilter? Zero { get; init; }

    /// <summary>Runs the pass.</summary>
    /// <param name="observer">Hears of the progress.</param>
    /// <param name="cancel">Stops at the next window.</param>
    /// <param name="take">Gets each window with its verdicts, set only if the run is mixed; returns false to stop. Null if nobody asks.</param>
    /// <returns>The plan; not complete if it was stopped.</returns>
    internal DumpPlan Run(IDumpObserver observer, CancellationToken cancel, Func<WindowRun, PlanWindow, bool>? take = null)
    {
        observer.Started(DumpStep.ExcludingPages);
        long started = Stopwatch.GetTimestamp();
        var plan = new DumpPlan(CacheBytes, _request.Dump.Limits);
        bool stopped = false;
        using IEnumerator<WindowRun> runs = _request.Runs().GetEnumerator();
        _workers.RunInOrder<WindowJob>(
            static () => new(),
            job =>
            {
                if (!runs.MoveNext())
                    return false;
                job.Windows = runs.Current;
                return true;
            },
            job =>
            {
                WindowRun run = job.Windows;
                stopped = cancel.IsCancellationRequested || !Decide(run, job.Window, plan, take);
                if (!stopped)
                    observer.Progress(DumpStep.ExcludingPages, Math.Min(run.EndPfn, _request.MaxPfn), _request.MaxPfn);
                return !stopped;
            });
        plan.IsComplete = !stopped;
        if (!stopped)
            observer.Finished(DumpStep.ExcludingPages, Stopwatch.GetElapsedTime(started));
        return plan;
    }

    private bool Decide(WindowRun run, PlanWindow window, DumpPlan plan, Func<WindowRun, PlanWindow, bool>? take)
    {
        if (!run.IsMixed)
        {
            plan.Counts.Original += run.Pages;
            if (run.Kind == WindowKind.UserData)
                plan.Counts.Excluded[PageClass.PmemUserData] += run.Pages;
            else
                plan.Counts.MissingInInput += run.Pages;
        }
        else
        {
            if (Zero is not null)
                window.Excluded[PageClass.Zero] += Zero.Clear(window);
            plan.Add(window, (ulong)PageBits.Count(window.Exists), (ulong)PageBits.Count(window.Kept));
        }

        return take is null || take(run, window);
    }
}
