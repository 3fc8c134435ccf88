using System.Diagnostics;
using Vmcore.Formats.Elf;
using Vmcore.Formats.Flattened;
using Vmcore.IO;
using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Dumping;

/// <summary>Writes a dump as an ELF core file. Like the other writer it marks the file incomplete until the last write.</summary>
internal sealed class ElfDumpWriter : IDumpWriter
{
    private readonly DumpRequest _request;
    private readonly LimitedSink _sink;
    private readonly Classifiers _classifiers;
    private readonly Workers _workers;
    private readonly CrashMemory _memory;
    private readonly byte[] _notes;
    private readonly bool _fillGaps;
    private readonly bool _isStream;

    /// <summary>Creates a writer.</summary>
    /// <param name="request">What is dumped.</param>
    /// <param name="sink">The file.</param>
    /// <param name="classifiers">Decide again what the plan does not remember.</param>
    /// <param name="workers">Do the work.</param>
    internal ElfDumpWriter(DumpRequest request, IByteSink sink, Classifiers classifiers, Workers workers)
    {
        _request = request;
        _isStream = sink is FlattenedSink;
        _sink = new(sink, request.Options.SizeLimit, ascends: _isStream);
        _classifiers = classifiers;
        _workers = workers;
        _memory = request.CopySource;
        _notes = DumpNotes.Build(request);
        _fillGaps = !sink.GapsReadAsZero;
    }

    /// <inheritdoc/>
    public long BytesWritten => _sink.BytesWritten;

    /// <inheritdoc/>
    public bool Begin() => true; // How long the headers are, the plan says.

    /// <inheritdoc/>
    public bool Take(WindowRun run, PlanWindow window) => true;

    /// <inheritdoc/>
    public DumpEnd Write(DumpPlan plan, IDumpObserver observer, CancellationToken cancel)
    {
        DumpEnd end = plan.IsComplete ? DumpEnd.Complete : DumpEnd.Cancelled;
        bool dropsZero = (_request.Options.Level & DumpLevel.Zero) != 0;
        var cut = new ElfSegmentPlan(new(plan, _classifiers, dropsZero ? new(_memory) : null), _memory.PageShift);
        List<ElfSegment> segments = [];
        foreach (ElfSegment load in _request.Dump.Loads)
        {
            if (end == DumpEnd.Complete)
                segments.AddRange(cut.Cut(load));
            else
                segments.Add(load with { Offset = 0, FileSize = 0 }); // Stopped before it was known what stays: readers still learn what memory there was.
        }

        plan.Counts.ExcludedInElf = cut.LeftOut;
        // Room for the headers that pages which cannot be read make necessary.
        List<ElfSegment> blocks = ElfDataLayout.Place(
            segments, ElfHeaderWriter.NotesOffset(segments.Count + ElfLostPages.SpareHeaders) + _notes.Length, _memory.PageSize);
        try
        {
            if (_isStream)
                WriteKnown(segments);
            else
                WriteHead(segments, plan.Counts, incomplete: true);
            if (end == DumpEnd.Complete)
                end = CopyData(blocks, cut, plan.Counts, observer, cancel);
        }
        catch (FileAccessException e) when (e.IsNoSpace)
        {
            end = LimitedSink.Reason(e);
        }

        return Finish(plan, segments, blocks, end);
    }

    private DumpEnd Finish(DumpPlan plan, List<ElfSegment> segments, List<ElfSegment> blocks, DumpEnd end)
    {
        _sink.LiftLimit();
        int before = segments.Count;
        if (end != DumpEnd.Complete)
            CutTo(segments, (ulong)_sink.End);
        if (plan.Counts.Lost.Count > 0)
            segments = ElfLostPages.Cut(segments, plan.Counts.Lost.Ranges, before + ElfLostPages.SpareHeaders, _memory.PageShift);
        bool incomplete = end != DumpEnd.Complete || plan.Counts.Lost.Count > 0;
        long length = blocks.Count == 0 ? 0 : (long)(blocks[^1].Offset + blocks[^1].FileSize);
        try
        {
            // Where segments have changed, also a stream must say so; it is marked incomplete in both places.
            if (_isStream && !incomplete)
                WriteLater(segments, plan.Counts, _request.Dump.IsIncomplete);
            else
                WriteHead(segments, plan.Counts, incomplete || _request.Dump.IsIncomplete);
            if (_sink.TryComplete(end == DumpEnd.Complete ? Math.Max(length, _sink.End) : _sink.End))
                return end;
            if (!_isStream)
                WriteHead(segments, plan.Counts, incomplete: true);
        }
        catch (FileAccessException e) when (e.IsNoSpace && _isStream)
        {
            // A stream that has no room for its end is known by that to be cut.
        }

        return end == DumpEnd.Complete ? _sink.Refusal : end;
    }

    private byte[] BuildHead(List<ElfSegment> segments, DumpCounts counts, bool incomplete)
    {
        DumpNotes.UpdateCounts(_notes, _request, counts);
        return ElfHeaderWriter.Build(_request.Dump.Architecture.Machine, segments, _notes, incomplete);
    }

    private void WriteHead(List<ElfSegment> segments, DumpCounts counts, bool incomplete) =>
        _sink.Write(0, BuildHead(segments, counts, incomplete));

    /// <summary>Writes of the head of a stream what is known already: a stream has no byte twice, since readers may take either copy for good.</summary>
    private void WriteKnown(List<ElfSegment> segments)
    {
        byte[] head = BuildHead(segments, new(_request.Dump.Limits), incomplete: false);
        int at = 0;
        foreach ((int offset, int length) in Later(segments))
        {
            _sink.Write(at, head.AsSpan(at..offset));
            at = offset + length;
            _sink.Leave(at);
        }

        _sink.Write(at, head.AsSpan(at));
    }

    private void WriteLater(List<ElfSegment> segments, DumpCounts counts, bool incomplete)
    {
        byte[] head = BuildHead(segments, counts, incomplete);
        foreach ((int offset, int length) in Later(segments))
            _sink.Write(offset, head.AsSpan(offset, length));
    }

    /// <summary>What is known when the dump is written: the flag and the counts.</summary>
    private List<(int Offset, int Length)> Later(List<ElfSegment> segments)
    {
        int notes = (int)ElfHeaderWriter.NotesOffset(segments.Count);
        List<(int Offset, int Length)> later = [(ElfHeaderWriter.FlagsOffset, sizeof(int))];
        foreach ((int offset, int length) in DumpNotes.FindCounts(_notes))
            later.Add((notes + offset, length));
        return later;
    }

    /// <summary>
    /// Segments end where the dump was cut. Beyond it a device has what it had before; and of a file some readers take for zero what is behind its end,
    /// or what a segment has in memory only. What is not named, all of them miss. Where there is no content at all, it still says what memory there was.
    /// </summary>
    /// <param name="segments">The segments. They keep their offsets: by that of the first, crash knows the size of the headers.</param>
    /// <param name="end">One past the last byte of the file.</param>
    private static void CutTo(List<ElfSegment> segments, ulong end)
    {
        bool hasContent = segments.Exists(s => s.FileSize > 0 && s.Offset < end);
        for (int i = 0; i < segments.Count; i++)
        {
            ulong there = end - Math.Min(end, segments[i].Offset);
            if (there < segments[i].FileSize)
                segments[i] = segments[i] with { FileSize = there, MemorySize = hasContent ? there : segments[i].MemorySize };
        }
    }

    private DumpEnd CopyData(List<ElfSegment> blocks, ElfSegmentPlan cut, DumpCounts counts, IDumpObserver observer, CancellationToken cancel)
    {
        observer.Started(DumpStep.CopyingData);
        long started = Stopwatch.GetTimestamp();
        ulong start = blocks.Count == 0 ? 0 : blocks[0].Offset;
        ulong total = blocks.Count == 0 ? 0 : blocks[^1].Offset + blocks[^1].FileSize - start;
        using IEnumerator<ElfPiece> pieces = Pieces(blocks, cut).GetEnumerator();
        _workers.RunInOrder<ElfBlock>(
            () => new(_memory),
            block =>
            {
                if (cancel.IsCancellationRequested || !pieces.MoveNext())
                    return false;
                block.Piece = pieces.Current;
                return true;
            },
            block =>
            {
                if (cancel.IsCancellationRequested)
                    return false;
                WriteBlock(block);
                foreach (ulong pfn in block.Unreadable)
                    counts.Lost.Add(pfn);
                ulong done = (ulong)(block.Piece.Offset + block.Piece.Length) - start;
                observer.Progress(DumpStep.CopyingData, done >> _memory.PageShift, total >> _memory.PageShift);
                return true;
            });
        if (cancel.IsCancellationRequested)
            return DumpEnd.Cancelled;
        observer.Finished(DumpStep.CopyingData, Stopwatch.GetElapsedTime(started));
        return DumpEnd.Complete;
    }

    /// <summary>Writes a block but for the pages that could not be read: the headers will not name them, and a stream has a gap there.</summary>
    private void WriteBlock(ElfBlock block)
    {
        ElfPiece piece = block.Piece;
        if (piece.IsGap)
        {
            _sink.Write(piece.Offset, block.Bytes);
            return;
        }

        int at = 0;
        foreach (ulong pfn in block.Unreadable)
        {
            var page = new PfnRange(pfn, pfn + 1);
            PhysicalRange bytes = page.ToPhysical(_memory.PageShift).Intersect(new(piece.Address, piece.Address + (ulong)piece.Length));
            int from = (int)(bytes.Start - piece.Address), to = (int)(bytes.End - piece.Address);
            _sink.WriteSparse(piece.Offset + at, block.Bytes[at..from]);
            _sink.Leave(piece.Offset + to);
            at = to;
        }

        _sink.WriteSparse(piece.Offset + at, block.Bytes[at..]);
    }

    /// <summary>What the dump has of memory, in the order of the file; what is left out between it only where a gap does not read as zero.</summary>
    private IEnumerable<ElfPiece> Pieces(List<ElfSegment> blocks, ElfSegmentPlan cut)
    {
        foreach (ElfSegment segment in blocks)
        {
            ulong written = segment.PhysicalAddress;
            foreach (PhysicalRange run in cut.KeptRuns(segment))
            {
                for (ulong at = _fillGaps ? written : run.Start; at < run.End;)
                {
                    bool isGap = at < run.Start;
                    // Blocks begin and end with pages, as far as the run does.
                    ulong length = Math.Min((isGap ? run.Start : run.End) - at, ElfBlock.Capacity - (at & (ulong)(_memory.PageSize - 1)));
                    yield return new((long)(segment.Offset + (at - segment.PhysicalAddress)), at, (int)length, isGap);
                    at += length;
                }

                written = run.End;
            }
        }
    }
}
