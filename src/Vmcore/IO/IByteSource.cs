namespace Vmcore.IO;

/// <summary>Bytes at offsets: a file, a mapped file, or a flattened stream seen as the file that it describes.</summary>
/// <remarks>Implementations may be read from several threads at once.</remarks>
public interface IByteSource : IDisposable
{
    /// <summary>The name to show in errors, usually the path as the user gave it.</summary>
    string Name { get; }

    /// <summary>Length in bytes.</summary>
    long Length { get; }

    /// <summary>True once a read found the end before <see cref="Length"/>: what is read
    /// became shorter after it was opened. A device that fails is not meant.</summary>
    bool HasShrunk => false;

    /// <summary>Reads bytes from <paramref name="offset"/> on.</summary>
    /// <param name="offset">Byte offset, 0 or more. At or beyond <see cref="Length"/> nothing is read.</param>
    /// <param name="buffer">Receives the bytes.</param>
    /// <returns>The number of bytes read; less than asked for only where the source ends or the device fails there.</returns>
    int Read(long offset, Span<byte> buffer);

    /// <summary>Tells where the next bytes are that may be other than zero, if that can be told without reading: a hole of a file is one step.</summary>
    /// <param name="offset">Byte offset, 0 or more.</param>
    /// <returns>An offset at or after it, <see cref="Length"/> if all the rest is zero: what lies before it reads as zero.
    /// <paramref name="offset"/> itself if only reading can tell.</returns>
    long NextData(long offset) => offset;
}

/// <summary>Reading helpers for <see cref="IByteSource"/>.</summary>
public static class ByteSourceExtensions
{
    /// <summary>The part of a buffer that a source can fill from an offset on; empty at or beyond its end.</summary>
    /// <param name="source">The source.</param>
    /// <param name="offset">Byte offset, 0 or more.</param>
    /// <param name="buffer">The buffer.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="offset"/> is negative.</exception>
    internal static Span<byte> Within(this IByteSource source, long offset, Span<byte> buffer)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        return buffer[..(int)Math.Clamp(source.Length - offset, 0, buffer.Length)];
    }

    /// <summary>Fills the whole buffer.</summary>
    /// <param name="source">The source.</param>
    /// <param name="offset">Byte offset of the first byte.</param>
    /// <param name="buffer">Receives the bytes.</param>
    /// <param name="what">What is read, for the error.</param>
    /// <exception cref="DumpFormatException">The source ends before the buffer is full.</exception>
    public static void ReadExactly(this IByteSource source, long offset, Span<byte> buffer, string what)
    {
        ArgumentNullException.ThrowIfNull(source);
        int read = source.Read(offset, buffer);
        if (read != buffer.Length)
            throw new DumpFormatException(source.Name, offset, what,
                $"{read} bytes before the end of the file (0x{source.Length:x})", $"{buffer.Length} bytes");
    }
}
