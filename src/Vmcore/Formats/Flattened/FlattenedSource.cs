using System.Buffers.Binary;
using Vmcore.IO;

namespace Vmcore.Formats.Flattened;

/// <summary>
/// A flattened stream that was saved to a file, seen as the file that it describes: of overlapping records the later one
/// wins, gaps read as zero. A stream that breaks off is usable up to there. Safe for several threads.
/// </summary>
internal sealed class FlattenedSource : IByteSource
{
    private readonly IByteSource _stream;
    private readonly FlattenedRun[] _runs;

    private FlattenedSource(IByteSource stream, FlattenedRun[] runs, long? truncatedAt)
    {
        _stream = stream;
        _runs = runs;
        TruncatedAt = truncatedAt;
        Length = runs.Length > 0 ? runs[^1].End : 0;
    }

    /// <inheritdoc/>
    public string Name => _stream.Name;

    /// <summary>Length of the described file in bytes: the end of its last record.</summary>
    public long Length { get; }

    /// <inheritdoc/>
    public bool HasShrunk => _stream.HasShrunk;

    /// <summary>True if the stream lacks its end record, or breaks off in a record that makes no sense.</summary>
    public bool IsTruncated => TruncatedAt is not null;

    /// <summary>Byte position in the stream of the record at which it breaks off, null if it ends as it should.</summary>
    public long? TruncatedAt { get; }

    /// <summary>True if the file begins as a flattened stream does.</summary>
    public static bool IsFlattened(IByteSource source)
    {
        Span<byte> start = stackalloc byte[FlattenedFormat.Signature.Length];
        return source.Read(0, start) == start.Length && start.SequenceEqual(FlattenedFormat.Signature);
    }

    /// <summary>Opens a flattened stream; it is read through once, headers of records only.</summary>
    /// <param name="stream">The stream as a file; the new source owns it from now on, also if opening fails.</param>
    /// <param name="limits">The bound on its records; null for the default ones.</param>
    /// <exception cref="DumpFormatException">It is no flattened stream, or one of an unknown type.</exception>
    public static FlattenedSource Open(IByteSource stream, ReadLimits? limits = null)
    {
        try
        {
            Span<byte> header = stackalloc byte[32];
            stream.ReadExactly(0, header, "flattened header");
            if (!header.StartsWith(FlattenedFormat.Signature))
                throw new DumpFormatException(stream.Name, 0, "flattened signature", "0x" + Convert.ToHexString(header[..16]), "makedumpfile");
            long type = BinaryPrimitives.ReadInt64BigEndian(header[16..]);
            if (type != FlattenedFormat.Type)
                throw new DumpFormatException(stream.Name, 16, "flattened type", $"{type}", $"{FlattenedFormat.Type}");
            FlattenedRun[] runs = FlattenedIndex.Build(stream, out long? truncatedAt, limits);
            return new FlattenedSource(stream, runs, truncatedAt);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public int Read(long offset, Span<byte> buffer)
    {
        buffer = this.Within(offset, buffer);
        if (buffer.IsEmpty)
            return 0;
        int done = 0;
        int index = IndexAtOrAfter(offset);
        while (done < buffer.Length)
        {
            FlattenedRun run = _runs[index];
            long at = offset + done;
            if (at < run.Start)
            {
                int gap = (int)Math.Min(buffer.Length - done, run.Start - at);
                buffer.Slice(done, gap).Clear();
                done += gap;
                continue;
            }

            long position = run.Locate(at, out long contiguous);
            int step = (int)Math.Min(buffer.Length - done, contiguous);
            int read = _stream.Read(position, buffer.Slice(done, step));
            done += read;
            if (read < step)
                break;
            if (at + step == run.End)
                index++;
        }

        return done;
    }

    /// <inheritdoc/>
    public long NextData(long offset)
    {
        int index = IndexAtOrAfter(offset);
        return index < _runs.Length ? Math.Max(offset, _runs[index].Start) : Math.Max(offset, Length);
    }

    /// <inheritdoc/>
    public void Dispose() => _stream.Dispose();

    private int IndexAtOrAfter(long offset)
    {
        int low = 0, high = _runs.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_runs[middle].End <= offset)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }
}
