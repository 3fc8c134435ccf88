using Vmcore.IO;

namespace Vmcore.Testing;

/// <summary>Bytes in memory as a source, with as many of them as <see cref="Visible"/> says: a file that is cut off.</summary>
public sealed class KdumpBytes(byte[] bytes, string name = "test.kdump") : IByteSource
{
    private long _bad = long.MaxValue;

    public string Name => name;

    public long Length => Visible;

    public int Visible { get; init; } = bytes.Length;

    /// <summary>True once the owner has let go of the source.</summary>
    public bool IsDisposed { get; private set; }

    /// <summary>Number of bytes that were read.</summary>
    public long BytesRead { get; private set; }

    /// <summary>From this byte on the device fails although the file goes on.</summary>
    public KdumpBytes FailingAt(long offset)
    {
        _bad = offset;
        return this;
    }

    public int Read(long offset, Span<byte> buffer)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        long end = Math.Min(Visible, _bad);
        if (offset >= end)
            return 0;
        int count = (int)Math.Min(buffer.Length, end - offset);
        bytes.AsSpan((int)offset, count).CopyTo(buffer);
        BytesRead += count;
        return count;
    }

    public void Dispose() => IsDisposed = true;
}
