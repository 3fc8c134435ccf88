namespace Vmcore.Testing;

/// <summary>One PT_LOAD. Sizes in bytes.</summary>
public sealed record CoreSegment(ulong Physical, ulong Virtual, ulong FileSize, ulong MemorySize, uint Flags, ulong Offset)
{
    /// <summary>True for pmem.</summary>
    public bool IsPmem { get; init; }

    /// <summary>True for repeated RAM.</summary>
    public bool IsRepeated { get; init; }
}

/// <summary>A vmcore, made while it is read. May be read from several threads.</summary>
public sealed class CoreImage
{
    private readonly SyntheticMachine _machine;
    private readonly byte[] _head;
    private readonly CoreSegment[] _byOffset;

    internal CoreImage(SyntheticMachine machine, byte[] head, IReadOnlyList<CoreSegment> segments)
    {
        _machine = machine;
        _head = head;
        Segments = segments;
        // Further PT_LOADs may share the bytes of others.
        _byOffset = [.. segments.Where(s => s.FileSize > 0).GroupBy(s => s.Offset).Select(g => g.MaxBy(s => s.FileSize)!).OrderBy(s => s.Offset)];
        Length = Math.Max(head.Length, (long)segments.Max(s => s.Offset + s.FileSize));
    }

    /// <summary>Bytes of the file.</summary>
    public long Length { get; }

    /// <summary>The PT_LOADs in the order of the file.</summary>
    public IReadOnlyList<CoreSegment> Segments { get; }

    /// <summary>True if any byte of the page is in a PT_LOAD's file part.</summary>
    public bool HasData(ulong pfn) => Segments.Any(s => s.Physical >> 12 <= pfn && pfn < (s.Physical + s.FileSize + 4095) >> 12);

    /// <summary>All pages with data, ascending, but for those of repeated RAM.</summary>
    public IEnumerable<ulong> Pfns()
    {
        ulong next = 0;
        foreach (CoreSegment s in Segments.Where(s => !s.IsRepeated).OrderBy(s => s.Physical))
        {
            for (ulong pfn = Math.Max(next, s.Physical >> 12); pfn < (s.Physical + s.FileSize + 4095) >> 12; pfn++)
                yield return pfn;
            next = Math.Max(next, (s.Physical + s.FileSize + 4095) >> 12);
        }
    }

    /// <summary>Reads bytes of the file; answers how many there were.</summary>
    public int Read(long offset, Span<byte> buffer)
    {
        if (offset >= Length)
            return 0;
        int total = (int)Math.Min(buffer.Length, Length - offset);
        buffer = buffer[..total];
        buffer.Clear();
        Span<byte> page = stackalloc byte[4096];
        while (!buffer.IsEmpty)
        {
            int step;
            if (offset < _head.Length)
            {
                step = (int)Math.Min(buffer.Length, _head.Length - offset);
                _head.AsSpan((int)offset, step).CopyTo(buffer);
            }
            else if (SegmentAt((ulong)offset, out ulong gap) is { } segment)
            {
                ulong physical = segment.Physical + ((ulong)offset - segment.Offset);
                int inPage = (int)(physical & 4095);
                step = (int)Math.Min((ulong)Math.Min(buffer.Length, 4096 - inPage), segment.Offset + segment.FileSize - (ulong)offset);
                _machine.FillPage(physical >> 12, page);
                page.Slice(inPage, step).CopyTo(buffer);
            }
            else
            {
                step = (int)Math.Min((ulong)buffer.Length, gap);
            }

            buffer = buffer[step..];
            offset += step;
        }

        return total;
    }

    /// <summary>Writes the file, with holes where it is zero.</summary>
    /// <param name="path">The file.</param>
    /// <param name="dataLength">Tells how many bytes of a segment are written; the rest is a hole. Null: all are.</param>
    public void WriteSparse(string path, Func<CoreSegment, ulong>? dataLength = null)
    {
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, 1);
        byte[] chunk = new byte[1 << 16];
        for (long offset = 0; offset < Length; offset += chunk.Length)
        {
            if (dataLength is not null && SegmentAt((ulong)offset, out _) is { } segment && (ulong)offset >= segment.Offset + dataLength(segment))
            {
                long last = (long)(segment.Offset + segment.FileSize) - chunk.Length;
                if (offset <= last)
                {
                    offset = last & -chunk.Length;
                    continue;
                }
            }

            int count = Read(offset, chunk);
            for (int at = 0; at < count; at += 4096)
            {
                ReadOnlySpan<byte> page = chunk.AsSpan(at, Math.Min(4096, count - at));
                if (page.IndexOfAnyExcept((byte)0) < 0)
                    continue;
                file.Position = offset + at;
                file.Write(page);
            }
        }

        file.SetLength(Length);
    }

    private CoreSegment? SegmentAt(ulong offset, out ulong gap)
    {
        int low = 0, high = _byOffset.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_byOffset[middle].Offset + _byOffset[middle].FileSize <= offset)
                low = middle + 1;
            else
                high = middle;
        }

        gap = ulong.MaxValue;
        if (low == _byOffset.Length)
            return null;
        if (_byOffset[low].Offset <= offset)
            return _byOffset[low];
        gap = _byOffset[low].Offset - offset;
        return null;
    }
}
