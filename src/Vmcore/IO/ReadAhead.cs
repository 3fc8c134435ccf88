namespace Vmcore.IO;

/// <summary>
/// Serves small reads that follow each other from one larger read, as an analysis goes through memory page by page. Reads at random are left to the
/// source: what lies around them is not wanted.
/// </summary>
/// <remarks>Safe for several threads at once; while one is served, the others are turned away.</remarks>
internal sealed class ReadAhead(IByteSource source)
{
    /// <summary>Longest read that is served, in bytes.</summary>
    internal const int ServedBytes = 16 << 10;

    private const int WindowBytes = 128 << 10;

    private readonly Lock _gate = new();
    private byte[] _window = [];
    private long _start;
    private int _length;
    private long _next = -1;

    /// <summary>Reads if the bytes are at hand, or follow those of the last read.</summary>
    /// <param name="offset">Offset in the source in bytes.</param>
    /// <param name="buffer">Receives the bytes.</param>
    /// <returns>False if the source has to be asked; the buffer is unchanged then.</returns>
    internal bool TryRead(long offset, Span<byte> buffer)
    {
        if (buffer.Length > ServedBytes || !_gate.TryEnter())
            return false;
        try
        {
            bool follows = offset == _next;
            _next = offset + buffer.Length;
            if (!IsAtHand(offset, buffer.Length))
            {
                if (!follows)
                    return false;
                if (_window.Length == 0)
                    _window = GC.AllocateUninitializedArray<byte>(WindowBytes);

                // While it is filled, and if that fails, it has nothing.
                _length = 0;
                int read = source.Read(offset, _window);
                (_start, _length) = (offset, Math.Max(read, 0));
                if (!IsAtHand(offset, buffer.Length))
                    return false;
            }

            _window.AsSpan((int)(offset - _start), buffer.Length).CopyTo(buffer);
            return true;
        }
        finally
        {
            _gate.Exit();
        }
    }

    private bool IsAtHand(long offset, int length) => offset >= _start && offset - _start <= _length - length;
}
