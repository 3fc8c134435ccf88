using System.Diagnostics;
using Vmcore.Memmap;
using Vmcore.Ranges;

namespace Vmcore.Dumping;

/// <summary>The first pass: every window once, in order, with the counts of the report.</summary>
internal static class PlanPass
{
    /// <summary>Runs the pass.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="cache">Remembers the kept pages.</param>
    /// <param name="workers">Do the work.</param>
    /// <param name="report">Receives the counts.</param>
    /// <param name="observer">Hears of the progress.</param>
    /// <param name="cancel">Stops at the next window.</param>
    /// <param name="visit">Gets each window; it may clear more bits of <see cref="PlanWindow.Kept"/>, if
    /// it counts them. The verdicts of a run of user data are not set.</param>
    internal static void Run(DumpPlan plan, PlanCache cache, Workers workers, DumpReport report,
        IDumpObserver observer, CancellationToken cancel, Action<WindowRun, PlanWindow> visit)
    {
        observer.Started(DumpStep.ExcludingPages);
        long started = Stopwatch.GetTimestamp();
        report.MaxPfn = plan.MaxPfn;
        using IEnumerator<WindowRun> runs = plan.Runs().GetEnumerator();
        workers.RunInOrder<WindowJob>(
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
                if (cancel.IsCancellationRequested)
                {
                    report.End = DumpEnd.Cancelled;
                    return false;
                }

                WindowRun run = job.Windows;
                if (run.IsUserData)
                {
                    report.Original += run.EndPfn - run.FirstPfn;
                    report.Excluded[PageClass.PmemUserData] += run.EndPfn - run.FirstPfn;
                }
                else
                {
                    Count(job.Window, report);
                }

                visit(run, job.Window);
                if (!run.IsUserData)
                    cache.Add(run.Number, job.Window.Kept);
                observer.Progress(DumpStep.ExcludingPages, Math.Min(run.EndPfn, plan.MaxPfn), plan.MaxPfn);
                return true;
            });
        if (report.End == DumpEnd.Complete)
            observer.Finished(DumpStep.ExcludingPages, Stopwatch.GetElapsedTime(started));
    }

    private static void Count(PlanWindow window, DumpReport report)
    {
        report.Original += (ulong)PageBits.Count(window.Exists);
        report.Excluded.Add(window.Excluded);
        report.MissingInInput += window.MissingInInput;
        report.MetadataKept += window.MetadataKept;
        report.UnreadableStructPages += window.UnreadableStructPages;
        report.BadFreeBlocks += window.BadFreeBlocks;
    }
}
