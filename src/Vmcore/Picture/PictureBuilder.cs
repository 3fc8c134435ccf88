using System.Buffers.Binary;
using Vmcore.Kernel;
using Vmcore.Memmap;
using Vmcore.Memory;

namespace Vmcore.Picture;

/// <summary>Draws up the picture. Pmem is decided by range, RAM by its struct pages, also of pages that the dump does not have.</summary>
public sealed class PictureBuilder
{
    private const int MostCells = 1 << 14;
    private const int MostRegions = 128;
    private const int MostMarks = 2000;
    private const int ChunkPages = 4096;

    private readonly CrashDump _dump;
    private readonly StructPageLayout? _layout;
    private readonly PageClassifier? _classifier;
    private readonly byte[] _structs = [];
    private readonly ulong[] _valid = new ulong[(ChunkPages / 64) + 1];
    private readonly ulong[] _faults = new ulong[(ChunkPages / 64) + 1];
    private readonly ulong[] _exists = new ulong[ChunkPages / 64];
    private readonly ulong[] _present = new ulong[ChunkPages / 64];
    private readonly ulong _reserved;

    private PictureBuilder(CrashDump dump)
    {
        _dump = dump;
        if (dump.Memmap is null || dump.PageLayout is not { } layout)
            return;
        _layout = layout;
        _classifier = new(layout, DumpLevel.All);
        _structs = new byte[(ChunkPages + 1) * layout.Size];
        _reserved = dump.NamedTypes?.EnumValue("pageflags", "PG_reserved") is { } bit and >= 0 and < 64 ? 1UL << (int)bit : 0;
    }

    /// <summary>Draws up the picture of a dump's machine.</summary>
    public static MemoryPicture Build(CrashDump dump)
    {
        var builder = new PictureBuilder(dump);
        List<PictureRegion> regions = [.. builder.Regions()];
        foreach (PictureRegion region in regions)
            builder.Fill(region);
        return new(regions, [.. builder.Marks()], dump.Memory.PageShift);
    }

    private IEnumerable<PictureRegion> Regions()
    {
        PfnRangeSet pmem = _dump.Pmem.Pages, ram = _dump.Memory.Extents.Except(pmem);

        // A kdump-compressed file knows memory by page only.
        if (_dump.Kdump is not null)
            ram = PfnRangeSet.From(ExistingRuns(ram));
        List<(PfnRange Pages, bool IsPmem)> parts = Merge(ram, pmem);
        int shift = 0;
        while (parts.Sum(p => (long)(p.Pages.Count >> shift) + 1) > MostCells)
            shift++;
        foreach ((PfnRange pages, bool isPmem) in parts)
            yield return new(NameOf(pages, isPmem), isPmem, pages, shift);
    }

    private IEnumerable<PfnRange> ExistingRuns(PfnRangeSet extents)
    {
        foreach (PfnRange range in extents)
        {
            for (ulong first = range.Start & ~((ulong)ChunkPages - 1); first < range.End; first += ChunkPages)
            {
                _dump.Memory.GetPages(first, _exists, _present);
                int from = PageBits.NextSet(_exists, 0), to = Array.FindLastIndex(_exists, static word => word != 0);
                if (to >= 0)
                    yield return new PfnRange(first + (ulong)from, first + ((ulong)to * 64) + 64 - (ulong)System.Numerics.BitOperations.LeadingZeroCount(_exists[to])).Intersect(range);
            }
        }
    }

    /// <summary>Small gaps are drawn as parts of what is around them, so that a file of many pieces still gives a picture.</summary>
    private static List<(PfnRange Pages, bool IsPmem)> Merge(PfnRangeSet ram, PfnRangeSet pmem)
    {
        List<(PfnRange Pages, bool IsPmem)> parts = [.. ram.Select(r => (r, false)), .. pmem.Select(r => (r, true))];
        parts.Sort(static (a, b) => a.Pages.Start.CompareTo(b.Pages.Start));
        for (ulong gap = 256; ; gap *= 2)
        {
            List<(PfnRange Pages, bool IsPmem)> merged = [];
            foreach ((PfnRange Pages, bool IsPmem) part in parts)
            {
                if (merged is [.., var last] && last.IsPmem == part.IsPmem && part.Pages.Start - last.Pages.End <= gap)
                    merged[^1] = (new(last.Pages.Start, part.Pages.End), part.IsPmem);
                else
                    merged.Add(part);
            }

            parts = merged;
            if (parts.Count <= MostRegions || gap > 1UL << 40)
                return parts;
        }
    }

    private string NameOf(PfnRange pages, bool isPmem)
    {
        int shift = _dump.Memory.PageShift;
        KernelResource? best = null;
        foreach (KernelResource resource in _dump.Resources?.Root.Children ?? [])
        {
            PfnRange common = resource.Range.ToPfns(shift).Intersect(pages);
            if (common.Count > (best?.Range.ToPfns(shift).Intersect(pages).Count ?? 0))
                best = resource;
        }

        return best is { Name.Length: > 0 } ? best.Name : isPmem ? "Persistent Memory" : "Memory";
    }

    private IEnumerable<PictureMark> Marks()
    {
        int count = 0;
        foreach (KernelResource resource in _dump.Resources?.All() ?? [])
        {
            bool isMemory = resource.IsSystemRam || resource.IsPersistentMemory || resource.Name is "Crash kernel" or "Reserved" or "System RAM (kmem)";
            if (isMemory && resource.Name.Length > 0 && count++ < MostMarks)
                yield return new(resource.Name, resource.Range, resource.Depth);
        }
    }

    private void Fill(PictureRegion region)
    {
        if (region.IsPmem)
        {
            foreach (PfnRange part in _dump.Pmem.Metadata.Intersect(region.Pages))
                region.Add(part, PictureClass.PmemMetadata);
            foreach (PfnRange part in _dump.Pmem.UserData.Intersect(region.Pages))
                region.Add(part, PictureClass.PmemUserData);
            foreach (PfnRange part in PfnRangeSet.From([region.Pages]).Except(_dump.Pmem.Pages))
                region.Add(part, PictureClass.Hole);
            CountPresent(region, _dump.Memory.Extents.Intersect(region.Pages));
            return;
        }

        var cursor = new Cursor();
        for (ulong first = region.Pages.Start & ~((ulong)ChunkPages - 1); first < region.Pages.End; first += ChunkPages)
        {
            var chunk = new PfnRange(Math.Max(first, region.Pages.Start), Math.Min(first + ChunkPages, region.Pages.End));
            _dump.Memory.GetPages(first, _exists, _present);
            if (_classifier is not null)
                _dump.Memmap!.Read(first, ChunkPages + 1, _structs, _valid, _faults);
            FillChunk(region, first, chunk, cursor);
        }

        region.Add(cursor.Run, cursor.Class);
    }

    private void CountPresent(PictureRegion region, PfnRangeSet extents)
    {
        foreach (PfnRange range in extents)
        {
            for (ulong first = range.Start & ~((ulong)ChunkPages - 1); first < range.End; first += ChunkPages)
            {
                _dump.Memory.GetPages(first, _exists, _present);
                AddPresent(region, first, range);
            }
        }
    }

    /// <summary>Run by run: of terabytes of pmem all pages may be there, or none.</summary>
    private void AddPresent(PictureRegion region, ulong first, PfnRange range)
    {
        for (int at = 0; (at = PageBits.NextSet(_present, at)) < ChunkPages;)
        {
            int end = PageBits.NextClear(_present, at);
            region.AddPresent(new PfnRange(first + (ulong)at, first + (ulong)end).Intersect(range));
            at = end;
        }
    }

    private void FillChunk(PictureRegion region, ulong first, PfnRange chunk, Cursor cursor)
    {
        AddPresent(region, first, chunk);
        for (ulong pfn = chunk.Start; pfn < chunk.End; pfn++)
        {
            int at = (int)(pfn - first);
            PictureClass page = ClassOf(pfn, at, cursor);
            if (page == cursor.Class && cursor.Run.End == pfn)
            {
                cursor.Run = cursor.Run with { End = pfn + 1 };
                continue;
            }

            region.Add(cursor.Run, cursor.Class);
            cursor.Run = new(pfn, pfn + 1);
            cursor.Class = page;
        }
    }

    private PictureClass ClassOf(ulong pfn, int at, Cursor cursor)
    {
        if (!PageBits.Get(_exists, at))
            return PictureClass.Hole;
        if (pfn < cursor.BlockEnd)
            return cursor.Block;
        if (_classifier is null || !PageBits.Get(_valid, at))
            return PictureClass.Unknown;
        int size = _layout!.Size;
        ReadOnlySpan<byte> page = _structs.AsSpan(at * size, PageBits.Get(_valid, at + 1) ? 2 * size : size);

        // Tails of a block that stays are of its head's kind.
        if (_classifier.IsTail(page))
            return cursor.Kept;
        PageVerdict verdict = _classifier.Classify(pfn, page);
        if (verdict.Class == PageClass.Kept)
            return cursor.Kept = KindOf(page);
        cursor.Kept = PictureClass.Kernel;
        cursor.Block = verdict.Class switch
        {
            PageClass.Cache => PictureClass.Cache,
            PageClass.CachePrivate => PictureClass.CachePrivate,
            PageClass.User => PictureClass.User,
            PageClass.Free => PictureClass.Free,
            PageClass.HwPoison => PictureClass.HwPoison,
            _ => PictureClass.Offline,
        };
        cursor.BlockEnd = pfn + verdict.Pages;
        return cursor.Block;
    }

    private PictureClass KindOf(ReadOnlySpan<byte> page)
    {
        ulong flags = BinaryPrimitives.ReadUInt64LittleEndian(page[_layout!.Flags..]);
        bool isSlab = _layout.SlabType.IsKnown ? _layout.SlabType.Matches(BinaryPrimitives.ReadUInt32LittleEndian(page[_layout.MapCount..])) : (flags & _layout.Slab) != 0;
        return isSlab ? PictureClass.Slab : (flags & _reserved) != 0 ? PictureClass.Reserved : PictureClass.Kernel;
    }

    private sealed class Cursor
    {
        internal PfnRange Run { get; set; }

        internal PictureClass Class { get; set; }

        internal PictureClass Block { get; set; }

        internal ulong BlockEnd { get; set; }

        internal PictureClass Kept { get; set; }
    }
}
