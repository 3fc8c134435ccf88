using System.Diagnostics;
using Vmcore.IO;

namespace Vmcore.Dumping;

/// <summary>Writes a dump: plan, pipeline, output.</summary>
public static class Dumper
{
    /// <summary>Bytes of first-pass results that are kept for the second: 4 MiB hold 128 GiB of fully mixed memory.</summary>
    private const long CacheBytes = 4 << 20;

    /// <summary>Writes the dump.</summary>
    /// <param name="plan">What to dump.</param>
    /// <param name="sink">Where to; the caller disposes of it.</param>
    /// <param name="observer">Hears of the progress.</param>
    /// <param name="cancel">Ends the dump early; what is written by then is readable and marked incomplete.</param>
    /// <returns>What was done; <see cref="DumpReport.End"/> says whether all of it.</returns>
    /// <exception cref="FileAccessException">The target failed for another reason than being full.</exception>
    public static DumpReport Write(DumpPlan plan, IByteSink sink, IDumpObserver observer, CancellationToken cancel = default) =>
        Write(plan, [sink], observer, cancel);

    /// <summary>Writes the dump in parts of about the same size; each opens together with the others. kdump-compressed only.</summary>
    /// <param name="plan">What to dump.</param>
    /// <param name="sinks">Where to, one for each part; the caller disposes of them. A single one gets the whole dump.</param>
    /// <param name="observer">Hears of the progress.</param>
    /// <param name="cancel">Ends the dump early; what is written by then is readable and marked incomplete.</param>
    /// <returns>What was done; <see cref="DumpReport.End"/> says whether all of it.</returns>
    /// <exception cref="FileAccessException">A target failed for another reason than being full.</exception>
    public static DumpReport Write(DumpPlan plan, IReadOnlyList<IByteSink> sinks, IDumpObserver observer, CancellationToken cancel = default)
    {
        ArgumentOutOfRangeException.ThrowIfZero(sinks.Count, nameof(sinks));
        if (sinks.Count > 1 && plan.Options.Output == DumpOutput.Elf)
            throw new ArgumentException("An ELF dump has no parts.", nameof(sinks));
        if (plan.Options.TimeLimit is not { } limit)
            return WritePlan(plan, sinks, observer, cancel);
        long started = Stopwatch.GetTimestamp();
        DumpPlan fitting = TimeBudget.Fit(plan, limit, cancel);
        TimeSpan left = limit - Stopwatch.GetElapsedTime(started);
        using var deadline = new CancellationTokenSource(left > TimeSpan.Zero ? left : TimeSpan.Zero);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, deadline.Token);
        DumpReport report = WritePlan(fitting, sinks, observer, both.Token);
        if (report.End == DumpEnd.Cancelled && !cancel.IsCancellationRequested)
            report.End = DumpEnd.TimeLimit;
        if (fitting != plan)
            report.GivenUp = new(plan.Options.Level, fitting.Options.Level, plan.Options.Codec, fitting.Options.Codec);
        return report;
    }

    private static DumpReport WritePlan(DumpPlan plan, IReadOnlyList<IByteSink> sinks, IDumpObserver observer, CancellationToken cancel)
    {
        var report = new DumpReport();
        var cache = new PlanCache(CacheBytes);
        using var workers = new Workers(plan);
        if (plan.Options.Output == DumpOutput.Elf)
            new ElfDumpWriter(plan, sinks[0], report, cache, workers).Write(observer, cancel);
        else
            new KdumpDumpWriter(plan, sinks, report, cache, workers).Write(observer, cancel);
        return report;
    }
}
