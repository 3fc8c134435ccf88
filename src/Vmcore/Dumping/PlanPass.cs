using System.Diagnostics;
using Vmcore.Memory;

namespace Vmcore.Dumping;

/// <summary>The first pass: every window once, in order, with the counts of the report.</summary>
internal static class PlanPass
{
    /// <summary>Runs the pass.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="cache">Remembers the kept pages.</param>
    /// <param name="report">Receives the counts.</param>
    /// <param name="observer">Hears of the progress.</param>
    /// <param name="cancel">Stops at the next window.</param>
    /// <param name="visit">Gets each window; it may clear more bits of <see cref="PlanWindow.Kept"/>, if it counts them.</param>
    internal static void Run(DumpPlan plan, PlanCache cache, DumpReport report, IDumpObserver observer, CancellationToken cancel, Action<PlanWindow> visit)
    {
        observer.Started(DumpStep.ExcludingPages);
        long started = Stopwatch.GetTimestamp();
        report.MaxPfn = plan.MaxPfn;
        WindowClassifier classifier = plan.CreateClassifier();
        var window = new PlanWindow();
        foreach (ulong number in plan.Windows())
        {
            if (cancel.IsCancellationRequested)
            {
                report.End = DumpEnd.Cancelled;
                break;
            }

            classifier.Classify(number, window);
            report.Original += (ulong)PageBits.Count(window.Exists);
            report.Excluded.Add(window.Excluded);
            report.MissingInInput += window.MissingInInput;
            report.MetadataKept += window.MetadataKept;
            report.UnreadableStructPages += window.UnreadableStructPages;
            report.BadFreeBlocks += window.BadFreeBlocks;
            visit(window);
            cache.Add(number, window.Kept);
            observer.Progress(DumpStep.ExcludingPages, Math.Min(window.FirstPfn + PlanWindow.Pages, plan.MaxPfn), plan.MaxPfn);
        }

        observer.Finished(DumpStep.ExcludingPages, Stopwatch.GetElapsedTime(started));
    }
}
