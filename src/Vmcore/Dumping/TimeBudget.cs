using System.Diagnostics;
using Vmcore.Compression;
using Vmcore.Memmap;
using Vmcore.Memory;

namespace Vmcore.Dumping;

/// <summary>What a dump did otherwise than asked for, to keep to its time limit.</summary>
/// <param name="AskedLevel">The dump level asked for.</param>
/// <param name="Level">The dump level used.</param>
/// <param name="AskedCodec">The codec asked for.</param>
/// <param name="Codec">The codec used.</param>
public sealed record GivenUp(DumpLevel AskedLevel, DumpLevel Level, PageCodec AskedCodec, PageCodec Codec);

/// <summary>
/// Chooses what can be dumped in a given time. Pages of each class are counted and a sample of them is read and compressed with each codec; then
/// the first of these is taken that fits: a faster codec, which loses nothing; without free and zero pages; without user pages; without page
/// cache; without any page cache. Pages of the kernel are never given up: if they do not fit, the dump ends where the time does.
/// </summary>
internal sealed class TimeBudget
{
    /// <summary>Pages of the sample.</summary>
    private const int SamplePages = 512;

    /// <summary>Bytes per second that a target is believed to take; a slower one shows while it is written.</summary>
    private const double TargetSpeed = 400e6;

    /// <summary>Part of the time that is planned with: the rest is for what was not foreseen, and for the flush at the end.</summary>
    private const double Planned = 0.7;

    private static readonly DumpLevel[] s_steps =
    [
        DumpLevel.None,
        DumpLevel.Zero | DumpLevel.Free,
        DumpLevel.Zero | DumpLevel.Free | DumpLevel.User,
        DumpLevel.Zero | DumpLevel.Free | DumpLevel.User | DumpLevel.Cache,
        DumpLevel.Zero | DumpLevel.Free | DumpLevel.User | DumpLevel.Cache | DumpLevel.CachePrivate,
    ];

    private readonly DumpPlan _plan;
    private readonly int _threads;
    private readonly List<ulong> _sample = [];
    private readonly PageCounts _excludable = new();
    private ulong _kept;

    private TimeBudget(DumpPlan plan)
    {
        _plan = plan;
        _threads = ThreadCount.Choose(plan.Options.Threads);
    }

    /// <summary>Gives a plan that fits.</summary>
    /// <param name="plan">What was asked for.</param>
    /// <param name="limit">Time that there is, from now on.</param>
    /// <param name="cancel">Ends the counting early.</param>
    /// <returns>The plan itself, or one with another level or codec.</returns>
    internal static DumpPlan Fit(DumpPlan plan, TimeSpan limit, CancellationToken cancel)
    {
        long started = Stopwatch.GetTimestamp();
        var budget = new TimeBudget(plan);
        budget.Count(cancel);
        if (budget._sample.Count == 0)
            return plan;
        PageCodec[] codecs = plan.Options.Output == DumpOutput.Elf
            ? [PageCodec.None]
            : [.. new[] { plan.Options.Codec, PageCodec.Lzo, PageCodec.None }.Distinct()];
        double[] costs = [.. codecs.Select(budget.SecondsPerPage)];
        double left = (limit - Stopwatch.GetElapsedTime(started)).TotalSeconds * Planned;
        DumpOptions chosen = plan.Options;
        foreach (DumpLevel step in plan.Dump.ClassificationProblem is null ? s_steps : s_steps.AsSpan(0, 1))
        {
            ulong pages = budget.PagesAt(plan.Options.Level | step);
            int fastest = Array.IndexOf(costs, costs.Min());
            int fits = Array.FindIndex(costs, c => c * pages <= left);
            chosen = plan.Options with { Level = plan.Options.Level | step, Codec = codecs[fits >= 0 ? fits : fastest] };
            if (fits >= 0)
                break;
        }

        return chosen == plan.Options ? plan : new(plan.Dump, chosen);
    }

    /// <summary>Counts the pages of each class, as if all were left out that can be.</summary>
    private void Count(CancellationToken cancel)
    {
        DumpLevel all = _plan.Options.Level | (_plan.Dump.ClassificationProblem is null ? s_steps[^1] : DumpLevel.None);
        var plan = new DumpPlan(_plan.Dump, _plan.Options with { Level = all });
        var report = new DumpReport();
        ulong stride = Math.Max(1, plan.Dump.Memory.Extents.PageCount / SamplePages);
        ulong next = 0;
        using var workers = new Workers(plan);
        PlanPass.Run(plan, new(0), workers, report, new Silence(), cancel, (run, window) =>
        {
            // The pages of the kernel stand for all: they are what has to be written in any case.
            for (int at = 0; !run.IsUserData && (at = PageBits.NextSet(window.Kept, at)) < PlanWindow.Pages; at++)
            {
                if (next++ % stride == 0 && _sample.Count < SamplePages)
                    _sample.Add(window.FirstPfn + (ulong)at);
            }
        });
        _excludable.Add(report.Excluded);
        _kept = report.Remaining;
    }

    private ulong PagesAt(DumpLevel level)
    {
        ulong pages = _kept;
        if ((level & DumpLevel.Free) == 0)
            pages += _excludable[PageClass.Free];
        if ((level & DumpLevel.User) == 0)
            pages += _excludable[PageClass.User];
        if ((level & (DumpLevel.Cache | DumpLevel.CachePrivate)) == 0)
            pages += _excludable[PageClass.Cache];
        if ((level & DumpLevel.CachePrivate) == 0)
            pages += _excludable[PageClass.CachePrivate];
        return pages;
    }

    private double SecondsPerPage(PageCodec codec)
    {
        using IPageCompressor? compressor = codec == PageCodec.None ? null : PageCodecs.CreateCompressor(codec);
        CrashMemory memory = _plan.Dump.SafeMemory;
        byte[] page = new byte[memory.PageSize], packed = new byte[2 * memory.PageSize];
        long bytes = 0, started = Stopwatch.GetTimestamp();
        foreach (ulong pfn in _sample)
        {
            memory.ReadPage(pfn, page);
            int size = compressor?.Compress(page, packed) ?? 0;
            bytes += size > 0 ? size : page.Length;
        }

        double work = Stopwatch.GetElapsedTime(started).TotalSeconds / Math.Min(_threads, Environment.ProcessorCount);
        // Writing goes on beside the work of several threads.
        double write = bytes / TargetSpeed;
        return (_threads > 1 ? Math.Max(work, write) : work + write) / _sample.Count;
    }

    private sealed class Silence : IDumpObserver
    {
        public void Started(DumpStep step)
        {
        }

        public void Progress(DumpStep step, ulong done, ulong total)
        {
        }

        public void Finished(DumpStep step, TimeSpan elapsed)
        {
        }
    }
}
