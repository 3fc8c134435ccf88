using Vmcore.IO;

namespace Vmcore.Dumping;

/// <summary>Marks a <see cref="FileAccessException"/> that the size limit caused.</summary>
internal sealed class SizeLimitException() : Exception("size limit reached");

/// <summary>A sink that refuses to grow beyond a limit, as a full disk would.</summary>
internal sealed class LimitedSink : IByteSink
{
    private readonly IByteSink _inner;
    private long _limit;
    private long _leftOut;

    internal LimitedSink(IByteSink inner, long? limit)
    {
        _inner = inner;
        _limit = limit ?? long.MaxValue;
    }

    /// <inheritdoc/>
    public string Name => _inner.Name;

    /// <inheritdoc/>
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
        _leftOut += Holes.Write(_inner, offset, bytes, written: 0);
        End = Math.Max(End, offset + bytes.Length);
    }

    private void Check(long end)
    {
        if (end > _limit)
            throw new FileAccessException(Name, $"the size limit of {_limit} bytes is reached", noSpace: true, new SizeLimitException());
    }

    /// <summary>Lets the little through that makes a cut dump readable.</summary>
    internal void LiftLimit() => _limit = long.MaxValue;

    /// <inheritdoc/>
    public void Complete(long length) => _inner.Complete(length);

    /// <inheritdoc/>
    public void Dispose() => _inner.Dispose();
}
