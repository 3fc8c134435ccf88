using System.Runtime.InteropServices;
using System.Text;
using Vmcore.Formats.Kdump;
using Vmcore.IO;
using Vmcore.Kernel.Identity;
using Vmcore.Opening;
using Vmcore.Ranges;

namespace Vmcore.Dumping;

/// <summary>
/// Writes a kdump-compressed dump. The header says «incomplete» from the first byte on, and only the last write takes it back: whatever
/// happens in between, a reader knows.
/// </summary>
internal sealed class KdumpDumpWriter
{
    private const int FlushBytes = 256 * 1024;

    private readonly DumpPlan _plan;
    private readonly Target[] _targets;
    private readonly DumpReport _report;
    private readonly PlanCache _cache;
    private readonly Workers _workers;
    private readonly byte[] _notes;
    private readonly byte[] _eraseInfo;
    private readonly int _pageSize;
    private readonly bool _isStream;
    private readonly byte[] _reserve = new byte[FlushBytes];
    private byte[] _ones = [];
    private DumpEnd _whyFull;

    /// <summary>Creates a writer.</summary>
    /// <param name="plan">What to dump.</param>
    /// <param name="sinks">The file, or the files of a split dump.</param>
    /// <param name="report">Receives what was done.</param>
    /// <param name="cache">Remembers the first pass.</param>
    /// <param name="workers">Do the work.</param>
    internal KdumpDumpWriter(DumpPlan plan, IReadOnlyList<IByteSink> sinks, DumpReport report, PlanCache cache, Workers workers)
    {
        _plan = plan;
        _targets = [.. sinks.Select(s => new Target(new(s, plan.Options.SizeLimit)))];
        _report = report;
        _cache = cache;
        _workers = workers;
        _notes = DumpNotes.Build(plan);
        _eraseInfo = Encoding.Latin1.GetBytes(plan.Dump.EraseInfo);
        _pageSize = plan.Dump.Memory.PageSize;
        _isStream = sinks is [Formats.Flattened.FlattenedSink];
    }

    private bool IsSplit => _targets.Length > 1;

    internal void Write(IDumpObserver observer, CancellationToken cancel)
    {
        // Where bitmaps and descriptors lie depends on the number of pages only through what follows them.
        var layout = new KdumpLayout(_pageSize, _plan.MaxPfn, _notes.Length + _eraseInfo.Length, 0);

        // The header comes first: on a full disk it could not be put in front later.
        ForEach(target => WriteHeaders(target, layout, incomplete: true));
        var split = new SplitPlan();
        ulong pages = _report.End == DumpEnd.Complete ? WriteBitmaps(layout, split, observer, cancel) : 0;
        layout = new KdumpLayout(_pageSize, _plan.MaxPfn, _notes.Length + _eraseInfo.Length, pages);
        if (_report.End == DumpEnd.Complete || (IsSplit && _report.End != DumpEnd.Cancelled))
            WritePages(layout, split, observer, cancel);
        foreach (Target target in _targets)
        {
            target.Sink.LiftLimit();
            // The parts of a split dump go together: if one lacks something, all of them say so. What the input lacked, the dump lacks too.
            WriteHeaders(target, layout, incomplete: _report.End != DumpEnd.Complete || _plan.Dump.IsIncomplete);
            if (!target.Sink.TryComplete(Math.Max(target.Sink.End, target.Part?.End ?? layout.DataOffset)))
            {
                _report.End = _report.End == DumpEnd.Complete ? DumpEnd.NoSpace : _report.End;
                WriteHeaders(target, layout, incomplete: true);
            }

            _report.BytesWritten += target.Sink.BytesWritten;
        }
    }

    /// <summary>Does something with each file that is not full. One that gets full is left alone from then on; the others go on.</summary>
    private void ForEach(Action<Target> action)
    {
        foreach (Target target in _targets)
            Try(target, action);
    }

    private void Try(Target target, Action<Target> action)
    {
        if (target.IsFull)
            return;
        try
        {
            action(target);
        }
        catch (FileAccessException e) when (e.IsNoSpace)
        {
            target.IsFull = true;
            _report.End = _whyFull = e is { InnerException: SizeLimitException } ? DumpEnd.SizeLimit : DumpEnd.NoSpace;
        }
    }

    private ulong WriteBitmaps(KdumpLayout layout, SplitPlan split, IDumpObserver observer, CancellationToken cancel)
    {
        var exists = Array.ConvertAll(_targets, t => new BufferedRegion(t.Sink, layout.Bitmap1Offset, FlushBytes));
        var kept = Array.ConvertAll(_targets, t => new BufferedRegion(t.Sink, layout.Bitmap2Offset, FlushBytes));
        using CancellationTokenSource allFull = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        ulong count = 0;
        PlanPass.Run(_plan, _cache, _workers, _report, observer, allFull.Token, (run, window) =>
        {
            if (run.IsUserData)
            {
                for (int i = 0; i < _targets.Length; i++)
                {
                    int index = i;
                    Try(_targets[i], _ => WriteUserData(run, exists[index], kept[index]));
                }

                return;
            }

            long offset = (long)(window.FirstPfn / 8);
            int length = (int)Math.Min(PlanWindow.Pages / 8, layout.BitmapLength - offset);
            for (int i = 0; i < _targets.Length; i++)
            {
                int index = i;
                Try(_targets[i], _ =>
                {
                    exists[index].Write(offset, MemoryMarshal.AsBytes(window.Exists.AsSpan())[..length]);
                    // What is not written is zero: a machine of terabytes of which little is kept costs little.
                    if (_isStream || window.Kept.AsSpan().ContainsAnyExcept(0UL))
                        kept[index].Write(offset, MemoryMarshal.AsBytes(window.Kept.AsSpan())[..length]);
                });
            }

            ulong here = (ulong)PageBits.Count(window.Kept);
            split.Add(window.FirstPfn >> PlanWindow.Shift, here);
            count += here;
            if (Array.TrueForAll(_targets, static t => t.IsFull))
                allFull.Cancel();
        });
        for (int i = 0; i < _targets.Length; i++)
        {
            int index = i;
            Try(_targets[i], _ =>
            {
                exists[index].Flush();
                kept[index].Flush();
            });
        }

        // Stopped since there is no room is not stopped by somebody.
        if (_report.End == DumpEnd.Cancelled && !cancel.IsCancellationRequested)
            _report.End = _whyFull;
        return count;
    }

    /// <summary>All pages exist and none is kept.</summary>
    private void WriteUserData(WindowRun run, BufferedRegion exists, BufferedRegion kept)
    {
        if (_ones.Length == 0)
        {
            _ones = new byte[FlushBytes];
            _ones.AsSpan().Fill(0xff);
        }

        for (long at = (long)(run.FirstPfn / 8), end = (long)(run.EndPfn / 8); at < end;)
        {
            int step = (int)Math.Min(end - at, _ones.Length);
            exists.Write(at, _ones.AsSpan(0, step));
            if (_isStream)
                kept.Write(at, _reserve.AsSpan(0, step));
            at += step;
        }
    }

    private void WritePages(KdumpLayout layout, SplitPlan split, IDumpObserver observer, CancellationToken cancel)
    {
        observer.Started(DumpStep.CopyingData);
        long started = System.Diagnostics.Stopwatch.GetTimestamp();
        (PfnRange Pfns, long Kept)[] shares = split.Share(_plan, _cache, _targets.Length, _plan.Options.SplitBlockPages);
        DuplicatePages? written = _plan.Options.ShareEqualPages ? new(_plan.CopySource) : null;
        for (int i = 0; i < _targets.Length; i++)
        {
            int index = i;
            Try(_targets[i], target =>
            {
                target.Part = new(target.Sink, _isStream, _plan.Options.IsCompressing, layout, shares[index].Pfns, shares[index].Kept, written);
                if (IsSplit)
                    WriteHeaders(target, layout, incomplete: true);
            });
        }

        ulong done = 0;
        int part = 0;
        new PagePipeline(_plan, _cache, _workers).Run(
            batch =>
            {
                int at = 0;
                for (int first = 0; first < batch.Count;)
                {
                    while (batch.Pfns[first] >= shares[part].Pfns.End)
                        part++;
                    int count = 0, length = 0;
                    for (; first + count < batch.Count && batch.Pfns[first + count] < shares[part].Pfns.End; count++)
                        length += batch.Sizes[first + count];
                    (int from, int packed) = (first, at);
                    Try(_targets[part], target => target.Part!.Write(batch, from, count, batch.Packed.Slice(packed, length), _report, _reserve));
                    first += count;
                    at += length;
                }

                _report.Unreadable += (ulong)batch.Unreadable;
                done += (ulong)batch.Count;
                observer.Progress(DumpStep.CopyingData, done, layout.DescriptorCount);
                // Where what comes next has no room, there is nothing more to read.
                return !Array.TrueForAll(_targets[part..], static t => t.IsFull);
            },
            cancel);
        foreach (Target target in _targets)
        {
            target.Sink.LiftLimit();
            bool wasFull = target.IsFull;
            target.IsFull = false;
            Try(target, t => t.Part?.Flush());
            target.IsFull |= wasFull;
        }

        if (cancel.IsCancellationRequested && !Array.TrueForAll(_targets, static t => t.IsFull || t.Part!.IsComplete))
            _report.End = DumpEnd.Cancelled;
        if (_report.End == DumpEnd.Complete)
            observer.Finished(DumpStep.CopyingData, System.Diagnostics.Stopwatch.GetElapsedTime(started));
    }

    private void WriteHeaders(Target target, KdumpLayout layout, bool incomplete)
    {
        OpenedDump dump = _plan.Dump;
        Utsname? names = dump.Kernel?.Utsname;
        (int infoOffset, int infoLength) = DumpNotes.FindVmcoreInfo(_notes);
        byte[] blocks = new byte[layout.Bitmap1Offset];
        new KdumpHeader
        {
            Utsname = (names is null ? UnknownNames() : new(names.SysName, names.NodeName, names.Release, names.Version, names.Machine, names.DomainName))
                .Complete(dump.Architecture.Name),
            TimestampSeconds = dump.VmcoreInfo?.CrashTime ?? 0,
            Status = (KdumpStatus)(int)_plan.Options.Codec | (incomplete ? KdumpStatus.Incomplete : 0)
                | (_plan.Options.ExcludeUnusedMemmap ? KdumpStatus.ExcludedVmemmap : 0),
            BlockSize = _pageSize,
            SubHeaderBlocks = layout.SubHeaderBlocks,
            BitmapBlocks = layout.BitmapBlocks,
            MaxMapNr = (uint)Math.Min(layout.MaxMapNr, uint.MaxValue),
            CpuCount = Math.Max(1, dump.Notes.Count(n => n.IsCpuStatus)),
        }.WriteTo(blocks);
        new KdumpSubHeader
        {
            PhysBase = dump.Kernel?.PhysicalBase ?? dump.Kdump?.SubHeader.PhysBase ?? 0,
            DumpLevel = (int)_plan.Options.Level | (dump.Kdump?.SubHeader.DumpLevel ?? 0),
            NotesOffset = layout.NotesOffset,
            NotesSize = _notes.Length,
            VmcoreInfoOffset = infoLength > 0 ? layout.NotesOffset + infoOffset : 0,
            VmcoreInfoSize = infoLength,
            IsSplit = IsSplit,
            StartPfn = IsSplit ? target.Part?.Pfns.Start ?? 0 : 0,
            EndPfn = IsSplit ? target.Part?.Pfns.End ?? 0 : 0,
            // Behind the notes and not behind the pages, where the tool of today puts it: a full disk cannot take it, and readers go by the offset.
            EraseInfoOffset = _eraseInfo.Length > 0 ? layout.NotesOffset + _notes.Length : 0,
            EraseInfoSize = _eraseInfo.Length,
            MaxMapNr = layout.MaxMapNr,
        }.WriteTo(blocks.AsSpan((int)layout.SubHeaderOffset));
        DumpNotes.UpdateCounts(_notes, _plan, _report);
        _notes.CopyTo(blocks.AsSpan((int)layout.NotesOffset));
        _eraseInfo.CopyTo(blocks.AsSpan((int)layout.NotesOffset + _notes.Length));
        target.Sink.Write(0, blocks);
    }

    private KdumpUtsname UnknownNames() =>
        _plan.Dump.Kdump?.Header.Utsname ?? new("Linux", "", _plan.Dump.VmcoreInfo?.OsRelease ?? "", "", "", "");

    /// <summary>One file that is written.</summary>
    private sealed class Target(LimitedSink sink)
    {
        internal LimitedSink Sink { get; } = sink;

        internal KdumpPartWriter? Part { get; set; }

        internal bool IsFull { get; set; }
    }
}
