namespace Vmcore.IO;

/// <summary>Several sources one behind the other, as one.</summary>
/// <param name="parts">The sources, at least one; they are closed with this.</param>
internal sealed class JoinedSource(IReadOnlyList<IByteSource> parts) : IByteSource
{
    /// <summary>The name of the first one.</summary>
    public string Name => parts[0].Name;

    /// <inheritdoc/>
    public long Length { get; } = parts.Sum(static p => p.Length);

    /// <inheritdoc/>
    public bool HasShrunk => parts.Any(static p => p.HasShrunk);

    /// <inheritdoc/>
    public int Read(long offset, Span<byte> buffer)
    {
        buffer = this.Within(offset, buffer);
        int done = 0;
        foreach (IByteSource part in parts)
        {
            if (done == buffer.Length)
                break;
            if (offset < part.Length)
            {
                int wanted = (int)Math.Min(part.Length - offset, buffer.Length - done), read = part.Read(offset, buffer.Slice(done, wanted));
                done += read;
                if (read < wanted)
                    break;
                offset = 0;
            }
            else
            {
                offset -= part.Length;
            }
        }

        return done;
    }

    /// <inheritdoc/>
    public long NextData(long offset)
    {
        long start = 0;
        foreach (IByteSource part in parts)
        {
            long inside = Math.Max(offset - start, 0);
            if (inside < part.Length && part.NextData(inside) is var data && data < part.Length)
                return Math.Max(start + data, offset);
            start += part.Length;
        }

        return Math.Max(start, offset);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (IByteSource part in parts)
            part.Dispose();
    }
}
