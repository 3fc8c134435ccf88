using Vmcore.IO;

namespace Vmcore.Fuzz;

/// <summary>A file in memory.</summary>
internal sealed class BytesSource(byte[] bytes) : IByteSource
{
    /// <inheritdoc/>
    public string Name => "input";

    /// <inheritdoc/>
    public long Length => bytes.Length;

    /// <inheritdoc/>
    public int Read(long offset, Span<byte> buffer)
    {
        Span<byte> part = this.Within(offset, buffer);
        if (!part.IsEmpty)
            bytes.AsSpan((int)offset, part.Length).CopyTo(part);
        return part.Length;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
