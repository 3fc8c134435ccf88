using Vmcore.Formats.Flattened;
using Vmcore.IO;

namespace Vmcore.Dumping;

/// <summary>Marks a <see cref="FileAccessException"/> that the size limit caused.</summary>
internal sealed class SizeLimitException() : Exception("size limit reached");

/// <summary>
/// A sink that refuses to grow beyond a limit, as a full disk would. On a device a gap in what is written is filled with zero first: what was there
/// before is never taken for the dump's, wherever the dump ends.
/// </summary>
internal sealed class LimitedSink : IByteSink
{
    private readonly IByteSink _inner;
    private readonly bool _fillsGaps;
    private long _limit;
    private long _leftOut;

    /// <summary>Creates a sink.</summary>
    /// <param name="inner">The target.</param>
    /// <param name="limit">Most bytes of the file; null for no limit.</param>
    /// <param name="ascends">True if everything is written in ascending order: then a stream has no gap either, which readers could take for its end.</param>
    internal LimitedSink(IByteSink inner, long? limit, bool ascends = false)
    {
        _inner = inner;
        _limit = limit ?? long.MaxValue;
        // In a stream a gap is what it is in the file that is made of it.
        _fillsGaps = !inner.GapsReadAsZero && (ascends || inner is not FlattenedSink);
    }

    /// <inheritdoc/>
    public string Name => _inner.Name;

    /// <summary>Bytes handed to the target, with what became holes and without what gaps were filled with: the same for a file and a device.</summary>
    public long BytesWritten => _inner.BytesWritten + _leftOut;

    /// <inheritdoc/>
    public bool GapsReadAsZero => _inner.GapsReadAsZero;

    /// <summary>One past the highest byte written.</summary>
    internal long End { get; private set; }

    /// <inheritdoc/>
    public void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
            return;
        Check(offset + bytes.Length);
        FillTo(offset);
        _inner.Write(offset, bytes);
        End = Math.Max(End, offset + bytes.Length);
    }

    /// <summary>Writes bytes where nothing was written before; blocks of zero may become holes. They count as written.</summary>
    /// <param name="offset">Byte offset in the file.</param>
    /// <param name="bytes">The bytes.</param>
    /// <exception cref="FileAccessException">The target refused, or the limit is reached.</exception>
    internal void WriteSparse(long offset, ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
            return;
        Check(offset + bytes.Length);
        FillTo(offset);
        int leftOut = Holes.Write(_inner, offset, bytes, written: 0);
        if (leftOut > 0 && bytes[^1] == 0)
        {
            // The file grows with it: that it may not become so long shows now, and no descriptor ever names what lies beyond its end.
            _inner.Write(offset + bytes.Length - 1, bytes[^1..]);
            leftOut--;
        }

        _leftOut += leftOut;
        End = Math.Max(End, offset + bytes.Length);
    }

    /// <summary>Why a sink of this kind was full.</summary>
    /// <param name="error">What it threw, with <see cref="FileAccessException.IsNoSpace"/>.</param>
    internal static DumpEnd Reason(FileAccessException error) =>
        error is { InnerException: SizeLimitException } ? DumpEnd.SizeLimit
        : FileErrors.IsTooLarge(error.InnerException) ? DumpEnd.FileTooLarge
        : FileErrors.IsQuota(error.InnerException) ? DumpEnd.QuotaExceeded
        : DumpEnd.NoSpace;

    /// <summary>Why the output could not be ended: what <see cref="Refused"/> and <see cref="TryComplete"/> saw last.</summary>
    internal DumpEnd Refusal { get; private set; } = DumpEnd.NoSpace;

    /// <summary>Notes why the output could not be ended.</summary>
    /// <param name="error">What was thrown, with <see cref="FileAccessException.IsNoSpace"/>.</param>
    internal void Refused(FileAccessException error) => Refusal = Reason(error);

    /// <summary>Leaves a gap as it is: for bytes that come later, or never.</summary>
    /// <param name="end">One past the last byte of the gap.</param>
    internal void Leave(long end) => End = Math.Max(End, end);

    /// <summary>Lets the little through that makes a cut dump readable.</summary>
    internal void LiftLimit() => _limit = long.MaxValue;

    /// <summary>Ends the output. Zeroes at its end that were left out can be too much
    /// too, where a file may not become that long; what fits of them stays.</summary>
    /// <param name="length">Length of the finished file in bytes.</param>
    /// <returns>False if the target is full, and the file shorter.</returns>
    internal bool TryComplete(long length)
    {
        if (TryLength(length))
            return true;
        // A stream has no length that could be tried: what it lacks is its end.
        if (_inner is FlattenedSink)
            return false;
        const long Step = 4096;
        long fits = 0, tooLong = length;
        while (tooLong - fits > Step)
        {
            long middle = fits + ((tooLong - fits) / 2);
            if (TryLength(middle))
                fits = middle;
            else
                tooLong = middle;
        }

        return false;
    }

    /// <inheritdoc/>
    public void Complete(long length)
    {
        FillTo(length);
        _inner.Complete(length);
    }

    /// <inheritdoc/>
    public void Dispose() => _inner.Dispose();

    private void FillTo(long offset)
    {
        if (!_fillsGaps || offset <= End)
            return;
        long written = _inner.BytesWritten;
        Holes.Fill(_inner, End, offset);
        _leftOut -= _inner.BytesWritten - written;
        End = offset;
    }

    private void Check(long end)
    {
        if (end > _limit)
            throw new FileAccessException(Name, $"the size limit of {_limit} bytes is reached", noSpace: true, new SizeLimitException());
    }

    private bool TryLength(long length)
    {
        try
        {
            Complete(length);
            return true;
        }
        catch (FileAccessException e) when (e.IsNoSpace)
        {
            Refused(e);
            return false;
        }
    }
}
