using Vmcore.Memmap;

namespace Vmcore.Dumping;

/// <summary>Counts the pages of each class without writing anything: what a dump would leave out.</summary>
internal static class MemoryUsage
{
    /// <summary>Goes through all pages; those that are kept are read if zero pages are to be counted.</summary>
    /// <param name="plan">The plan, usually of <see cref="DumpLevel.All"/>.</param>
    /// <param name="observer">Hears of the progress.</param>
    /// <param name="cancel">Stops at the next window.</param>
    /// <returns>The counts, as the report of a dump has them.</returns>
    public static DumpReport Measure(DumpPlan plan, IDumpObserver observer, CancellationToken cancel = default)
    {
        var report = new DumpReport();
        var zero = new ZeroPageFilter(plan.CopySource);
        bool countsZero = (plan.Options.Level & DumpLevel.Zero) != 0;
        using var workers = new Workers(plan);
        PlanPass.Run(plan, new PlanCache(0), workers, report, observer, cancel, (run, window) =>
        {
            if (countsZero && !run.IsUserData)
                report.Excluded[PageClass.Zero] += zero.Clear(window);
        });
        return report;
    }
}
