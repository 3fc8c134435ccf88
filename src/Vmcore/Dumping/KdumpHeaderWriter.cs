using System.Text;
using Vmcore.Formats.Kdump;
using Vmcore.Kernel.Identity;
using Vmcore.Opening;
using Vmcore.Ranges;

namespace Vmcore.Dumping;

/// <summary>Writes what precedes the bitmaps of a kdump-compressed file: header, sub header, notes and the list of erased data.</summary>
internal sealed class KdumpHeaderWriter
{
    private readonly DumpRequest _request;
    private int _knownUntil;
    private readonly byte[] _notes;
    private readonly byte[] _eraseInfo;

    /// <summary>Creates a writer.</summary>
    /// <param name="request">What is dumped.</param>
    internal KdumpHeaderWriter(DumpRequest request)
    {
        _request = request;
        _notes = DumpNotes.Build(request);
        _eraseInfo = Encoding.Latin1.GetBytes(request.Dump.EraseInfo);
    }

    /// <summary>Gives the layout of a dump.</summary>
    /// <param name="pages">Pages that it has. What lies in front of the descriptors does not depend on it.</param>
    internal KdumpLayout LayoutOf(ulong pages) => new(_request.Dump.Memory.PageSize, _request.DumpedMaxPfn, _notes.Length + _eraseInfo.Length, pages);

    /// <summary>Writes the head of a file that is written in any order.</summary>
    /// <param name="sink">The file.</param>
    /// <param name="layout">Its layout.</param>
    /// <param name="part">The pages of the file if it is one of several.</param>
    /// <param name="counts">What the notes say of the dump.</param>
    /// <param name="incomplete">True to mark it incomplete.</param>
    /// <exception cref="FileAccessException">The file refused.</exception>
    internal void Write(LimitedSink sink, KdumpLayout layout, PfnRange? part, DumpCounts counts, bool incomplete) =>
        sink.Write(0, Build(layout, part, counts, incomplete));

    /// <summary>
    /// Writes of the head of a stream what is known already: all but the status and the counts. A stream has no byte twice, since readers may take either copy
    /// for good (crash does), and one that ends early is known by that it lacks its end.
    /// </summary>
    /// <param name="sink">The stream.</param>
    /// <param name="layout">Its layout.</param>
    /// <exception cref="FileAccessException">The stream refused.</exception>
    /// <remarks>May be called again where it was refused: it goes on with what the stream does not have yet.</remarks>
    internal void WriteKnown(LimitedSink sink, KdumpLayout layout)
    {
        if (_knownUntil == layout.Bitmap1Offset)
            return;
        byte[] head = Build(layout, part: null, new(_request.Dump.Limits), incomplete: false);
        int at = 0;
        foreach ((int offset, int length) in Later(layout).Append((head.Length, 0)))
        {
            if (at >= _knownUntil)
            {
                sink.Write(at, head.AsSpan(at..offset));
                _knownUntil = offset + length;
            }

            at = offset + length;
        }
    }

    /// <summary>Writes of the head of a stream what <see cref="WriteKnown"/> left.</summary>
    /// <param name="sink">The stream.</param>
    /// <param name="layout">Its layout.</param>
    /// <param name="counts">What the notes say of the dump.</param>
    /// <param name="incomplete">True to mark it incomplete.</param>
    /// <exception cref="FileAccessException">The stream refused.</exception>
    internal void WriteLater(LimitedSink sink, KdumpLayout layout, DumpCounts counts, bool incomplete)
    {
        byte[] head = Build(layout, part: null, counts, incomplete);
        foreach ((int offset, int length) in Later(layout))
            sink.Write(offset, head.AsSpan(offset, length));
    }

    private List<(int Offset, int Length)> Later(KdumpLayout layout)
    {
        List<(int Offset, int Length)> later = [(KdumpHeader.StatusOffset, sizeof(int))];
        foreach ((int offset, int length) in DumpNotes.FindCounts(_notes))
            later.Add(((int)layout.NotesOffset + offset, length));
        return later;
    }

    private byte[] Build(KdumpLayout layout, PfnRange? part, DumpCounts counts, bool incomplete)
    {
        OpenedDump dump = _request.Dump;
        Utsname? names = dump.Kernel?.Utsname;
        (int infoOffset, int infoLength) = DumpNotes.FindVmcoreInfo(_notes);
        byte[] blocks = new byte[layout.Bitmap1Offset];
        new KdumpHeader
        {
            Utsname = (names is null ? UnknownNames() : new(names.SysName, names.NodeName, names.Release, names.Version, names.Machine, names.DomainName))
                .Complete(dump.Architecture.Name),
            TimestampSeconds = dump.VmcoreInfo?.CrashTime ?? 0,
            Status = (KdumpStatus)(int)_request.Options.Codec | (incomplete ? KdumpStatus.Incomplete : 0)
                | (_request.Options.ExcludeUnusedMemmap ? KdumpStatus.ExcludedVmemmap : 0),
            BlockSize = layout.BlockSize,
            SubHeaderBlocks = layout.SubHeaderBlocks,
            BitmapBlocks = layout.BitmapBlocks,
            MaxMapNr = (uint)Math.Min(layout.MaxMapNr, uint.MaxValue),
            CpuCount = Math.Max(1, dump.Notes.Count(n => n.IsCpuStatus)),
        }.WriteTo(blocks);
        new KdumpSubHeader
        {
            PhysBase = dump.Kernel?.PhysicalBase ?? dump.Kdump?.SubHeader.PhysBase ?? 0,
            DumpLevel = (int)_request.Options.Level | (dump.Kdump?.SubHeader.DumpLevel ?? 0),
            NotesOffset = layout.NotesOffset,
            NotesSize = _notes.Length,
            VmcoreInfoOffset = infoLength > 0 ? layout.NotesOffset + infoOffset : 0,
            VmcoreInfoSize = infoLength,
            IsSplit = part is not null,
            StartPfn = part?.Start ?? 0,
            EndPfn = part?.End ?? 0,
            // Behind the notes and not behind the pages, where makedumpfile puts it: a full disk cannot take it, and readers go by the offset.
            EraseInfoOffset = _eraseInfo.Length > 0 ? layout.NotesOffset + _notes.Length : 0,
            EraseInfoSize = _eraseInfo.Length,
            MaxMapNr = layout.MaxMapNr,
        }.WriteTo(blocks.AsSpan((int)layout.SubHeaderOffset));
        DumpNotes.UpdateCounts(_notes, _request, counts);
        _notes.CopyTo(blocks.AsSpan((int)layout.NotesOffset));
        _eraseInfo.CopyTo(blocks.AsSpan((int)layout.NotesOffset + _notes.Length));
        return blocks;
    }

    private KdumpUtsname UnknownNames() =>
        _request.Dump.Kdump?.Header.Utsname ?? new("Linux", "", _request.Dump.VmcoreInfo?.OsRelease ?? "", "", "", "");
}
