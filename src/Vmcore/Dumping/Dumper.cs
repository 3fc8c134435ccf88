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
        var report = new DumpReport();
        var cache = new PlanCache(CacheBytes);
        if (plan.Options.Output == DumpOutput.Elf)
            new ElfDumpWriter(plan, sinks[0], report, cache).Write(observer, cancel);
        else
            new KdumpDumpWriter(plan, sinks, report, cache).Write(observer, cancel);
        return report;
    }
}
