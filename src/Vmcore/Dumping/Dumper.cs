using System.Diagnostics;
using Vmcore.IO;
using Vmcore.Memmap;

namespace Vmcore.Dumping;

/// <summary>Writes a dump: plan, pipeline, output.</summary>
public static class Dumper
{
    /// <summary>Bytes of first-pass results that are kept for the second: 4 MiB hold 128 GiB of fully mixed memory.</summary>
    private const long CacheBytes = 4 << 20;

    /// <summary>Writes the dump.</summary>
    /// <param name="request">What to dump.</param>
    /// <param name="sink">Where to; the caller disposes of it.</param>
    /// <param name="observer">Hears of the progress.</param>
    /// <param name="cancel">Ends the dump early; what is written by then is readable and marked incomplete.</param>
    /// <returns>What was done; <see cref="DumpReport.End"/> says whether all of it.</returns>
    /// <exception cref="FileAccessException">The target failed for another reason than being full.</exception>
    public static DumpReport Write(DumpRequest request, IByteSink sink, IDumpObserver observer, CancellationToken cancel = default) =>
        Write(request, [sink], observer, cancel);

    /// <summary>Writes the dump in parts of about the same size; each opens together with the others. kdump-compressed only.</summary>
    /// <param name="request">What to dump.</param>
    /// <param name="sinks">Where to, one for each part; the caller disposes of them. A single one gets the whole dump.</param>
    /// <param name="observer">Hears of the progress.</param>
    /// <param name="cancel">Ends the dump early; what is written by then is readable and marked incomplete.</param>
    /// <returns>What was done; <see cref="DumpReport.End"/> says whether all of it.</returns>
    /// <exception cref="FileAccessException">A target failed for another reason than being full.</exception>
    public static DumpReport Write(DumpRequest request, IReadOnlyList<IByteSink> sinks, IDumpObserver observer, CancellationToken cancel = default)
    {
        ArgumentOutOfRangeException.ThrowIfZero(sinks.Count, nameof(sinks));
        if (sinks.Count > 1 && request.Options.Output == DumpOutput.Elf)
            throw new ArgumentException("An ELF dump has no parts.", nameof(sinks));
        if (request.Options.TimeLimit is not { } limit)
            return Write(request, sinks, null, observer, cancel, CancellationToken.None);
        long started = Stopwatch.GetTimestamp();
        DumpRequest fitting = TimeBudget.Fit(request, limit, cancel);
        GivenUp? given = fitting == request ? null
            : new(request.Options.Level, fitting.Options.Level, request.Options.Codec, fitting.Options.Codec);
        TimeSpan left = limit - Stopwatch.GetElapsedTime(started);
        using var deadline = new CancellationTokenSource(left > TimeSpan.Zero ? left : TimeSpan.Zero);
        return Write(fitting, sinks, given, observer, cancel, deadline.Token);
    }

    private static DumpReport Write(DumpRequest request, IReadOnlyList<IByteSink> sinks, GivenUp? given,
        IDumpObserver observer, CancellationToken cancel, CancellationToken deadline)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, deadline);
        var classifiers = new Classifiers(request);
        using var workers = new Workers(request.Options, classifiers);
        bool isElf = request.Options.Output == DumpOutput.Elf;
        IDumpWriter writer = isElf
            ? new ElfDumpWriter(request, sinks[0], classifiers, workers)
            : new KdumpDumpWriter(request, sinks, classifiers, workers);
        // An ELF file has no page of zero that others could share: there they are left out, and have to be known before the headers are.
        var pass = new PlanPass(request, workers)
        {
            CacheBytes = CacheBytes,
            Zero = isElf && (request.Options.Level & DumpLevel.Zero) != 0 ? new(request.CopySource) : null,
        };
        DumpPlan plan = writer.Begin() ? pass.Run(observer, either.Token, writer.Take) : new(0, request.Dump.Limits);
        DumpEnd end = writer.Write(plan, observer, either.Token);
        if (end == DumpEnd.Cancelled && deadline.IsCancellationRequested && !cancel.IsCancellationRequested)
            end = DumpEnd.TimeLimit;
        return new(plan.Counts, end) { MaxPfn = request.MaxPfn, GivenUp = given, BytesWritten = writer.BytesWritten };
    }
}
