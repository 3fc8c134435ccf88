namespace Vmcore.IO;

/// <summary>Bytes as a stream that is read from its start to its end, for a decompressor: of a source, or of memory, without a copy of it.</summary>
internal sealed class ForwardStream : Stream
{
    private readonly IByteSource? _source;
    private readonly long _offset;
    private readonly ReadOnlyMemory<byte> _memory;
    private readonly long _length;
    private long _position;

    /// <summary>A range of a source.</summary>
    /// <param name="source">The source.</param>
    /// <param name="offset">Offset of the first byte.</param>
    /// <param name="length">Number of bytes; fewer come if the source ends before.</param>
    internal ForwardStream(IByteSource source, long offset, long length)
    {
        _source = source;
        _offset = offset;
        _length = length;
    }

    /// <summary>Memory.</summary>
    /// <param name="memory">The bytes.</param>
    internal ForwardStream(ReadOnlyMemory<byte> memory)
    {
        _memory = memory;
        _length = memory.Length;
    }

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => _length;

    /// <inheritdoc/>
    public override long Position
    {
        get => _position;
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        Span<byte> part = buffer[..(int)Math.Clamp(_length - _position, 0, buffer.Length)];
        int read = part.Length;
        if (_source is not null)
            read = part.IsEmpty ? 0 : _source.Read(_offset + _position, part);
        else
            _memory.Span.Slice((int)_position, read).CopyTo(part);
        _position += read;
        return read;
    }

    /// <inheritdoc/>
    public override void Flush()
    {
        // Nothing is written.
    }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
