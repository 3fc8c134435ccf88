using System.Buffers.Binary;
using System.Numerics;
using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Opening;
using Vmcore.Ranges;

namespace Vmcore.Picture;

/// <summary>Classifies a slice of RAM for the picture: 64 pages at once where they are
/// plain, and of blocks their first structures. One for each piece of work.</summary>
internal sealed class PictureSlice : IMemmapVisitor
{
    /// <summary>Pages of a slice; slices begin at multiples of it.</summary>
    internal const int Pages = MemmapWalk.WindowPages;

    private const int Words = Pages / 64;

    private readonly PageCoverage _coverage;
    private readonly StructPageLayout? _layout;
    private readonly MemmapWalk? _walk;
    private readonly ulong _reserved;
    private readonly ulong[] _exists;
    private readonly ulong[] _present = new ulong[Words];
    private readonly ulong[] _whole = new ulong[Words];
    private readonly ulong[] _poisoned = new ulong[Words];
    private readonly PfnRangeSet _failed;
    private PictureRegion _region = null!;
    private ulong _first;
    private int _firstCell;
    private uint[] _counts = [];
    private uint[] _presentCounts = [];
    private PictureClass _kept;
    private ulong _keptEnd;
    private ulong _lost;

    internal PictureSlice(OpenedDump dump, ulong reserved)
    {
        _coverage = dump.Coverage;
        _reserved = reserved;
        _failed = dump.Poisoned?.Pages ?? PfnRangeSet.Empty;
        if (dump.Memmap is { } memmap && dump.PageLayout is { } layout)
        {
            _layout = layout;
            _walk = new(_coverage, memmap, layout, DumpLevel.All, PfnRangeSet.Empty);
        }

        _exists = _walk?.Candidates ?? new ulong[Words];
    }

    /// <summary>Classifies pages.</summary>
    /// <param name="region">The region that they are of.</param>
    /// <param name="range">The pages: those of one slice, or a part of them.</param>
    internal void Run(PictureRegion region, PfnRange range)
    {
        _region = region;
        _first = range.Start & ~((ulong)Pages - 1);
        _firstCell = region.CellOf(range.Start);
        int cells = region.CellOf(range.End - 1) - _firstCell + 1;
        _counts = Cleared(_counts, cells * MemoryPicture.Classes);
        _presentCounts = Cleared(_presentCounts, cells);
        (_kept, _keptEnd) = (PictureClass.Kernel, 0);
        _coverage.GetPages(_first, _exists, _present);
        _present.CopyTo(_whole, 0);
        _coverage.ClearLost(_first, _whole);
        _lost = 0;
        PageBits.Fill(_poisoned, _first, _failed);
        for (int word = 0; word < Words; word++)
        {
            ulong mask = MaskOf(range, word);
            AddPresent(word, _whole[word] & mask);
            _lost += (ulong)BitOperations.PopCount(_present[word] & ~_whole[word] & mask);
            Add(word, ~_exists[word] & mask, PictureClass.Hole);
            _exists[word] &= mask;
        }

        if (_walk is not null)
            _walk.Run(_first, this);
        for (int word = 0; word < Words; word++)
            Add(word, _exists[word], PictureClass.Unknown);
    }

    /// <inheritdoc/>
    void IMemmapVisitor.TakeBlock(int start, int count, PageClass page)
    {
        PictureClass kind = page switch
        {
            PageClass.Cache => PictureClass.Cache,
            PageClass.CachePrivate => PictureClass.CachePrivate,
            PageClass.User => PictureClass.User,
            PageClass.Free => PictureClass.Free,
            PageClass.HwPoison => PictureClass.HwPoison,
            _ => PictureClass.Offline,
        };
        int end = start + count;
        for (int word = start / 64; word * 64 < end; word++)
        {
            ulong mask = _exists[word] & MaskOf(new(_first + (ulong)start, _first + (ulong)end), word);
            Add(word, mask, kind);
            _exists[word] &= ~mask;
        }
    }

    /// <inheritdoc/>
    void IMemmapVisitor.TakeWord(int word, PageWord pages, ulong valid, ulong faults)
    {
        ulong known = _exists[word] & valid;
        Add(word, pages.Cache & known, PictureClass.Cache);
        Add(word, pages.CachePrivate & known, PictureClass.CachePrivate);
        Add(word, pages.User & known, PictureClass.User);
        AddKept(word, known & ~(pages.Cache | pages.CachePrivate | pages.User));
        _exists[word] &= ~known;
    }

    /// <summary>Adds what was found to the region.</summary>
    internal void AddToRegion()
    {
        _region.Add(_firstCell, _counts, _presentCounts);
        _region.Lost += _lost;
    }

    private static uint[] Cleared(uint[] array, int length)
    {
        if (array.Length != length)
            return new uint[length];
        Array.Clear(array);
        return array;
    }

    private ulong MaskOf(PfnRange range, int word)
    {
        ulong start = _first + ((ulong)word * 64);
        PfnRange own = new PfnRange(start, start + 64).Intersect(range);
        return own.IsEmpty ? 0 : (ulong.MaxValue >> (int)(64 - own.Count)) << (int)(own.Start - start);
    }

    private void Add(int word, ulong mask, PictureClass page)
    {
        // Memory that failed is shown as such, whatever else it is.
        if ((mask & _poisoned[word]) is not 0 and var bad && page != PictureClass.HwPoison)
        {
            Add(word, bad, PictureClass.HwPoison);
            mask &= ~bad;
        }

        if (mask != 0)
            AddTo(_counts, word, mask, MemoryPicture.Classes, (int)page);
    }

    private void AddPresent(int word, ulong mask)
    {
        if (mask != 0)
            AddTo(_presentCounts, word, mask, 1, 0);
    }

    private void AddTo(uint[] counts, int word, ulong mask, int step, int offset)
    {
        ulong start = _first + ((ulong)word * 64);
        int low = _region.CellOf(start + (ulong)BitOperations.TrailingZeroCount(mask)),
            high = _region.CellOf(start + 63 - (ulong)BitOperations.LeadingZeroCount(mask));
        if (low == high)
        {
            counts[((low - _firstCell) * step) + offset] += (uint)BitOperations.PopCount(mask);
            return;
        }

        for (; mask != 0; mask &= mask - 1)
            counts[((_region.CellOf(start + (ulong)BitOperations.TrailingZeroCount(mask)) - _firstCell) * step) + offset]++;
    }

    /// <summary>Pages that stay, by what they are. Tails are of their head's kind.</summary>
    private void AddKept(int word, ulong pages)
    {
        ulong slab = 0, reserved = 0;
        for (ulong left = pages; left != 0; left &= left - 1)
        {
            int bit = BitOperations.TrailingZeroCount(left), at = (word << 6) + bit;
            ulong pfn = _first + (ulong)at;
            ReadOnlySpan<byte> page = _walk!.StructOf(at);
            if (!_walk.IsTail(page))
                _kept = KindOf(page);
            else if (pfn != _keptEnd)
                _kept = PictureClass.Kernel;
            _keptEnd = pfn + 1;
            slab |= _kept == PictureClass.Slab ? 1UL << bit : 0;
            reserved |= _kept == PictureClass.Reserved ? 1UL << bit : 0;
        }

        Add(word, slab, PictureClass.Slab);
        Add(word, reserved, PictureClass.Reserved);
        Add(word, pages & ~(slab | reserved), PictureClass.Kernel);
    }

    private PictureClass KindOf(ReadOnlySpan<byte> page)
    {
        ulong flags = BinaryPrimitives.ReadUInt64LittleEndian(page[_layout!.Flags..]);
        bool isSlab = _layout.SlabType.IsKnown
            ? _layout.SlabType.Matches(BinaryPrimitives.ReadUInt32LittleEndian(page[_layout.MapCount..]))
            : (flags & _layout.Slab) != 0;
        return isSlab ? PictureClass.Slab : (flags & _reserved) != 0 ? PictureClass.Reserved : PictureClass.Kernel;
    }
}
