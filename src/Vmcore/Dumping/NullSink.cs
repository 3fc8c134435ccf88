using Vmcore.IO;

namespace Vmcore.Dumping;

/// <summary>A sink that only counts: for a dry run.</summary>
public sealed class NullSink : IByteSink
{
    /// <inheritdoc/>
    public string Name => "(dry run)";

    /// <inheritdoc/>
    public long BytesWritten { get; private set; }

    /// <inheritdoc/>
    public bool GapsReadAsZero => true;

    /// <inheritdoc/>
    public void Write(long offset, ReadOnlySpan<byte> bytes) => BytesWritten += bytes.Length;

    /// <inheritdoc/>
    public void Complete(long length)
    {
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
