using Vmcore.IO;

namespace Vmcore.Dumping;

/// <summary>A part of the output that is written mostly in ascending order: collects neighbouring writes to large ones.</summary>
internal sealed class BufferedRegion
{
    private readonly IByteSink _sink;
    private readonly long _origin;
    private readonly byte[] _buffer;
    private long _start;
    private int _length;

    /// <summary>Creates a region.</summary>
    /// <param name="sink">The output.</param>
    /// <param name="origin">Byte offset of the region in the output.</param>
    /// <param name="capacity">Bytes to collect.</param>
    internal BufferedRegion(IByteSink sink, long origin, int capacity)
    {
        _sink = sink;
        _origin = origin;
        _buffer = new byte[capacity];
    }

    /// <summary>Writes bytes.</summary>
    /// <param name="offset">Byte offset in the region.</param>
    /// <param name="bytes">The bytes.</param>
    internal void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        if (_length > 0 && (offset != _start + _length || bytes.Length > _buffer.Length - _length))
            Flush();
        if (bytes.Length >= _buffer.Length)
        {
            _sink.Write(_origin + offset, bytes);
            return;
        }

        if (_length == 0)
            _start = offset;
        bytes.CopyTo(_buffer.AsSpan(_length));
        _length += bytes.Length;
    }

    /// <summary>Writes what was collected.</summary>
    internal void Flush()
    {
        if (_length == 0)
            return;
        int length = _length;
        _length = 0;
        _sink.Write(_origin + _start, _buffer.AsSpan(0, length));
    }
}
