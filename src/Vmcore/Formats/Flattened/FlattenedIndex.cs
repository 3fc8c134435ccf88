using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Vmcore.IO;

namespace Vmcore.Formats.Flattened;

/// <summary>
/// Bytes of the described file that lie in records of the same length, one right behind the other. A long dump has
/// millions of records, but writers flush full buffers, so a run stands for many.
/// </summary>
/// <param name="Start">First byte in the described file.</param>
/// <param name="End">One past the last byte in the described file.</param>
/// <param name="Origin">Where the run's first record begins in the described file;
/// before <paramref name="Start"/> if a later record covers its beginning.</param>
/// <param name="Position">Position in the stream of the first record's bytes.</param>
/// <param name="RecordLength">Bytes of each record but the last, which may be shorter.</param>
/// <param name="Order">Number of the run in the order of the stream: the later one wins.</param>
internal readonly record struct FlattenedRun(long Start, long End, long Origin, long Position, long RecordLength, int Order)
{
    /// <summary>Finds a byte in the stream.</summary>
    /// <param name="offset">Its offset in the described file, within the run.</param>
    /// <param name="contiguous">Bytes from there on that are neighbours in the stream.</param>
    public long Locate(long offset, out long contiguous)
    {
        long record = (offset - Origin) / RecordLength;
        long inRecord = offset - Origin - (record * RecordLength);
        contiguous = Math.Min(RecordLength - inRecord, End - offset);
        return Position + (record * (RecordLength + FlattenedFormat.RecordHeaderSize)) + inRecord;
    }
}

/// <summary>Scans a flattened stream once and keeps where each byte of the described file is.</summary>
internal static class FlattenedIndex
{
    /// <summary>Builds the index.</summary>
    /// <param name="stream">The flattened stream.</param>
    /// <param name="truncatedAt">Position at which the stream breaks off, or null if it ends as it should.</param>
    /// <param name="limits">The bounds on what it may ask for; null for the default ones.</param>
    /// <returns>Runs in ascending order that do not overlap.</returns>
    public static FlattenedRun[] Build(IByteSource stream, out long? truncatedAt, ReadLimits? limits = null)
    {
        List<FlattenedRun> runs = Scan(stream, limits ?? ReadLimits.Default, out truncatedAt);
        Span<FlattenedRun> sorted = CollectionsMarshal.AsSpan(runs);
        sorted.Sort(static (a, b) => a.Start != b.Start ? a.Start.CompareTo(b.Start) : a.Order.CompareTo(b.Order));
        for (int i = 1; i < sorted.Length; i++)
        {
            if (sorted[i].Start < sorted[i - 1].End)
                return Resolve(sorted);
        }

        return [.. runs];
    }

    private static List<FlattenedRun> Scan(IByteSource stream, ReadLimits limits, out long? truncatedAt)
    {
        const int Window = 4096;
        List<FlattenedRun> runs = [];
        byte[] window = new byte[Window];
        long windowStart = 0;
        int windowLength = 0;
        long position = FlattenedFormat.HeaderSize;
        while (true)
        {
            truncatedAt = position;
            if (position < windowStart || position + FlattenedFormat.RecordHeaderSize > windowStart + windowLength)
            {
                windowStart = position;
                windowLength = stream.Read(position, window);
                if (windowLength < FlattenedFormat.RecordHeaderSize)
                    return runs;
            }

            ReadOnlySpan<byte> header = window.AsSpan((int)(position - windowStart), FlattenedFormat.RecordHeaderSize);
            long offset = BinaryPrimitives.ReadInt64BigEndian(header);
            long length = BinaryPrimitives.ReadInt64BigEndian(header[8..]);
            if (offset == FlattenedFormat.EndMark && length == FlattenedFormat.EndMark)
            {
                truncatedAt = null;
                return runs;
            }

            if (offset < 0 || length < 0 || offset > long.MaxValue - length)
                return runs;
            position += FlattenedFormat.RecordHeaderSize;
            long usable = Math.Min(length, stream.Length - position);
            if (usable > 0)
                Add(runs, stream, limits, offset, usable, position);
            if (usable < length)
                return runs;
            position += length;
        }
    }

    /// <summary>Adds a record, to the last run if it goes on where that ends.</summary>
    private static void Add(List<FlattenedRun> runs, IByteSource stream, ReadLimits limits, long offset, long length, long position)
    {
        if (runs.Count > 0)
        {
            FlattenedRun last = runs[^1];
            // All records of the run so far are full if it ends at a multiple of their length.
            bool full = (last.End - last.Origin) % last.RecordLength == 0;
            if (offset == last.End && full && length <= last.RecordLength
                && position == last.Position + ((last.End - last.Origin) / last.RecordLength * (last.RecordLength + FlattenedFormat.RecordHeaderSize)))
            {
                runs[^1] = last with { End = offset + length };
                return;
            }
        }

        if (runs.Count == limits.FlattenedRecords)
            throw new DumpFormatException(stream.Name, position, "flattened records",
                $"more than {limits.FlattenedRecords} scattered records", "a stream that a dump tool wrote");
        runs.Add(new FlattenedRun(offset, offset + length, offset, position, length, runs.Count));
    }

    /// <summary>Cuts overlapping runs so that of each byte the last one written is left.</summary>
    /// <param name="runs">Sorted by start.</param>
    private static FlattenedRun[] Resolve(ReadOnlySpan<FlattenedRun> runs)
    {
        List<FlattenedRun> result = new(runs.Length);
        // The runs that have begun, the latest in the stream first.
        var open = new PriorityQueue<FlattenedRun, int>();
        int next = 0;
        long at = 0;
        while (next < runs.Length || open.Count > 0)
        {
            if (open.Count == 0)
                at = runs[next].Start;
            for (; next < runs.Length && runs[next].Start <= at; next++)
                open.Enqueue(runs[next], -runs[next].Order);
            while (open.Count > 0 && open.Peek().End <= at)
                open.Dequeue();
            if (open.Count == 0)
                continue;
            FlattenedRun winner = open.Peek();
            long end = next < runs.Length ? Math.Min(winner.End, runs[next].Start) : winner.End;
            if (result.Count > 0 && result[^1].Order == winner.Order && result[^1].End == at)
                result[^1] = result[^1] with { End = end };
            else
                result.Add(winner with { Start = at, End = end });
            at = end;
        }

        return [.. result];
    }
}
