using System.Diagnostics;
using Vmcore.Formats.Flattened;
using Vmcore.Formats.Kdump;
using Vmcore.IO;
using Vmcore.Ranges;

namespace Vmcore.Dumping;

/// <summary>
/// Writes a kdump-compressed dump, in one file or in parts: the order in which its pieces go out. The header says «incomplete» from the first byte on, and
/// only the last write takes it back: whatever happens in between, a reader knows. A stream, in which no byte is written twice, says it by having no end.
/// </summary>
internal sealed class KdumpDumpWriter : IDumpWriter
{
    private const int ReserveBytes = 256 * 1024;

    private readonly DumpRequest _request;
    private readonly DumpTargets _targets;
    private readonly Workers _workers;
    private readonly Classifiers _classifiers;
    private readonly KdumpHeaderWriter _headers;
    private readonly KdumpBitmapWriter _bitmaps;
    private readonly KdumpPartWriter?[] _parts;
    private readonly byte[] _reserve = new byte[ReserveBytes];
    private readonly bool _isStream;

    /// <summary>Creates a writer.</summary>
    /// <param name="request">What is dumped.</param>
    /// <param name="sinks">The file, or the files of a split dump.</param>
    /// <param name="classifiers">Decide again what the plan does not remember.</param>
    /// <param name="workers">Do the work.</param>
    internal KdumpDumpWriter(DumpRequest request, IReadOnlyList<IByteSink> sinks, Classifiers classifiers, Workers workers)
    {
        _request = request;
        _targets = new(sinks, request.Options.SizeLimit);
        _workers = workers;
        _classifiers = classifiers;
        _isStream = sinks is [FlattenedSink];
        _headers = new(request);
        // Where bitmaps and descriptors lie depends on the number of pages only through what follows them.
        _bitmaps = new(_targets, _headers.LayoutOf(0), _isStream);
        _parts = new KdumpPartWriter?[sinks.Count];
    }

    /// <inheritdoc/>
    public long BytesWritten { get; private set; }

    private bool IsSplit => _targets.Count > 1;

    /// <inheritdoc/>
    public bool Begin()
    {
        KdumpLayout layout = _headers.LayoutOf(0);
        if (_isStream)
            _targets.ForEach((target, _) => _headers.WriteKnown(target.Sink, layout));
        else
            _targets.ForEach((_, i) => WriteHead(i, layout, new(_request.Dump.Limits), incomplete: true));
        return !_targets.AreFull;
    }

    /// <inheritdoc/>
    public bool Take(WindowRun run, PlanWindow window)
    {
        _bitmaps.Write(run, window);
        return !_targets.AreFull;
    }

    /// <inheritdoc/>
    public DumpEnd Write(DumpPlan plan, IDumpObserver observer, CancellationToken cancel)
    {
        _bitmaps.Flush();
        KdumpLayout layout = _headers.LayoutOf(plan.Kept);
        // Stopped since there is no room is not stopped by somebody.
        DumpEnd end = !plan.IsComplete && !_targets.AreFull ? DumpEnd.Cancelled : _targets.End;
        if (end != DumpEnd.Cancelled && !_targets.AreFull)
            end = WritePages(plan, layout, observer, cancel);
        return Finish(plan, layout, end);
    }

    private DumpEnd WritePages(DumpPlan plan, KdumpLayout layout, IDumpObserver observer, CancellationToken cancel)
    {
        observer.Started(DumpStep.CopyingData);
        long started = Stopwatch.GetTimestamp();
        var windows = new KeptWindows(plan, _classifiers, zero: null);
        (PfnRange Pfns, long Kept)[] shares = plan.Shares.Share(layout.MaxMapNr, windows, _targets.Count, _request.Options.SplitBlockPages);
        DuplicatePages? written = _request.Options.ShareEqualPages ? new(_request.CopySource) : null;
        long[] ranks = new long[shares.Length];
        for (int i = 1; i < shares.Length; i++)
            ranks[i] = ranks[i - 1] + shares[i - 1].Kept;
        _targets.ForEach((target, i) =>
        {
            _parts[i] = new(target.Sink, _isStream, _request.Options.IsCompressing, layout, shares[i].Pfns, shares[i].Kept, written)
            {
                FirstRank = ranks[i],
            };
            _parts[i]!.Reserve(_reserve);
            if (IsSplit)
                WriteHead(i, layout, plan.Counts, incomplete: true);
        });

        ulong done = 0;
        int part = 0;
        // In a stream the descriptors come before the pages that they name, and in their order.
        WorthOrder order = _isStream ? WorthOrder.None : WorthFinder.Find(_request.Dump);
        new PagePipeline(_request, plan, windows, order, _workers).Run(
            batch =>
            {
                int at = 0;
                for (int first = 0; first < batch.Count;)
                {
                    int last = part;
                    part = PartOf(shares, batch.Pfns[first]);
                    if (part != last)
                        written?.Clear();
                    int count = 0, length = 0;
                    for (; first + count < batch.Count && shares[part].Pfns.Contains(batch.Pfns[first + count]); count++)
                        length += batch.Sizes[first + count];
                    (int from, int packed) = (first, at);
                    _targets.Try(part, _ => _parts[part]!.Write(batch, from, count, batch.Packed.Slice(packed, length), plan.Counts));
                    first += count;
                    at += length;
                }

                done += (ulong)batch.Count;
                observer.Progress(DumpStep.CopyingData, done, layout.DescriptorCount);
                // Where what comes next has no room, there is nothing more to read.
                return !_targets.AreFullFrom(batch.IsOrdered ? part : 0);
            },
            cancel);
        for (int i = 0; i < _targets.Count; i++)
            FlushPart(i);
        if (cancel.IsCancellationRequested && !AreDone())
            return DumpEnd.Cancelled;
        if (_targets.End == DumpEnd.Complete)
            observer.Finished(DumpStep.CopyingData, Stopwatch.GetElapsedTime(started));
        return _targets.End;
    }

    private static int PartOf((PfnRange Pfns, long Kept)[] shares, ulong pfn)
    {
        int part = 0;
        while (pfn >= shares[part].Pfns.End)
            part++;
        return part;
    }

    /// <summary>Writes the descriptors of what fitted, also into a file that is full: their room is reserved.</summary>
    private void FlushPart(int index)
    {
        DumpTarget target = _targets[index];
        target.Sink.LiftLimit();
        bool wasFull = target.IsFull;
        target.IsFull = false;
        _targets.Try(index, _ => _parts[index]?.Flush());
        target.IsFull |= wasFull;
    }

    private bool AreDone()
    {
        for (int i = 0; i < _targets.Count; i++)
        {
            if (!_targets[i].IsFull && !_parts[i]!.IsComplete)
                return false;
        }

        return true;
    }

    private DumpEnd Finish(DumpPlan plan, KdumpLayout layout, DumpEnd end)
    {
        for (int i = 0; i < _targets.Count; i++)
        {
            LimitedSink sink = _targets[i].Sink;
            sink.LiftLimit();
            // The parts of a split dump go together: if one lacks something, all of them say so. What the input lacked, the dump lacks too.
            bool incomplete = end != DumpEnd.Complete || plan.Counts.Lost.Count > 0 || _request.Dump.IsIncomplete;
            bool done = _isStream
                ? TryFinishStream(sink, plan, layout, incomplete)
                : TryFinishFile(i, plan, layout, incomplete);
            if (!done)
                end = end == DumpEnd.Complete ? sink.Refusal : end;

            BytesWritten += sink.BytesWritten;
        }

        return end;
    }

    private bool TryFinishFile(int index, DumpPlan plan, KdumpLayout layout, bool incomplete)
    {
        LimitedSink sink = _targets[index].Sink;
        WriteHead(index, layout, plan.Counts, incomplete);
        if (sink.TryComplete(Math.Max(sink.End, _parts[index]?.End ?? layout.DataOffset)))
            return true;
        WriteHead(index, layout, plan.Counts, incomplete: true);
        return false;
    }

    /// <summary>A stream that has no room for its end is known by that to be cut.</summary>
    private bool TryFinishStream(LimitedSink sink, DumpPlan plan, KdumpLayout layout, bool incomplete)
    {
        try
        {
            // A stream that was full before its head was through gets the rest of it: what there is can then be opened.
            _headers.WriteKnown(sink, layout);
            _headers.WriteLater(sink, layout, plan.Counts, incomplete);
        }
        catch (FileAccessException e) when (e.IsNoSpace)
        {
            sink.Refused(e);
            return false;
        }

        return sink.TryComplete(Math.Max(sink.End, _parts[0]?.End ?? layout.DataOffset));
    }

    private void WriteHead(int index, KdumpLayout layout, DumpCounts counts, bool incomplete) =>
        _headers.Write(_targets[index].Sink, layout, IsSplit ? _parts[index]?.Pfns ?? default(PfnRange) : null, counts, incomplete);
}
