using System.Runtime.InteropServices;
using Vmcore.Formats.Elf;
using Vmcore.Formats.Kdump;
using Vmcore.IO;
using Vmcore.Kernel;
using Vmcore.Memmap;

namespace Vmcore.Dumping;

/// <summary>
/// Writes a kdump-compressed dump. The header says «incomplete» from the first byte on, and only the last write takes it back: whatever
/// happens in between, a reader knows.
/// </summary>
internal sealed class KdumpDumpWriter
{
    private const int FlushBytes = 256 * 1024;

    private readonly DumpPlan _plan;
    private readonly LimitedSink _sink;
    private readonly DumpReport _report;
    private readonly PlanCache _cache;
    private readonly byte[] _notes;
    private readonly int _pageSize;
    private readonly bool _isStream;
    private readonly byte[] _reserve = new byte[FlushBytes];

    internal KdumpDumpWriter(DumpPlan plan, IByteSink sink, DumpReport report, PlanCache cache)
    {
        _plan = plan;
        _sink = new(sink, plan.Options.SizeLimit);
        _report = report;
        _cache = cache;
        _notes = DumpNotes.Build(plan);
        _pageSize = plan.Dump.Memory.PageSize;
        _isStream = sink is Formats.Flattened.FlattenedSink;
    }

    internal void Write(IDumpObserver observer, CancellationToken cancel)
    {
        // Where bitmaps and descriptors lie depends on the number of pages only through what follows them.
        var layout = new KdumpLayout(_pageSize, _plan.MaxPfn, _notes.Length, 0);
        ulong pages = 0;
        try
        {
            // The header comes first: on a full disk it could not be put in front later.
            WriteHeaders(layout, incomplete: true);
            pages = WriteBitmaps(layout, observer, cancel);
            layout = new KdumpLayout(_pageSize, _plan.MaxPfn, _notes.Length, pages);
            if (_report.End == DumpEnd.Complete)
                WritePages(layout, pages, observer, cancel);
        }
        catch (FileAccessException e) when (e.IsNoSpace)
        {
            _report.End = e is { InnerException: SizeLimitException } ? DumpEnd.SizeLimit : DumpEnd.NoSpace;
        }

        _sink.LiftLimit();
        WriteHeaders(layout, incomplete: _report.End != DumpEnd.Complete);
        _sink.Complete(Math.Max(_sink.End, layout.DataOffset));
        _report.BytesWritten = _sink.BytesWritten;
    }

    private ulong WriteBitmaps(KdumpLayout layout, IDumpObserver observer, CancellationToken cancel)
    {
        var exists = new BufferedRegion(_sink, layout.Bitmap1Offset, FlushBytes);
        var kept = new BufferedRegion(_sink, layout.Bitmap2Offset, FlushBytes);
        ulong count = 0;
        PlanPass.Run(_plan, _cache, _report, observer, cancel, window =>
        {
            long offset = (long)(window.FirstPfn / 8);
            int length = (int)Math.Min(PlanWindow.Pages / 8, layout.BitmapLength - offset);
            exists.Write(offset, MemoryMarshal.AsBytes(window.Exists.AsSpan())[..length]);
            // In a file, what is not written is zero: a machine of terabytes of which little is kept costs little.
            if (_isStream || window.Kept.AsSpan().ContainsAnyExcept(0UL))
                kept.Write(offset, MemoryMarshal.AsBytes(window.Kept.AsSpan())[..length]);
            count += (ulong)Memory.PageBits.Count(window.Kept);
        });
        exists.Flush();
        kept.Flush();
        return count;
    }

    private void WritePages(KdumpLayout layout, ulong pages, IDumpObserver observer, CancellationToken cancel)
    {
        observer.Started(DumpStep.CopyingData);
        long started = System.Diagnostics.Stopwatch.GetTimestamp();
        var descriptors = new BufferedRegion(_sink, layout.DescriptorsOffset, FlushBytes);
        byte[] zero = new byte[_pageSize];
        _sink.Write(layout.DataOffset, zero);
        long data = layout.DataOffset + _pageSize;
        ulong done = 0;
        long reserved = 0;
        byte[] block = new byte[PageDescriptor.Size * (PageBatch.Bytes / _pageSize)];
        try
        {
            new PagePipeline(_plan, _cache).Run(
                batch =>
                {
                    // Room for the descriptors, then the data: a descriptor never names what is not there, and a disk that is
                    // full by then still takes the descriptors of what fitted.
                    reserved = Reserve(layout, reserved, (long)done + batch.Count, (long)pages);
                    _sink.Write(data, batch.Packed);
                    for (int i = 0; i < batch.Count; i++)
                    {
                        bool isZero = batch.Sizes[i] == 0;
                        new PageDescriptor(isZero ? layout.DataOffset : data, isZero ? _pageSize : batch.Sizes[i], batch.Flags[i]).WriteTo(block.AsSpan(i * PageDescriptor.Size));
                        data += batch.Sizes[i];
                        if (isZero)
                            _report.Excluded[PageClass.Zero]++;
                    }

                    descriptors.Write((long)done * PageDescriptor.Size, block.AsSpan(0, batch.Count * PageDescriptor.Size));
                    _report.Unreadable += (ulong)batch.Unreadable;
                    done += (ulong)batch.Count;
                    observer.Progress(DumpStep.CopyingData, done, pages);
                    return true;
                },
                cancel);
        }
        finally
        {
            _sink.LiftLimit();
            descriptors.Flush();
        }

        if (cancel.IsCancellationRequested && done < pages)
            _report.End = DumpEnd.Cancelled;
        observer.Finished(DumpStep.CopyingData, System.Diagnostics.Stopwatch.GetElapsedTime(started));
    }

    /// <summary>Fills the room of the next descriptors with zero, so that the disk's blocks are there when it is full.</summary>
    /// <returns>Descriptors that have room.</returns>
    private long Reserve(KdumpLayout layout, long reserved, long needed, long pages)
    {
        if (_isStream || needed <= reserved)
            return reserved;
        long next = Math.Min(pages, needed + (_reserve.Length / PageDescriptor.Size));
        for (long at = reserved * PageDescriptor.Size, end = next * PageDescriptor.Size; at < end;)
        {
            int step = (int)Math.Min(end - at, _reserve.Length);
            _sink.Write(layout.DescriptorsOffset + at, _reserve.AsSpan(0, step));
            at += step;
        }

        return next;
    }

    private void WriteHeaders(KdumpLayout layout, bool incomplete)
    {
        CrashDump dump = _plan.Dump;
        Utsname? names = dump.Kernel?.Utsname;
        (int infoOffset, int infoLength) = DumpNotes.FindVmcoreInfo(_notes);
        byte[] blocks = new byte[layout.Bitmap1Offset];
        new KdumpHeader
        {
            Utsname = names is null ? UnknownNames() : new(names.SysName, names.NodeName, names.Release, names.Version, names.Machine, names.DomainName),
            TimestampSeconds = dump.Info?.CrashTime ?? 0,
            Status = (KdumpStatus)(int)_plan.Options.Codec | (incomplete ? KdumpStatus.Incomplete : 0),
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
            EndPfn = 0,
            MaxMapNr = layout.MaxMapNr,
        }.WriteTo(blocks.AsSpan((int)layout.SubHeaderOffset));
        DumpNotes.UpdateCounts(_notes, _plan, _report);
        _notes.CopyTo(blocks.AsSpan((int)layout.NotesOffset));
        _sink.Write(0, blocks);
    }

    private KdumpUtsname UnknownNames() =>
        _plan.Dump.Kdump?.Header.Utsname
        ?? new("Linux", "", _plan.Dump.Info?.OsRelease ?? "", "", _plan.Dump.Machine == ElfMachine.X86_64 ? "x86_64" : "", "");
}
