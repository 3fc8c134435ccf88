using Vmcore.IO;

namespace Vmcore.Testing;

/// <summary>A synthetic vmcore as a source of the library: nothing is written, nothing large is held.</summary>
/// <param name="core">The vmcore.</param>
/// <param name="name">The name to show in errors.</param>
public sealed class CoreSource(CoreImage core, string name = "synthetic") : IByteSource
{
    /// <inheritdoc/>
    public string Name => name;

    /// <inheritdoc/>
    public long Length => core.Length;

    /// <inheritdoc/>
    public int Read(long offset, Span<byte> buffer) => core.Read(offset, buffer);

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
