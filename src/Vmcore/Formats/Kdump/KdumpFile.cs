using System.Collections.Concurrent;
using Vmcore.Compression;
using Vmcore.Formats.Elf;
using Vmcore.Formats.Flattened;
using Vmcore.IO;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Formats.Kdump;

/// <summary>
/// A kdump-compressed dump, whole or in split parts, of version 0 and later; a flattened one is opened through a flattened
/// source. Truncated and incomplete dumps open as long as their headers and notes are there: the pages that are gone are
/// <see cref="PageState.Lost"/>. Memory does not grow with the machine's. Safe for several threads.
/// </summary>
public sealed class KdumpFile : IDisposable
{
    private readonly KdumpPart[] _parts;
    private readonly BitmapReader _memory;
    private readonly BitmapReader _dumped;
    private readonly Func<PageCodec, IPageDecompressor> _createDecompressor;
    private readonly ConcurrentBag<PageReader> _readers = [];

    private KdumpFile(KdumpPart[] parts, Func<PageCodec, IPageDecompressor> createDecompressor, ReadLimits limits)
    {
        _parts = parts;
        _createDecompressor = createDecompressor;
        Limits = limits;
        Header = parts[0].Header;
        SubHeader = parts[0].SubHeader;

        // All parts have the same bitmaps. If one is truncated before their end, another may not be.
        KdumpPart whole = WholePart = Array.Find(parts, p => p.Source.Length >= p.DescriptorsOffset) ?? parts.MaxBy(p => p.Source.Length)!;
        ulong each = KdumpLayout.BlocksOfOneBitmap(MaxPfn, BlockSize);
        HasTwoBitmaps = Header.BitmapBlocks >= 2 * each;
        _memory = new BitmapReader(whole.Source, whole.Bitmap1Offset, MaxPfn);
        _dumped = HasTwoBitmaps
            ? new BitmapReader(whole.Source, whole.Bitmap1Offset + (Header.BitmapBlocks / 2 * BlockSize), MaxPfn)
            : _memory;
        NoteWalk notes = KdumpText.ReadNotes(parts[0], limits, out string? problem);
        (Notes, NoteList, LargeNotes, NotesProblem) = (notes.Area, notes.Notes, notes.Large, problem);
        VmcoreInfo = KdumpText.ReadVmcoreInfo(parts[0], notes, limits);
        EraseInfo = KdumpText.ReadEraseInfo(parts[0], limits);
    }

    /// <summary>The bounds on what the files may ask for.</summary>
    internal ReadLimits Limits { get; }

    /// <summary>The main header; in a split dump that of the first part.</summary>
    public KdumpHeader Header { get; }

    /// <summary>The sub header; in a split dump that of the first part.</summary>
    public KdumpSubHeader SubHeader { get; }

    /// <summary>Page size in bytes.</summary>
    public int BlockSize => Header.BlockSize;

    /// <summary>One past the highest pfn that the dump knows.</summary>
    public ulong MaxPfn => SubHeader.MaxMapNr;

    /// <summary>One past the last page of which the file says whether it exists: less than <see cref="MaxPfn"/> if it ends before.</summary>
    public ulong ReadablePfns => Math.Max(_memory.ReadablePfns, _dumped.ReadablePfns);

    /// <summary>True if excluded pages can be told from holes; false in old files with a single bitmap, which are never filtered.</summary>
    public bool HasTwoBitmaps { get; }

    /// <summary>True if the writer says that its target ran full, in any part.</summary>
    public bool IsIncomplete => Array.Exists(_parts, p => (p.Header.Status & KdumpStatus.Incomplete) != 0);

    /// <summary>
    /// True once a page was asked for that the dump should have and its files do not: they were cut short, a part is missing, or a descriptor is damaged.
    /// Opening a dump does not look for that, since it would have to read all of the bitmaps.
    /// </summary>
    public bool HasLostPages { get; private set; }

    /// <summary>True once a read found that a file has become shorter after it was opened.</summary>
    public bool HasShrunk => Array.Exists(_parts, static p => p.Source.HasShrunk);

    /// <summary>The bytes of the ELF notes that are held, empty before version 4.</summary>
    public ReadOnlyMemory<byte> Notes { get; }

    /// <summary>The notes in <see cref="Notes"/>.</summary>
    internal IReadOnlyList<ElfNote> NoteList { get; }

    /// <summary>The notes that are too large to be held: device dumps.</summary>
    internal IReadOnlyList<LargeNote> LargeNotes { get; }

    /// <summary>What was wrong with the note at which reading them ended; null for nothing.</summary>
    internal string? NotesProblem { get; }

    /// <summary>The vmcoreinfo text, empty if the dump has none.</summary>
    public ReadOnlyMemory<byte> VmcoreInfo { get; }

    /// <summary>The list of erased data, one line each; empty if nothing was erased or the list is lost.</summary>
    public string EraseInfo { get; }

    /// <summary>The pages whose descriptors are in each file at hand, ascending. What no file covers is lost.</summary>
    public IReadOnlyList<PfnRange> PartRanges => [.. _parts.Select(p => p.Pfns)];

    /// <summary>The files, in the order of their pages.</summary>
    internal IReadOnlyList<KdumpPart> Parts => _parts;

    /// <summary>A file that has the bitmaps to their end, if one has.</summary>
    internal KdumpPart WholePart { get; }

    /// <summary>Opens the files of a dump, flattened or not, without looking for the kernel in it: to join parts, or to look at headers.</summary>
    /// <param name="paths">The files: one, or parts of a split dump in any order.</param>
    /// <param name="limits">The bounds on what they may ask for; null for the default ones.</param>
    /// <exception cref="FileAccessException">A file cannot be opened or read.</exception>
    /// <exception cref="DumpFormatException">One is no kdump-compressed file that Vmcore reads, or they are not parts of one dump.</exception>
    public static KdumpFile Open(IReadOnlyList<string> paths, ReadLimits? limits = null)
    {
        ArgumentNullException.ThrowIfNull(paths);
        List<IByteSource> sources = [];
        try
        {
            foreach (string path in paths)
                sources.Add(OpenFile(path, limits));
        }
        catch
        {
            foreach (IByteSource source in sources)
                source.Dispose();
            throw;
        }

        return Open(sources, limits: limits);
    }

    private static IByteSource OpenFile(string path, ReadLimits? limits)
    {
        FileSource source = FileSource.Open(path);
        try
        {
            if (FlattenedSource.IsFlattened(source))
                return FlattenedSource.Open(source, limits);
            return KdumpHeader.IsKdump(source) ? source
                : throw new DumpFormatException(path, 0, "file format", "another one", "a part of a split kdump-compressed dump");
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    /// <summary>Opens a dump that is one file, or one part alone of a split dump.</summary>
    /// <param name="source">The file; the dump owns it from now on, also if opening fails.</param>
    /// <param name="createDecompressor">Gives a decompressor for a codec, one for each thread; by default those that are built in.</param>
    /// <exception cref="DumpFormatException">It is no kdump-compressed file that Vmcore reads.</exception>
    internal static KdumpFile Open(IByteSource source, Func<PageCodec, IPageDecompressor>? createDecompressor = null) => Open([source], createDecompressor);

    /// <summary>Opens a dump of one or more files.</summary>
    /// <param name="sources">The files in any order; the dump owns them from now on, also if opening fails.</param>
    /// <param name="createDecompressor">Gives a decompressor for a codec, one for each thread; by default those that are built in.</param>
    /// <param name="limits">The bounds on what they may ask for; null for the default ones.</param>
    /// <exception cref="DumpFormatException">One is no kdump-compressed file that Vmcore reads, or they are not parts of one dump.</exception>
    internal static KdumpFile Open(
        IReadOnlyList<IByteSource> sources, Func<PageCodec, IPageDecompressor>? createDecompressor = null, ReadLimits? limits = null)
    {
        ArgumentOutOfRangeException.ThrowIfZero(sources.Count, nameof(sources));
        limits ??= ReadLimits.Default;
        try
        {
            KdumpPart[] parts = [.. sources.Select(s => KdumpPart.Open(s, limits))];
            Array.Sort(parts, static (a, b) => a.Pfns.Start != b.Pfns.Start
                ? a.Pfns.Start.CompareTo(b.Pfns.Start)
                : a.Pfns.End.CompareTo(b.Pfns.End));
            CheckParts(parts);
            return new KdumpFile(parts, createDecompressor ?? PageCodecs.CreateDecompressor, limits);
        }
        catch
        {
            foreach (IByteSource source in sources)
                source.Dispose();
            throw;
        }
    }

    /// <summary>Says what the dump knows of a page. Costs no decompression.</summary>
    public PageState GetPageState(ulong pfn)
    {
        PageReader reader = Rent();
        try
        {
            return Find(reader, pfn, out _, out _);
        }
        finally
        {
            _readers.Add(reader);
        }
    }

    /// <summary>Finds a page's descriptor.</summary>
    /// <returns>True if the page is <see cref="PageState.Present"/>.</returns>
    internal bool TryGetDescriptor(ulong pfn, out PageDescriptor descriptor)
    {
        PageReader reader = Rent();
        try
        {
            return Find(reader, pfn, out descriptor, out _) == PageState.Present;
        }
        finally
        {
            _readers.Add(reader);
        }
    }

    /// <summary>Reads a page.</summary>
    /// <param name="pfn">The page.</param>
    /// <param name="page">Receives the page: exactly <see cref="BlockSize"/> bytes, undefined unless the answer is <see cref="MemoryStatus.Ok"/>.</param>
    /// <returns><see cref="MemoryStatus.Ok"/>, <see cref="MemoryStatus.Hole"/>, <see cref="MemoryStatus.Excluded"/>,
    /// <see cref="MemoryStatus.PartMissing"/>, or <see cref="MemoryStatus.Unreadable"/> for a lost or damaged page.</returns>
    public MemoryStatus ReadPage(ulong pfn, Span<byte> page)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(page.Length, BlockSize, nameof(page));
        PageReader reader = Rent();
        try
        {
            return Find(reader, pfn, out PageDescriptor descriptor, out IByteSource? source) switch
            {
                PageState.Hole => MemoryStatus.Hole,
                PageState.Excluded => MemoryStatus.Excluded,
                PageState.Present when reader.TryReadPage(source!, descriptor, page) => MemoryStatus.Ok,
                PageState.Lost when PartOf(pfn) is null => MemoryStatus.PartMissing,
                _ => MemoryStatus.Unreadable,
            };
        }
        finally
        {
            _readers.Add(reader);
        }
    }

    /// <summary>Copies part of a bitmap. Bits at and beyond <see cref="MaxPfn"/> are 0.</summary>
    /// <param name="which">Which bitmap.</param>
    /// <param name="firstPfn">The page of the first bit, a multiple of 8.</param>
    /// <param name="bits">Receives the bits, lowest bit first: 8 pages a byte.</param>
    /// <returns>True if all of it is in the file; what is not reads as 0.</returns>
    internal bool ReadBitmap(KdumpBitmap which, ulong firstPfn, Span<byte> bits)
    {
        if ((firstPfn & 7) != 0)
            throw new ArgumentOutOfRangeException(nameof(firstPfn), firstPfn, "Must be a multiple of 8.");
        return (which == KdumpBitmap.Memory ? _memory : _dumped).Read(firstPfn, bits);
    }

    /// <summary>Clears the bits of pages whose descriptors or data are in none of the files.</summary>
    /// <param name="firstPfn">The page of the first bit, a multiple of 64.</param>
    /// <param name="pages">Bits of the second bitmap, one a page.</param>
    internal void ClearLost(ulong firstPfn, Span<ulong> pages)
    {
        PageReader reader = Rent();
        try
        {
            KdumpPart? part = null;
            long offset = 0;
            for (int at = 0; (at = PageBits.NextSet(pages, at)) < pages.Length * 64; at++)
            {
                // The descriptors of a file follow each other as the bits do.
                ulong pfn = firstPfn + (ulong)at;
                if (part is not null && part.Pfns.Contains(pfn))
                    offset += PageDescriptor.Size;
                else if ((part = PartOf(pfn)) is not null)
                    offset = part.DescriptorOffset(pfn, _dumped);
                if (part is not null && reader.TryReadDescriptor(part.Source, offset, out PageDescriptor descriptor)
                    && descriptor.IsPlausible(BlockSize, part.Source.Length))
                {
                    continue;
                }

                PageBits.Clear(pages, at, 1);
                HasLostPages = true;
            }
        }
        finally
        {
            _readers.Add(reader);
        }
    }

    /// <summary>Finds the first page of a range that a bitmap names.</summary>
    /// <param name="which">Which bitmap.</param>
    /// <param name="range">The pages.</param>
    /// <returns>The page; the end of the range if it names none, or the file does not have its bits.</returns>
    internal ulong NextSet(KdumpBitmap which, PfnRange range) => (which == KdumpBitmap.Memory ? _memory : _dumped).NextSet(range);

    /// <inheritdoc/>
    public void Dispose()
    {
        while (_readers.TryTake(out PageReader? reader))
            reader.Dispose();
        foreach (KdumpPart part in _parts)
            part.Source.Dispose();
    }

    private static void CheckParts(KdumpPart[] parts)
    {
        KdumpPart first = parts[0];
        for (int i = 1; i < parts.Length; i++)
        {
            KdumpPart part = parts[i];
            string name = part.Source.Name;
            if (!part.SubHeader.IsSplit || !first.SubHeader.IsSplit)
                throw new DumpFormatException(name, part.Header.BlockSize + 12, "kdump split",
                    "0 in one of several files", "only parts of a split dump together");
            // A part whose target ran full differs in the status alone.
            if (part.Header with { Status = first.Header.Status } != first.Header || part.SubHeader.MaxMapNr != first.SubHeader.MaxMapNr)
                throw new DumpFormatException(name, 0, "kdump header", "the header of another dump", $"the same as in {first.Source.Name}");
            if (part.Pfns.Start < parts[i - 1].Pfns.End)
                throw new DumpFormatException(name, part.Header.BlockSize, "kdump start_pfn",
                    $"0x{part.Pfns.Start:x}, and its pages are in {parts[i - 1].Source.Name} too", $"0x{parts[i - 1].Pfns.End:x} or more: each part once");
        }
    }

    private PageReader Rent() => _readers.TryTake(out PageReader? reader) ? reader : new PageReader(BlockSize, _createDecompressor);

    private PageState Find(PageReader reader, ulong pfn, out PageDescriptor descriptor, out IByteSource? source)
    {
        PageState state = Locate(reader, pfn, out descriptor, out source);
        if (state == PageState.Lost)
            HasLostPages = true;
        return state;
    }

    private PageState Locate(PageReader reader, ulong pfn, out PageDescriptor descriptor, out IByteSource? source)
    {
        descriptor = default;
        source = null;
        if (pfn >= MaxPfn)
            return PageState.Hole;
        if (_dumped.Get(pfn) is not { } dumped)
            return _memory.Get(pfn) == false ? PageState.Hole : PageState.Lost;
        if (!dumped)
        {
            return (HasTwoBitmaps ? _memory.Get(pfn) : false) switch
            {
                true => PageState.Excluded,
                false => PageState.Hole,
                null => PageState.Lost,
            };
        }

        if (PartOf(pfn) is not { } part
            || !reader.TryReadDescriptor(part.Source, part.DescriptorOffset(pfn, _dumped), out descriptor)
            || !descriptor.IsPlausible(BlockSize, part.Source.Length))
        {
            return PageState.Lost;
        }

        source = part.Source;
        return PageState.Present;
    }

    private KdumpPart? PartOf(ulong pfn)
    {
        int low = 0, high = _parts.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_parts[middle].Pfns.End <= pfn)
                low = middle + 1;
            else
                high = middle;
        }

        return low < _parts.Length && _parts[low].Pfns.Contains(pfn) ? _parts[low] : null;
    }
}
