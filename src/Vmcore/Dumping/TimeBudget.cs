using System.Diagnostics;
using Vmcore.Compression;
using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Ranges;

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

    /// <summary>Part of the time that counting may take. What it does not come to is reckoned to be like what it saw.</summary>
    private const double Counting = 0.25;

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

    private readonly DumpRequest _request;
    private readonly int _threads;
    private readonly List<ulong> _sample = [];
    private readonly List<ulong> _excludableSample = [];
    private readonly PageCounts _excludable = new();
    private ulong _kept;

    private TimeBudget(DumpRequest request)
    {
        _request = request;
        _threads = ThreadCount.Choose(request.Options.Threads);
    }

    /// <summary>Gives a request that fits.</summary>
    /// <param name="request">What was asked for.</param>
    /// <param name="limit">Time that there is, from now on.</param>
    /// <param name="cancel">Ends the counting early.</param>
    /// <returns>The request itself, or one with another level or codec.</returns>
    internal static DumpRequest Fit(DumpRequest request, TimeSpan limit, CancellationToken cancel)
    {
        long started = Stopwatch.GetTimestamp();
        var budget = new TimeBudget(request);
        double seen = budget.Count(limit * Counting, cancel);
        TimeSpan counted = Stopwatch.GetElapsedTime(started);
        if (cancel.IsCancellationRequested)
            return request;
        if (budget._sample.Count == 0)
            return seen < 1 ? budget.Least() : request;
        PageCodec[] codecs = request.Options.Output == DumpOutput.Elf
            ? [PageCodec.None]
            : [.. new[] { request.Options.Codec, PageCodec.Lzo, PageCodec.None }.Distinct()];
        double[] costs = [.. codecs.Select(c => budget.SecondsPerPage(c, budget._sample))];
        double[] others = budget._excludableSample.Count == 0 ? costs : [.. codecs.Select(c => budget.SecondsPerPage(c, budget._excludableSample))];
        // The dump itself goes through all pages again.
        double left = ((limit - Stopwatch.GetElapsedTime(started)).TotalSeconds * Planned) - (counted.TotalSeconds / seen);
        DumpOptions chosen = request.Options;
        foreach (DumpLevel step in request.Dump.ClassificationProblem is null ? s_steps : s_steps.AsSpan(0, 1))
        {
            ulong pages = budget.PagesAt(request.Options.Level | step);
            double[] times = [.. costs.Select((cost, i) => ((cost * budget._kept) + (others[i] * (pages - budget._kept))) / seen)];
            int fastest = Array.IndexOf(times, times.Min());
            int fits = Array.FindIndex(times, time => time <= left);
            chosen = request.Options with { Level = request.Options.Level | step, Codec = codecs[fits >= 0 ? fits : fastest] };
            if (fits >= 0)
                break;
        }

        return chosen == request.Options ? request : new(request.Dump, chosen);
    }

    /// <summary>Where there was no time to see any page of the kernel: everything is given up that can be.</summary>
    private DumpRequest Least() => new(_request.Dump, _request.Options with
    {
        Level = _request.Options.Level | (_request.Dump.ClassificationProblem is null ? s_steps[^1] : DumpLevel.None),
        Codec = _request.Options.Output == DumpOutput.Elf ? PageCodec.None : PageCodec.Lzo,
    });

    /// <summary>Counts the pages of each class, as if all were left out that can be.</summary>
    /// <param name="limit">Time after which it stops.</param>
    /// <param name="cancel">Stops it too.</param>
    /// <returns>The part of the pages that was counted, above 0 if there is a sample, at most 1.</returns>
    private double Count(TimeSpan limit, CancellationToken cancel)
    {
        DumpLevel all = _request.Options.Level | (_request.Dump.ClassificationProblem is null ? s_steps[^1] : DumpLevel.None);
        var request = new DumpRequest(_request.Dump, _request.Options with { Level = all });
        ulong stride = Math.Max(1, request.Dump.Coverage.Extents.PageCount / SamplePages);
        ulong next = 0, nextExcludable = 0;
        ulong[] excludable = new ulong[PlanWindow.Words];
        using var workers = new Workers(request.Options, new(request));
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        deadline.CancelAfter(limit > TimeSpan.Zero ? limit : TimeSpan.Zero);
        DumpPlan plan = new PlanPass(request, workers).Run(new Silence(), deadline.Token, (run, window) =>
        {
            if (!run.IsMixed)
                return true;
            Sample(_sample, window.FirstPfn, window.Kept, stride, ref next);
            // Poisoned pages, which nobody may read, and user data of pmem do not come into the sample.
            if (window.Excluded.Excluded != window.Excluded[PageClass.Free] + window.Excluded[PageClass.User]
                + window.Excluded[PageClass.Cache] + window.Excluded[PageClass.CachePrivate])
                return true;
            for (int i = 0; i < excludable.Length; i++)
                excludable[i] = window.Exists[i] & ~window.Kept[i];
            Sample(_excludableSample, window.FirstPfn, excludable, stride, ref nextExcludable);
            return true;
        });
        DumpCounts counts = plan.Counts;
        _excludable.Add(counts.Excluded);
        _kept = plan.Kept;
        if (plan.IsComplete)
            return 1;
        // User data of pmem takes no time.
        ulong total = request.Dump.Coverage.Extents.PageCount;
        ulong free = request.Options.IncludePmemUserData ? 0 : Math.Min(total - 1, request.Pmem.UserData.PageCount);
        return Math.Min(1, (counts.Original - counts.Excluded[PageClass.PmemUserData]) / (double)(total - free));
    }

    private static void Sample(List<ulong> sample, ulong firstPfn, ulong[] pages, ulong stride, ref ulong next)
    {
        for (int at = 0; (at = PageBits.NextSet(pages, at)) < PlanWindow.Pages; at++)
        {
            if (next++ % stride == 0 && sample.Count < SamplePages)
                sample.Add(firstPfn + (ulong)at);
        }
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

    private double SecondsPerPage(PageCodec codec, List<ulong> sample)
    {
        using IPageCompressor? compressor = codec == PageCodec.None ? null : PageCodecs.CreateCompressor(codec);
        CrashMemory memory = _request.CopySource;
        byte[] page = new byte[memory.PageSize], packed = new byte[2 * memory.PageSize];
        long bytes = 0, started = Stopwatch.GetTimestamp();
        foreach (ulong pfn in sample)
        {
            memory.ReadPage(pfn, page);
            int size = compressor?.Compress(page, packed) ?? 0;
            bytes += size > 0 ? size : page.Length;
        }

        double work = Stopwatch.GetElapsedTime(started).TotalSeconds / Math.Min(_threads, Environment.ProcessorCount);
        // Writing goes on beside the work of several threads.
        double write = bytes / TargetSpeed;
        return (_threads > 1 ? Math.Max(work, write) : work + write) / sample.Count;
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
