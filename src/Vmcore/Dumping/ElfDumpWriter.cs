using System.Buffers.Binary;
using System.Diagnostics;
using Vmcore.Formats.Elf;
using Vmcore.IO;
using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Opening;
using Vmcore.Ranges;

namespace Vmcore.Dumping;

/// <summary>Writes a dump as an ELF core file. Like the other writer it marks the file incomplete until the last write.</summary>
internal sealed class ElfDumpWriter
{
    private readonly DumpPlan _plan;
    private readonly LimitedSink _sink;
    private readonly DumpReport _report;
    private readonly PlanCache _cache;
    private readonly Workers _workers;
    private readonly CrashMemory _memory;
    private readonly byte[] _notes;
    private readonly bool _fillGaps;
    private readonly WindowClassifier _classifier;
    private readonly PlanWindow _window = new();
    private readonly ZeroPageFilter _zero;
    private ulong _loaded = ulong.MaxValue;

    internal ElfDumpWriter(DumpPlan plan, IByteSink sink, DumpReport report, PlanCache cache, Workers workers)
    {
        _plan = plan;
        _sink = new(sink, plan.Options.SizeLimit);
        _report = report;
        _cache = cache;
        _workers = workers;
        _memory = plan.CopySource;
        _notes = DumpNotes.Build(plan);
        _fillGaps = !sink.GapsReadAsZero;
        _classifier = plan.CreateClassifier();
        _zero = new(_memory);
    }

    private bool DropsZero => (_plan.Options.Level & DumpLevel.Zero) != 0;

    /// <summary>Finds out whether an ELF dump can be made, before anything is written.</summary>
    /// <param name="dump">The input.</param>
    /// <exception cref="MissingInformationException">It cannot.</exception>
    internal static void Check(OpenedDump dump)
    {
        const ulong MostOverlap = 64;
        if (dump.Loads.Count == 0 || dump.Elf is not { } elf)
            throw new MissingInformationException($"{dump.Name}: an ELF dump can only be made of an ELF file; leave out -E");
        // Each PT_LOAD is cut by itself, so the work grows with how often they overlap: a few times in a file that a tool wrote.
        ulong total = 0, file = (ulong)elf.Source.Length;
        foreach (ElfSegment load in dump.Loads)
            total += load.FileSize;
        if (total / MostOverlap > file)
            throw new MissingInformationException($"{dump.Name}: the PT_LOADs overlap: "
                + $"they name {total} bytes of a file of {file}; an ELF dump of it cannot be made: leave out -E");
    }

    internal void Write(IDumpObserver observer, CancellationToken cancel)
    {
        PlanPass.Run(_plan, _cache, _workers, _report, observer, cancel, DropZeroPages);
        var cut = new ElfSegmentPlan(KeptOf, _memory.PageShift);
        List<ElfSegment> segments = [];
        foreach (ElfSegment load in _plan.Dump.Loads)
        {
            if (_report.End == DumpEnd.Complete)
                segments.AddRange(cut.Cut(load));
            else
                segments.Add(load with { Offset = 0, FileSize = 0 }); // Stopped before it was known what stays: readers still learn what memory there was.
        }

        _report.ExcludedInElf = cut.LeftOut;
        List<ElfSegment> blocks = ElfDataLayout.Place(segments, NotesOffset(segments.Count + 1) + _notes.Length, _memory.PageSize);
        try
        {
            WriteHeaders(segments, incomplete: true);
            if (_report.End == DumpEnd.Complete)
                CopyData(blocks, cut, observer, cancel);
        }
        catch (FileAccessException e) when (e.IsNoSpace)
        {
            _report.End = e is { InnerException: SizeLimitException } ? DumpEnd.SizeLimit : DumpEnd.NoSpace;
        }

        _sink.LiftLimit();
        if (_report.End != DumpEnd.Complete)
            CutTo(segments, (ulong)_sink.End);
        WriteHeaders(segments, incomplete: _report.End != DumpEnd.Complete || _plan.Dump.IsIncomplete);
        long length = blocks.Count == 0 ? 0 : (long)(blocks[^1].Offset + blocks[^1].FileSize);
        if (!_sink.TryComplete(_report.End == DumpEnd.Complete ? Math.Max(length, _sink.End) : _sink.End))
        {
            _report.End = _report.End == DumpEnd.Complete ? DumpEnd.NoSpace : _report.End;
            WriteHeaders(segments, incomplete: true);
        }

        _report.BytesWritten = _sink.BytesWritten;
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

    private void DropZeroPages(WindowRun run, PlanWindow window)
    {
        if (run.IsUserData)
            return;
        if (DropsZero)
            window.Excluded[PageClass.Zero] += _zero.Clear(window);
        _report.Excluded[PageClass.Zero] += window.Excluded[PageClass.Zero];
    }

    private ulong[] KeptOf(ulong number)
    {
        if (_loaded == number)
            return _window.Kept;
        if (!_cache.TryGet(number, _window.Kept))
        {
            _classifier.Classify(number, _window);
            if (DropsZero)
                _zero.Clear(_window);
        }

        _loaded = number;
        return _window.Kept;
    }

    private static long NotesOffset(int headers) =>
        ElfConstants.HeaderSize + ((long)headers * ElfConstants.ProgramHeaderSize) + (IsExtended(headers) ? ElfConstants.SectionHeaderSize : 0);

    private static bool IsExtended(int headers) => headers >= ElfConstants.ExtendedNumbering;

    private void WriteHeaders(List<ElfSegment> segments, bool incomplete)
    {
        int count = segments.Count + 1;
        bool extended = IsExtended(count);
        long notes = NotesOffset(count);
        byte[] head = new byte[notes + _notes.Length];
        "\u007fELF\u0002\u0001\u0001"u8.CopyTo(head);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(16), ElfConstants.TypeCore);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(18), (ushort)_plan.Dump.Architecture.Machine);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(20), 1);
        BinaryPrimitives.WriteUInt64LittleEndian(head.AsSpan(32), ElfConstants.HeaderSize);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(48), incomplete ? ElfConstants.FlagIncomplete : 0);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(52), ElfConstants.HeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(54), ElfConstants.ProgramHeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(56), extended ? ElfConstants.ExtendedNumbering : (ushort)count);
        if (extended)
        {
            long section = ElfConstants.HeaderSize + ((long)count * ElfConstants.ProgramHeaderSize);
            BinaryPrimitives.WriteUInt64LittleEndian(head.AsSpan(40), (ulong)section);
            BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(58), ElfConstants.SectionHeaderSize);
            BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(60), 1);
            BinaryPrimitives.WriteUInt64LittleEndian(head.AsSpan((int)section + 32), 1);
            BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan((int)section + 44), (uint)count);
        }

        DumpNotes.UpdateCounts(_notes, _plan, _report);
        ulong size = (ulong)_notes.Length;
        WriteSegment(head, 0, new(ElfConstants.NoteSegment, 0, (ulong)notes, 0, 0, size, size, 0));
        for (int i = 0; i < segments.Count; i++)
            WriteSegment(head, i + 1, segments[i]);
        _notes.CopyTo(head.AsSpan((int)notes));
        _sink.Write(0, head);
    }

    private static void WriteSegment(byte[] head, int index, ElfSegment segment)
    {
        Span<byte> entry = head.AsSpan(ElfConstants.HeaderSize + (index * ElfConstants.ProgramHeaderSize));
        BinaryPrimitives.WriteUInt32LittleEndian(entry, segment.Type);
        BinaryPrimitives.WriteUInt32LittleEndian(entry[4..], segment.Flags);
        BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], segment.Offset);
        BinaryPrimitives.WriteUInt64LittleEndian(entry[16..], segment.VirtualAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(entry[24..], segment.PhysicalAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(entry[32..], segment.FileSize);
        BinaryPrimitives.WriteUInt64LittleEndian(entry[40..], segment.MemorySize);
        BinaryPrimitives.WriteUInt64LittleEndian(entry[48..], segment.Align);
    }

    private void CopyData(List<ElfSegment> blocks, ElfSegmentPlan cut, IDumpObserver observer, CancellationToken cancel)
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
                if (block.Piece.IsGap)
                    _sink.Write(block.Piece.Offset, block.Bytes);
                else
                    _sink.WriteSparse(block.Piece.Offset, block.Bytes);
                _report.Unreadable += block.Unreadable;
                ulong done = (ulong)(block.Piece.Offset + block.Piece.Length) - start;
                observer.Progress(DumpStep.CopyingData, done >> _memory.PageShift, total >> _memory.PageShift);
                return true;
            });
        if (cancel.IsCancellationRequested)
            _report.End = DumpEnd.Cancelled;
        else
            observer.Finished(DumpStep.CopyingData, Stopwatch.GetElapsedTime(started));
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
                    ulong length = Math.Min((isGap ? run.Start : run.End) - at, ElfBlock.MostBytes - (at & (ulong)(_memory.PageSize - 1)));
                    yield return new((long)(segment.Offset + (at - segment.PhysicalAddress)), at, (int)length, isGap);
                    at += length;
                }

                written = run.End;
            }
        }
    }
}
