using System.Globalization;
using Vmcore.Formats.Kdump;
using Vmcore.IO;
using Vmcore.Memory;
using Vmcore.Opening;
using Vmcore.Ranges;

namespace Vmcore.Verification;

/// <summary>Checks the structures of a kdump-compressed file, the only one of its dump or one of a split dump, in the order in which they lie in it.</summary>
internal sealed class KdumpVerifier
{
    private readonly OpenedDump _dump;
    private readonly KdumpFile _file;
    private readonly KdumpPart _part;
    private readonly IByteSource _source;
    private readonly VerifyReport _report;
    private readonly FileExtents _taken = new();
    private readonly TakenBlocks _blocks;
    private readonly long _descriptors;
    private readonly byte[] _block = new byte[DumpVerifier.BlockPages * PageDescriptor.Size];
    private long _rank;

    internal KdumpVerifier(OpenedDump dump, KdumpPart part, VerifyReport report)
    {
        _dump = dump;
        _file = dump.Kdump!;
        _part = part;
        _blocks = new(dump.Limits);
        _source = part.Source;
        _report = report;
        _descriptors = part.DescriptorsOffset;
    }

    /// <summary>Checks the file.</summary>
    /// <param name="progress">Hears how many pages of this file are done, and how many it has.</param>
    internal void Run(Action<ulong, ulong>? progress)
    {
        CheckHeaders();
        PfnRange part = _part.Pfns;
        ulong[] memory = new ulong[DumpVerifier.BlockPages / 64], dumped = new ulong[DumpVerifier.BlockPages / 64];
        List<ulong> pfns = [];
        long total = CountDescriptors(part);
        long dataStart = _descriptors + (total * PageDescriptor.Size);
        CheckBitmapTail();
        ulong end = Math.Min(part.End, _file.ReadablePfns);
        for (ulong first = part.Start & ~((ulong)DumpVerifier.BlockPages - 1); first < end; first += DumpVerifier.BlockPages)
        {
            first = _dump.Coverage.HoleUntil(new(Math.Max(first, part.Start), end)) & ~((ulong)DumpVerifier.BlockPages - 1);
            _dump.Coverage.GetPages(first, memory, dumped);
            for (int word = 0; word < dumped.Length; word++)
            {
                if ((dumped[word] & ~memory[word]) != 0)
                    Add("bitmap", BitmapOffset(KdumpBitmap.Memory, first + ((ulong)word * 64)),
                        $"first bitmap from pfn 0x{first + ((ulong)word * 64):x} on", "no memory", "memory: the second bitmap has a page there");
            }

            pfns.Clear();
            for (int at = 0; (at = PageBits.NextSet(dumped, at)) < DumpVerifier.BlockPages; at++)
            {
                ulong pfn = first + (ulong)at;
                if (part.Contains(pfn))
                    pfns.Add(pfn);
            }

            CheckPages(pfns, dataStart);
            progress?.Invoke((ulong)_rank, (ulong)total);
        }

        _report.Pages += (ulong)_rank;
        if (!_taken.IsComplete)
            Add("descriptor", null, "order of the pages", "pages scattered over the file",
                "pages in order; beyond a million pieces overlaps are not looked for");
    }

    private void Add(string kind, long? offset, string what, string found, string expected) => _report.Add(kind, _source.Name, offset, what, found, expected);

    private static string Hex(ulong value) => "0x" + value.ToString("x", CultureInfo.InvariantCulture);

    private void CheckHeaders()
    {
        KdumpHeader header = _part.Header;
        long needed = (long)KdumpLayout.BlocksOfOneBitmap(_file.MaxPfn, _file.BlockSize) * (_file.HasTwoBitmaps ? 2 : 1);
        if (header.BitmapBlocks < needed)
            Add("header", 436, "bitmap_blocks", header.BitmapBlocks.ToString(CultureInfo.InvariantCulture),
                string.Create(CultureInfo.InvariantCulture, $"at least {needed} for {_file.MaxPfn} pages"));
        if (header.Version >= 6 && header.MaxMapNr != Math.Min(_file.MaxPfn, uint.MaxValue))
            Add("header", 440, "max_mapnr", Hex(header.MaxMapNr), $"{Hex(Math.Min(_file.MaxPfn, uint.MaxValue))}, as the sub header says");
        if (_descriptors > _source.Length)
            Add("bitmap", _source.Length, "bitmaps", $"end of the file at {Hex((ulong)_source.Length)}", $"bitmaps up to {Hex((ulong)_descriptors)}");
        if (header.Version >= 3 && KdumpText.ReadVmcoreInfo(_part, KdumpText.ReadNotes(_part, _dump.Limits, out _), _dump.Limits).Length == 0)
            Add("header", _file.BlockSize + 32, "vmcoreinfo", "none", "the kernel's description of itself");
    }

    /// <summary>Behind the last page a bitmap has no bits.</summary>
    private void CheckBitmapTail()
    {
        ulong bits = _file.MaxPfn, wholeBytes = (bits + 7) / 8;
        foreach (KdumpBitmap which in (ReadOnlySpan<KdumpBitmap>)[KdumpBitmap.Memory, KdumpBitmap.Dumped])
        {
            if (which == KdumpBitmap.Dumped && !_file.HasTwoBitmaps)
                continue;
            long start = BitmapOffset(which, 0);
            byte[] tail = new byte[64];
            long at = start + (long)(bits / 8);
            long end = start + (long)(KdumpLayout.BlocksOfOneBitmap(bits, _file.BlockSize) * (ulong)_file.BlockSize);
            Span<byte> part = tail.AsSpan(0, (int)Math.Min(tail.Length, end - at));
            int read = part.Length > 0 ? _source.Read(at, part) : 0;
            if (read > 0 && (bits & 7) != 0 && wholeBytes > 0)
                part[0] &= (byte)(0xff << (int)(bits & 7));
            int bad = part[..read].IndexOfAnyExcept((byte)0);
            if (bad >= 0)
                Add("bitmap", at + bad, "bits behind the last page", $"0x{part[bad]:x2}", "zero");
        }
    }

    private long BitmapOffset(KdumpBitmap which, ulong pfn)
    {
        long start = _part.Bitmap1Offset;
        if (which == KdumpBitmap.Dumped && _file.HasTwoBitmaps)
            start += _part.Header.BitmapBlocks / 2 * _file.BlockSize;
        return start + (long)(pfn / 8);
    }

    private long CountDescriptors(PfnRange part)
    {
        ulong[] memory = new ulong[DumpVerifier.BlockPages / 64], dumped = new ulong[DumpVerifier.BlockPages / 64];
        long count = 0;
        ulong end = Math.Min(part.End, _file.ReadablePfns);
        for (ulong first = part.Start & ~((ulong)DumpVerifier.BlockPages - 1); first < end; first += DumpVerifier.BlockPages)
        {
            first = _dump.Coverage.HoleUntil(new(Math.Max(first, part.Start), end)) & ~((ulong)DumpVerifier.BlockPages - 1);
            _dump.Coverage.GetPages(first, memory, dumped);
            int from = (int)(Math.Max(part.Start, first) - first), to = (int)Math.Min(part.End - first, DumpVerifier.BlockPages);
            PageBits.Clear(dumped, 0, from);
            PageBits.Clear(dumped, to, DumpVerifier.BlockPages - to);
            count += PageBits.Count(dumped);
        }

        return count;
    }

    private void CheckPages(List<ulong> pfns, long dataStart)
    {
        if (pfns.Count == 0)
            return;
        long offset = _descriptors + (_rank * PageDescriptor.Size);
        Span<byte> bytes = _block.AsSpan(0, pfns.Count * PageDescriptor.Size);
        int read = _source.Read(offset, bytes) / PageDescriptor.Size;
        if (read < pfns.Count)
            Add("descriptor", offset + (read * PageDescriptor.Size), $"descriptors from pfn {Hex(pfns[read])} on",
                "end of the file", $"{pfns.Count - read} descriptors more in this block of pages");
        List<(ulong Pfn, long At, PageDescriptor Descriptor)> good = [];
        for (int i = 0; i < read; i++)
        {
            long at = offset + (i * PageDescriptor.Size);
            var descriptor = PageDescriptor.Parse(bytes[(i * PageDescriptor.Size)..]);
            if (CheckDescriptor(pfns[i], at, descriptor, dataStart))
                good.Add((pfns[i], at, descriptor));
        }

        _rank += pfns.Count;
        ReadPages(good);
    }

    private bool CheckDescriptor(ulong pfn, long at, PageDescriptor descriptor, long dataStart)
    {
        string what = $"descriptor of pfn {Hex(pfn)}";
        if (descriptor == PageDescriptor.Lost)
        {
            Add("descriptor", at, what, "a page without data: it could not be read, or found no room, when the dump was written", "its data");
            return false;
        }

        if (descriptor.Codec is null)
        {
            Add("descriptor", at + 12, what + ", flags", Hex(descriptor.Flags), "0, or one of 1 (zlib), 2 (lzo), 4 (snappy), 0x20 (zstd)");
            return false;
        }

        if (!descriptor.IsPlausible(_file.BlockSize, _source.Length) || descriptor.Offset < dataStart)
        {
            Add("descriptor", at, what, $"{descriptor.Length} bytes at {Hex((ulong)descriptor.Offset)}",
                $"up to {_file.BlockSize} bytes from {Hex((ulong)dataStart)} to the file's end {Hex((ulong)_source.Length)}");
            return false;
        }

        if (_taken.TryTake(descriptor.Offset, descriptor.Length))
        {
            _blocks.Add(descriptor.Offset, descriptor.Length);
            return true;
        }

        // Pages of zero share a block, and other equal pages may.
        if (_blocks.Contains(descriptor.Offset, descriptor.Length))
            return true;
        Add("descriptor", at, what, $"{descriptor.Length} bytes at {Hex((ulong)descriptor.Offset)}, of which another page has a part",
            "a block of its own, or all of another page's");
        return false;
    }

    private void ReadPages(List<(ulong Pfn, long At, PageDescriptor Descriptor)> pages)
    {
        bool[] readable = new bool[pages.Count];
        Parallel.For(0, pages.Count, () => new byte[_file.BlockSize], (i, _, page) =>
        {
            readable[i] = _file.ReadPage(pages[i].Pfn, page) == MemoryStatus.Ok;
            return page;
        }, static _ => { });
        for (int i = 0; i < pages.Count; i++)
        {
            if (readable[i])
                _report.PagesRead++;
            else
                Add("page", pages[i].Descriptor.Offset, $"page {Hex(pages[i].Pfn)}", $"{pages[i].Descriptor.Length} bytes that do not decompress",
                    $"a page of {_file.BlockSize} bytes, {pages[i].Descriptor.Codec}");
        }
    }
}
