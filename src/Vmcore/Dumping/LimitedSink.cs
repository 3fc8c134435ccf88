using Vmcore.IO;

namespace Vmcore.Dumping;

/// <summary>Marks a <see cref="FileAccessException"/> that the size limit caused.</summary>
internal sealed class SizeLimitException() : Exception("size limit reached");

/// <summary>A sink that refuses to grow beyond a limit, as a full disk would.</summary>
internal sealed class LimitedSink : IByteSink
{
    private readonly IByteSink _inner;
    private long _limit;

    internal LimitedSink(IByteSink inner, long? limit)
    {
        _inner = inner;
        _limit = limit ?? long.MaxValue;
    }

    /// <inheritdoc/>
    public string Name => _inner.Name;

    /// <inheritdoc/>
    public long BytesWritten => _inner.BytesWritten;

    /// <summary>One past the highest byte written.</summary>
    internal long End { get; private set; }

    /// <inheritdoc/>
    public void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
            return;
        if (offset + bytes.Length > _limit)
            throw new FileAccessException(Name, $"the size limit of {_limit} bytes is reached", noSpace: true, new SizeLimitException());
        _inner.Write(offset, bytes);
        End = Math.Max(End, offset + bytes.Length);
    }

    /// <summary>Lets the little through that makes a cut dump readable.</summary>
    internal void LiftLimit() => _limit = long.MaxValue;

    /// <inheritdoc/>
    public void Complete(long length) => _inner.Complete(length);

    /// <inheritdoc/>
    public void Dispose() => _inner.Dispose();
}
