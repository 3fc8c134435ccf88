using System.Buffers.Binary;
using System.Numerics;
using Vmcore.Memmap;
using Vmcore.Memory;

namespace Vmcore.Picture;

/// <summary>Classifies a slice of RAM for the picture: 64 pages at once where they are plain, and of blocks their first structures. One for each piece of work.</summary>
internal sealed class PictureSlice
{
    /// <summary>Pages of a slice; slices begin at multiples of it.</summary>
    internal const int Pages = 1 << 15;

    private const int Words = Pages / 64;

    // 32 KiB of memmap, one huge page: where larger blocks follow on each other, no more than their first structures are read.
    private const int ChunkPages = 512;

    private readonly CrashMemory _memory;
    private readonly MemmapReader? _memmap;
    private readonly StructPageLayout? _layout;
    private readonly PageClassifier? _classifier;
    private readonly PageWordClassifier? _words;
    private readonly ulong _reserved;
    private readonly byte[] _structs = [];
    private readonly byte[] _pair = [];
    private readonly ulong[] _exists = new ulong[Words];
    private readonly ulong[] _present = new ulong[Words];
    private readonly ulong[] _valid = new ulong[(ChunkPages / 64) + 1];
    private readonly ulong[] _faults = new ulong[(ChunkPages / 64) + 1];
    private PictureRegion _region = null!;
    private ulong _first;
    private int _firstCell;
    private uint[] _counts = [];
    private uint[] _presentCounts = [];
    private bool _followsBlock;
    private PictureClass _kept;
    private ulong _keptEnd;

    internal PictureSlice(CrashDump dump, ulong reserved)
    {
        _memory = dump.Memory;
        _reserved = reserved;
        if (dump.Memmap is not { } memmap || dump.PageLayout is not { } layout)
            return;
        _memmap = memmap;
        _layout = layout;
        _classifier = new(layout, DumpLevel.All);
        _words = PageWordClassifier.TryCreate(layout, DumpLevel.All);
        _structs = new byte[(ChunkPages + 1) * layout.Size];
        _pair = new byte[2 * layout.Size];
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
        (_followsBlock, _kept, _keptEnd) = (false, PictureClass.Kernel, 0);
        _memory.GetPages(_first, _exists, _present);
        for (int word = 0; word < Words; word++)
        {
            ulong mask = MaskOf(range, word);
            AddPresent(word, _present[word] & mask);
            Add(word, ~_exists[word] & mask, PictureClass.Hole);
            _exists[word] &= mask;
        }

        for (int chunk = 0; chunk < Words; chunk += ChunkPages / 64)
        {
            if (_exists.AsSpan(chunk, ChunkPages / 64).ContainsAnyExcept(0UL) && !(_followsBlock && IsBlock(chunk)))
                ClassifyChunk(chunk);
        }
    }

    /// <summary>Adds what was found to the region.</summary>
    internal void AddToRegion() => _region.Add(_firstCell, _counts, _presentCounts);

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
        int low = _region.CellOf(start + (ulong)BitOperations.TrailingZeroCount(mask)), high = _region.CellOf(start + 63 - (ulong)BitOperations.LeadingZeroCount(mask));
        if (low == high)
        {
            counts[((low - _firstCell) * step) + offset] += (uint)BitOperations.PopCount(mask);
            return;
        }

        for (; mask != 0; mask &= mask - 1)
            counts[((_region.CellOf(start + (ulong)BitOperations.TrailingZeroCount(mask)) - _firstCell) * step) + offset]++;
    }

    /// <summary>Looks at a chunk's first structures only: a block of the size of the chunk needs no more.</summary>
    private bool IsBlock(int chunk)
    {
        ulong pfn = _first + ((ulong)chunk * 64);
        if ((_exists[chunk] & 1) == 0 || _classifier is null || !_memmap!.TryReadPair(pfn, _pair))
            return false;
        PageVerdict verdict = _classifier.Classify(pfn, _pair);
        if (verdict.Class == PageClass.Kept || verdict.Pages < ChunkPages)
            return false;
        TakeBlock(chunk * 64, verdict);
        return true;
    }

    private void ClassifyChunk(int chunk)
    {
        _followsBlock = false;
        ulong pfn = _first + ((ulong)chunk * 64);
        if (_classifier is null)
        {
            _valid.AsSpan().Clear();
        }
        else
        {
            // One structure more than the chunk has: a compound page's order is in the structure after its head's.
            _memmap!.Read(pfn, ChunkPages + 1, _structs, _valid, _faults);
            if (chunk == 0)
                ContinueBlock();
        }

        for (int word = 0; word < ChunkPages / 64; word++)
        {
            if (_exists[chunk + word] == 0)
                continue;
            Add(chunk + word, _exists[chunk + word] & ~_valid[word], PictureClass.Unknown);
            _exists[chunk + word] &= _valid[word];
            if (_exists[chunk + word] != 0)
                ClassifyWord(chunk, word);
        }
    }

    private void ClassifyWord(int chunk, int word)
    {
        ref ulong left = ref _exists[chunk + word];
        int size = _layout!.Size;
        PageWord pages = _words?.Classify(_structs.AsSpan(word * 64 * size)) ?? new(ulong.MaxValue, 0, 0, 0);
        ulong kept = 0;
        for (ulong unusual = pages.Unusual & left; unusual != 0; unusual &= left)
        {
            int bit = BitOperations.TrailingZeroCount(unusual), at = (word << 6) + bit;
            unusual &= unusual - 1;
            bool hasNext = PageBits.Get(_valid, at + 1);
            PageVerdict verdict = _classifier!.Classify(_first + (ulong)((chunk * 64) + at), _structs.AsSpan(at * size, hasNext ? 2 * size : size));
            if (verdict.Class == PageClass.Kept)
            {
                kept |= 1UL << bit;
                continue;
            }

            // Pages of a block that follow are decided by it, whatever their structures hold.
            TakeBlock((chunk * 64) + at, verdict);
            _followsBlock |= at == 0 && verdict.Pages >= ChunkPages;
        }

        ulong plain = left & ~kept;
        Add(chunk + word, pages.Cache & plain, PictureClass.Cache);
        Add(chunk + word, pages.CachePrivate & plain, PictureClass.CachePrivate);
        Add(chunk + word, pages.User & plain, PictureClass.User);
        AddKept(chunk, word, kept | (plain & ~(pages.Cache | pages.CachePrivate | pages.User)));
        left = 0;
    }

    /// <summary>Pages that stay, by what they are. Tails are of their head's kind.</summary>
    private void AddKept(int chunk, int word, ulong pages)
    {
        ulong slab = 0, reserved = 0;
        for (ulong left = pages; left != 0; left &= left - 1)
        {
            int bit = BitOperations.TrailingZeroCount(left), at = (word << 6) + bit;
            ulong pfn = _first + (ulong)((chunk * 64) + at);
            ReadOnlySpan<byte> page = _structs.AsSpan(at * _layout!.Size, _layout.Size);
            if (!_classifier!.IsTail(page))
                _kept = KindOf(page);
            else if (pfn != _keptEnd)
                _kept = PictureClass.Kernel;
            _keptEnd = pfn + 1;
            slab |= _kept == PictureClass.Slab ? 1UL << bit : 0;
            reserved |= _kept == PictureClass.Reserved ? 1UL << bit : 0;
        }

        Add(chunk + word, slab, PictureClass.Slab);
        Add(chunk + word, reserved, PictureClass.Reserved);
        Add(chunk + word, pages & ~(slab | reserved), PictureClass.Kernel);
    }

    private PictureClass KindOf(ReadOnlySpan<byte> page)
    {
        ulong flags = BinaryPrimitives.ReadUInt64LittleEndian(page[_layout!.Flags..]);
        bool isSlab = _layout.SlabType.IsKnown ? _layout.SlabType.Matches(BinaryPrimitives.ReadUInt32LittleEndian(page[_layout.MapCount..])) : (flags & _layout.Slab) != 0;
        return isSlab ? PictureClass.Slab : (flags & _reserved) != 0 ? PictureClass.Reserved : PictureClass.Kernel;
    }

    private void TakeBlock(int start, PageVerdict verdict)
    {
        PictureClass page = verdict.Class switch
        {
            PageClass.Cache => PictureClass.Cache,
            PageClass.CachePrivate => PictureClass.CachePrivate,
            PageClass.User => PictureClass.User,
            PageClass.Free => PictureClass.Free,
            PageClass.HwPoison => PictureClass.HwPoison,
            _ => PictureClass.Offline,
        };
        int end = (int)Math.Min((ulong)start + verdict.Pages, Pages);
        for (int word = start / 64; word * 64 < end; word++)
        {
            ulong mask = _exists[word] & MaskOf(new(_first + (ulong)start, _first + (ulong)end), word);
            Add(word, mask, page);
            _exists[word] &= ~mask;
        }
    }

    /// <summary>A slice that starts inside a compound page (1 GiB hugetlb pages span eight) asks that page's head, wherever it is.</summary>
    private void ContinueBlock()
    {
        int at = PageBits.NextSet(_exists, 0);
        if (at >= ChunkPages || !PageBits.Get(_valid, at) || !_classifier!.IsTail(_structs.AsSpan(at * _layout!.Size)))
            return;
        ulong start = _first + (ulong)at, last = start;
        for (int order = 1; order <= PageClassifier.MaxOrder; order++)
        {
            ulong head = start & ~((1UL << order) - 1);
            if (head == last)
                continue;
            last = head;

            // What is in this slice is met by itself.
            if (head >= _first && (_exists[(head - _first) / 64] >> (int)(head & 63) & 1) != 0)
                return;
            if (!_memmap!.TryReadPair(head, _pair))
                continue;
            PageVerdict verdict = _classifier.Classify(head, _pair);
            if (verdict.Class != PageClass.Kept && head + verdict.Pages > start)
            {
                TakeBlock(at, verdict with { Pages = head + verdict.Pages - start });
                return;
            }
        }
    }
}
