using System.Runtime.InteropServices;
using Vmcore.Formats.Kdump;
using Vmcore.IO;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Dumping;

/// <summary>What came of joining the parts of a split dump.</summary>
/// <param name="Pages">Pages of the dump.</param>
/// <param name="Lost">Pages that their part has lost, because it is incomplete, truncated or damaged.</param>
public sealed record ReassemblyReport(ulong Pages, ulong Lost);

/// <summary>Joins the parts of a split dump, of whatever tool made them. Compressed pages are
/// copied as they are, and pages of a part that share a block go on sharing it.</summary>
public static class Reassembler
{
    private const int BlockBytes = 1 << 20;
    private const int BitmapBytes = 4096;

    /// <summary>Writes the whole dump.</summary>
    /// <param name="parts">The parts, opened together.</param>
    /// <param name="sink">The file; the caller disposes of it.</param>
    /// <param name="observer">Hears of the progress.</param>
    /// <exception cref="DumpFormatException">A part is missing, or the bitmaps are cut off.</exception>
    /// <exception cref="FileAccessException">The target refused.</exception>
    public static ReassemblyReport Write(KdumpFile parts, IByteSink sink, IDumpObserver observer)
    {
        Check(parts);
        observer.Started(DumpStep.CopyingData);
        long started = System.Diagnostics.Stopwatch.GetTimestamp();
        ReassemblyReport report = new Join(parts, sink, observer).Run();
        observer.Finished(DumpStep.CopyingData, System.Diagnostics.Stopwatch.GetElapsedTime(started));
        return report;
    }

    /// <summary>Finds out whether the parts are all there and can be joined.</summary>
    /// <exception cref="DumpFormatException">A part is missing, or of a version that is not joined.</exception>
    public static void Check(KdumpFile parts)
    {
        KdumpPart first = parts.Parts[0];
        if (first.Header.Version < KdumpHeader.SplitVersion)
            throw new DumpFormatException(first.Source.Name, 8, "kdump header_version of a part",
                $"{first.Header.Version}", $"{KdumpHeader.SplitVersion} or later: earlier ones have no parts");
        if (first.Bitmap1Offset > parts.Limits.SplitHeaderBytes)
            throw new DumpFormatException(first.Source.Name, 432, "kdump sub_hdr_size",
                $"{first.Header.SubHeaderBlocks} blocks", $"at most {parts.Limits.SplitHeaderBytes} bytes");
        CheckRanges(parts);
    }

    private static void CheckRanges(KdumpFile parts)
    {
        ulong next = 0;
        foreach (KdumpPart part in parts.Parts)
        {
            if (part.Pfns.Start != next)
                throw Missing(parts, next, part.Pfns.Start);
            next = part.Pfns.End;
        }

        if (next != parts.MaxPfn)
            throw Missing(parts, next, parts.MaxPfn);
    }

    private static DumpFormatException Missing(KdumpFile parts, ulong start, ulong end) =>
        new(parts.Parts[0].Source.Name, parts.BlockSize + 80, "parts of a split dump", $"none for pfn 0x{start:x} - 0x{end:x}", "all parts of one dump");

    private sealed class Join
    {
        private readonly KdumpFile _parts;
        private readonly IByteSink _sink;
        private readonly IDumpObserver _observer;
        private readonly KdumpPart _first;
        private readonly int _pageSize;
        private readonly BufferedRegion _descriptors;
        private readonly BufferedRegion _data;
        private readonly byte[] _page;
        private readonly CopiedBlocks _copied = new();
        private ulong _total;
        private ulong _done;
        private ulong _lost;
        private long _dataOffset;
        private long _dataLength;

        internal Join(KdumpFile parts, IByteSink sink, IDumpObserver observer)
        {
            _parts = parts;
            _sink = sink;
            _observer = observer;
            _first = parts.WholePart;
            _pageSize = parts.BlockSize;
            _page = new byte[_pageSize];
            CopyBitmaps();
            _dataOffset = _first.DescriptorsOffset + checked((long)(_total * PageDescriptor.Size));
            _descriptors = new(sink, _first.DescriptorsOffset, BlockBytes);
            _data = new(sink, _dataOffset, BlockBytes);
        }

        internal ReassemblyReport Run()
        {
            WriteHeaders(incomplete: true, eraseOffset: 0, eraseSize: 0);
            // Where the tools of today look for it: a page of zero comes first.
            Append(new byte[_pageSize]);
            foreach (KdumpPart part in _parts.Parts)
                CopyPart(part);
            byte[] erased = EraseInfo();
            long eraseOffset = erased.Length > 0 ? Append(erased) : 0;
            _descriptors.Flush();
            _data.Flush();
            WriteHeaders(_lost > 0 || _parts.IsIncomplete || _parts.HasShrunk, eraseOffset, erased.Length);
            _sink.Complete(_dataOffset + _dataLength);
            return new(_total, _lost);
        }

        private long Append(ReadOnlySpan<byte> bytes)
        {
            long at = _dataLength;
            _data.Write(at, bytes);
            _dataLength += bytes.Length;
            return _dataOffset + at;
        }

        private void CopyBitmaps()
        {
            byte[] block = new byte[BlockBytes];
            long end = _first.DescriptorsOffset;
            if (_first.Source.Length < end)
                throw new DumpFormatException(_first.Source.Name, _first.Bitmap1Offset, "kdump bitmaps",
                    $"the end of the file (0x{_first.Source.Length:x})", $"bitmaps up to 0x{end:x} in one of the parts");
            for (long at = _first.Bitmap1Offset; at < end;)
            {
                Span<byte> part = block.AsSpan(0, (int)Math.Min(end - at, block.Length));
                _first.Source.ReadExactly(at, part, "kdump bitmaps");
                _sink.Write(at, part);
                at += part.Length;
            }

            ulong[] bits = new ulong[BitmapBytes / sizeof(ulong)];
            for (ulong pfn = 0; pfn < _parts.MaxPfn; pfn += BitmapBytes * 8)
            {
                Read(pfn, bits);
                _total += (ulong)PageBits.Count(bits);
            }
        }

        private void Read(ulong pfn, ulong[] bits)
        {
            bits.AsSpan().Clear();
            int bytes = (int)Math.Min(BitmapBytes, (_parts.MaxPfn - pfn + 7) / 8);
            _parts.ReadBitmap(KdumpBitmap.Dumped, pfn, MemoryMarshal.AsBytes(bits.AsSpan())[..bytes]);
        }

        private void CopyPart(KdumpPart part)
        {
            _copied.Clear();
            const int Descriptors = 4096;
            byte[] descriptors = new byte[PageDescriptor.Size * Descriptors];
            int held = 0, next = 0;
            long at = part.DescriptorsOffset, knownZero = -1;
            ulong[] bits = new ulong[BitmapBytes / sizeof(ulong)];
            Span<byte> encoded = stackalloc byte[PageDescriptor.Size];
            const ulong Step = BitmapBytes * 8;
            for (ulong pfn = part.Pfns.Start & ~(Step - 1); pfn < part.Pfns.End; pfn += Step)
            {
                Read(pfn, bits);
                if (pfn < part.Pfns.Start)
                    PageBits.Clear(bits, 0, (int)(part.Pfns.Start - pfn));
                if (part.Pfns.End - pfn < Step)
                    PageBits.Clear(bits, (int)(part.Pfns.End - pfn), (int)(Step - (part.Pfns.End - pfn)));
                for (int page = PageBits.Count(bits); page > 0; page--)
                {
                    if (next + PageDescriptor.Size > held)
                    {
                        held = part.Source.Read(at, descriptors);
                        held -= held % PageDescriptor.Size;
                        at += held;
                        next = 0;
                    }

                    PageDescriptor descriptor = default;
                    if (next < held)
                        descriptor = PageDescriptor.Parse(descriptors.AsSpan(next));
                    next += PageDescriptor.Size;
                    CopyPage(part, descriptor, ref knownZero).WriteTo(encoded);
                    _descriptors.Write((long)_done * PageDescriptor.Size, encoded);
                    _done++;
                }

                _observer.Progress(DumpStep.CopyingData, _done, _total);
            }
        }

        private PageDescriptor CopyPage(KdumpPart part, PageDescriptor descriptor, ref long knownZero)
        {
            if (!descriptor.IsPlausible(_pageSize, part.Source.Length))
            {
                _lost++;
                return default;
            }

            bool raw = descriptor.Codec == Compression.PageCodec.None;
            if (raw && descriptor.Offset == knownZero)
                return descriptor with { Offset = _dataOffset };
            if (_copied.TryFind(descriptor.Offset, descriptor.Length, out long copy))
                return descriptor with { Offset = copy };
            Span<byte> data = _page.AsSpan(0, (int)descriptor.Length);
            if (part.Source.Read(descriptor.Offset, data) != data.Length)
            {
                _lost++;
                return default;
            }

            if (raw && ZeroPage.IsZero(data))
            {
                knownZero = descriptor.Offset;
                return descriptor with { Offset = _dataOffset };
            }

            long at = Append(data);
            _copied.Add(descriptor.Offset, data.Length, at);
            return descriptor with { Offset = at };
        }

        private byte[] EraseInfo()
        {
            // Each part may list what was erased in it, or all of them the same.
            var lists = new List<string>();
            foreach (KdumpPart part in _parts.Parts)
            {
                string list = KdumpText.ReadEraseInfo(part, _parts.Limits);
                if (list.Length > 0 && !lists.Contains(list, StringComparer.Ordinal))
                    lists.Add(list);
            }

            return System.Text.Encoding.Latin1.GetBytes(string.Concat(lists));
        }

        private void WriteHeaders(bool incomplete, long eraseOffset, long eraseSize)
        {
            byte[] blocks = new byte[_first.Bitmap1Offset];
            _first.Source.ReadExactly(0, blocks, "kdump headers and notes");
            // Changed in place: what follows the sub header lies nearer to it in files of earlier versions.
            KdumpHeader.SetStatus(blocks, (_first.Header.Status & ~KdumpStatus.Incomplete) | (incomplete ? KdumpStatus.Incomplete : 0));
            KdumpSubHeader.SetWhole(blocks.AsSpan(_pageSize), _first.Header.Version, eraseOffset, eraseSize);
            _sink.Write(0, blocks);
        }
    }
}
