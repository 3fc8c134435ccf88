using System.Runtime.InteropServices;
using Vmcore.IO;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Formats.Elf;

/// <summary>
/// The physical memory in a core file. Segments may overlap (the kernel text is there twice), may start and end inside a page,
/// and may have a tail that the file lacks; the first segment of the file that has a byte gives it.
/// </summary>
internal sealed class ElfMemory : CrashMemory
{
    private readonly ElfCoreFile _file;
    private readonly Piece[] _pieces;
    private readonly PfnRangeSet _existing;
    private readonly PfnRangeSet _present;
    private readonly PhysicalRange[] _covered;
    private readonly PhysicalRange[] _lost;
    private readonly ReadAhead? _readAhead;

    /// <summary>Indexes the file's segments.</summary>
    /// <param name="file">The core file.</param>
    /// <param name="pageShift">log2 of the page size in bytes.</param>
    public ElfMemory(ElfCoreFile file, int pageShift)
        : base(pageShift, file.Limits)
    {
        _file = file;
        _readAhead = file.Source is MappedSource { IsMapped: true } or WholeFileMapping ? null : new(file.Source);
        List<PhysicalRange> lost = [.. file.Loads.Where(static l => l.LostSize > 0).Select(static l => new PhysicalRange(
            l.PhysicalAddress + l.FileSize, l.PhysicalAddress + l.FileSize + l.LostSize))];
        _pieces = BuildPieces(file.Loads, (ulong)file.Source.Length, lost, out ulong shared);
        SharedBytes = shared;
        _lost = WithoutPieces(MergeBytes(lost));
        _existing = PfnRangeSet.From(file.Loads.Select(l => new PhysicalRange(l.PhysicalAddress, l.PhysicalEnd).ToPfns(pageShift)));
        _present = PfnRangeSet.From(_pieces.Select(p => new PhysicalRange(p.Start, p.End).ToPfns(pageShift)));
        _covered = MergeBytes(file.Loads.Select(l => new PhysicalRange(l.PhysicalAddress, l.PhysicalEnd)));
    }

    /// <summary>
    /// Bytes of memory that were left out because the file is too short to hold so many: several addresses name the same bytes. A file of some
    /// megabytes must not become a dump of terabytes.
    /// </summary>
    public ulong SharedBytes { get; }

    /// <summary>True once bytes were asked for that the file should have: it was cut before them, or gives them several addresses.</summary>
    internal bool HasLostPages { get; private set; }

    /// <inheritdoc/>
    public override ulong MaxPfn => _existing.IsEmpty ? 0 : _existing[^1].End;

    /// <inheritdoc/>
    public override PfnRangeSet Extents => _existing;

    /// <summary>The pages of which the file has at least a part.</summary>
    public PfnRangeSet Present => _present;

    /// <inheritdoc/>
    public override void GetPages(ulong firstPfn, Span<ulong> exists, Span<ulong> present)
    {
        PageBits.Fill(exists, firstPfn, _existing);
        PageBits.Fill(present, firstPfn, _present);
    }

    /// <inheritdoc/>
    public override bool HasAll(PfnRange range)
    {
        int index = _present.IndexAtOrAfter(range.Start);
        return index < _present.Count && _present[index].Start <= range.Start && _present[index].End >= range.End;
    }

    /// <inheritdoc/>
    public override ulong AbsentUntil(PfnRange range)
    {
        int index = _present.IndexAtOrAfter(range.Start);
        return index >= _present.Count ? range.End : Math.Clamp(_present[index].Start, range.Start, range.End);
    }

    /// <inheritdoc/>
    internal override ulong ZeroUntil(PfnRange range)
    {
        ulong address = range.Start << PageShift;
        int index = FindPiece(address);
        if (range.IsEmpty || index >= _pieces.Length || _pieces[index].Start > address)
            return range.Start;
        Piece piece = _pieces[index];
        long offset = (long)(piece.FileOffset + (address - piece.Start));
        ulong end = Math.Min(piece.End, address + (ulong)(_file.Source.NextData(offset) - offset));
        return Math.Clamp(end >> PageShift, range.Start, range.End);
    }

    /// <inheritdoc/>
    public override MemoryStatus Read(ulong address, Span<byte> buffer)
    {
        while (buffer.Length > 0)
        {
            int index = FindPiece(address);
            if (index >= _pieces.Length || _pieces[index].Start > address)
                return WithoutContent(new(address, address + 1));
            Piece piece = _pieces[index];
            int length = (int)Math.Min((ulong)buffer.Length, piece.End - address);
            long offset = (long)(piece.FileOffset + (address - piece.Start));
            if (_readAhead?.TryRead(offset, buffer[..length]) != true && _file.Source.Read(offset, buffer[..length]) != length)
                return MemoryStatus.Unreadable;
            buffer = buffer[length..];
            address += (ulong)length;
        }

        return MemoryStatus.Ok;
    }

    /// <inheritdoc/>
    public override int ReadPages(ulong pfn, Span<byte> pages)
    {
        ulong address = pfn << PageShift;
        int index = FindPiece(address);
        if (index >= _pieces.Length || _pieces[index].Start > address)
            return 0;
        Piece piece = _pieces[index];
        int whole = (int)(Math.Min((ulong)pages.Length, piece.End - address) >> PageShift);
        if (whole == 0)
            return 0;
        int read = _file.Source.Read((long)(piece.FileOffset + (address - piece.Start)), pages[..(whole << PageShift)]);
        return read >> PageShift;
    }

    /// <inheritdoc/>
    public override MemoryStatus ReadPage(ulong pfn, Span<byte> page)
    {
        if (ReadPages(pfn, page) == 1)
            return MemoryStatus.Ok;
        page.Clear();
        ulong address = pfn << PageShift, end = address + (ulong)PageSize;
        MemoryStatus status = WithoutContent(new(address, end));
        for (int i = FindPiece(address); i < _pieces.Length && _pieces[i].Start < end; i++)
        {
            Piece piece = _pieces[i];
            ulong from = Math.Max(piece.Start, address), to = Math.Min(piece.End, end);
            Span<byte> part = page[(int)(from - address)..(int)(to - address)];
            int read = _file.Source.Read((long)(piece.FileOffset + (from - piece.Start)), part);
            if (read == part.Length)
            {
                if (status != MemoryStatus.Unreadable)
                    status = MemoryStatus.Ok;
            }
            else
            {
                part[Math.Max(read, 0)..].Clear();
                status = MemoryStatus.Unreadable;
            }
        }

        return status;
    }

    private static PhysicalRange[] MergeBytes(IEnumerable<PhysicalRange> ranges)
    {
        List<PhysicalRange> merged = [];
        foreach (PhysicalRange range in ranges.Where(r => !r.IsEmpty).OrderBy(r => r.Start))
        {
            if (merged.Count > 0 && range.Start <= merged[^1].End)
                merged[^1] = new(merged[^1].Start, Math.Max(merged[^1].End, range.End));
            else
                merged.Add(range);
        }

        return [.. merged];
    }

    /// <summary>Cuts the segments into pieces that do not overlap; where several have a byte, the first of the file wins.</summary>
    private static Piece[] BuildPieces(IReadOnlyList<ElfSegment> loads, ulong budget, List<PhysicalRange> lost, out ulong shared)
    {
        int[] byStart = [.. Enumerable.Range(0, loads.Count).Where(i => loads[i].FileSize > 0)];
        Array.Sort(byStart, (a, b) => loads[a].PhysicalAddress != loads[b].PhysicalAddress
            ? loads[a].PhysicalAddress.CompareTo(loads[b].PhysicalAddress)
            : a.CompareTo(b));
        ulong[] bounds = new ulong[2 * byStart.Length];
        for (int i = 0; i < byStart.Length; i++)
            (bounds[2 * i], bounds[(2 * i) + 1]) = (loads[byStart[i]].PhysicalAddress, loads[byStart[i]].PhysicalAddress + loads[byStart[i]].FileSize);
        Array.Sort(bounds);
        var active = new PriorityQueue<int, int>();
        List<Piece> pieces = [];
        int next = 0;
        shared = 0;
        for (int b = 0; b + 1 < bounds.Length; b++)
        {
            ulong start = bounds[b], end = bounds[b + 1];
            if (start == end)
                continue;
            while (next < byStart.Length && loads[byStart[next]].PhysicalAddress <= start)
            {
                active.Enqueue(byStart[next], byStart[next]);
                next++;
            }

            while (active.TryPeek(out int top, out _) && loads[top].PhysicalAddress + loads[top].FileSize <= start)
                active.Dequeue();
            if (!active.TryPeek(out int winner, out _))
                continue;
            ulong offset = loads[winner].Offset + (start - loads[winner].PhysicalAddress);
            if (end - start > budget)
            {
                shared += end - start;
                lost.Add(new(start, end));
                continue;
            }

            budget -= end - start;
            Piece? last = pieces.Count > 0 ? pieces[^1] : null;
            if (last is { } l && l.End == start && l.FileOffset + (l.End - l.Start) == offset)
                pieces[^1] = l with { End = end };
            else
                pieces.Add(new(start, end, offset));
        }

        return [.. pieces];
    }

    /// <summary>Index of the piece that contains the address or, if none does, of the first one after it.</summary>
    private int FindPiece(ulong address)
    {
        int low = 0, high = _pieces.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_pieces[middle].End <= address)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }

    // What a cut took was not left out by anybody.
    private MemoryStatus WithoutContent(PhysicalRange range)
    {
        if (Overlaps(_lost, range))
        {
            HasLostPages = true;
            return MemoryStatus.Unreadable;
        }

        return Overlaps(_covered, range) ? MemoryStatus.Excluded : MemoryStatus.Hole;
    }

    // Another segment may have what was lost of one.
    private PhysicalRange[] WithoutPieces(PhysicalRange[] ranges)
    {
        List<PhysicalRange> left = [];
        foreach (PhysicalRange range in ranges)
        {
            ulong at = range.Start;
            for (int i = FindPiece(at); i < _pieces.Length && _pieces[i].Start < range.End; i++)
            {
                if (_pieces[i].Start > at)
                    left.Add(new(at, _pieces[i].Start));
                at = Math.Max(at, _pieces[i].End);
            }

            if (at < range.End)
                left.Add(new(at, range.End));
        }

        return [.. left];
    }

    private static bool Overlaps(PhysicalRange[] ranges, PhysicalRange range)
    {
        int low = 0, high = ranges.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (ranges[middle].End <= range.Start)
                low = middle + 1;
            else
                high = middle;
        }

        return low < ranges.Length && ranges[low].Start < range.End;
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Piece(ulong Start, ulong End, ulong FileOffset);
}
