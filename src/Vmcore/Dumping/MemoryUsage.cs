using Vmcore.Memmap;

namespace Vmcore.Dumping;

/// <summary>Counts the pages of each class without writing anything: what a dump would leave out.</summary>
public static class MemoryUsage
{
    /// <summary>Goes through all pages; those that are kept are read if zero pages are to be counted.</summary>
    /// <param name="request">What is counted, usually at <see cref="DumpLevel.All"/>.</param>
    /// <param name="observer">Hears of the progress.</param>
    /// <param name="cancel">Stops at the next window.</param>
    /// <returns>The counts, as the report of a dump has them.</returns>
    public static DumpReport Measure(DumpRequest request, IDumpObserver observer, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        using var workers = new Workers(request.Options, new(request));
        bool countsZero = (request.Options.Level & DumpLevel.Zero) != 0;
        DumpPlan plan = new PlanPass(request, workers) { Zero = countsZero ? new(request.CopySource) : null }.Run(observer, cancel);
        return new(plan.Counts, plan.IsComplete ? DumpEnd.Complete : DumpEnd.Cancelled) { MaxPfn = request.MaxPfn };
    }
}
