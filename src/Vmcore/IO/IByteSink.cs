namespace Vmcore.IO;

/// <summary>A target that takes bytes at offsets.</summary>
/// <remarks>Not safe for several threads at once: one writer owns it.</remarks>
public interface IByteSink : IDisposable
{
    /// <summary>The name to show in errors and reports: the path, or <c>STDOUT</c>.</summary>
    string Name { get; }

    /// <summary>Bytes handed to the target so far, counting each write.</summary>
    long BytesWritten { get; }

    /// <summary>
    /// True if what is never written reads back as zero, as in a new regular file. A device keeps what it had, and readers of a stream may call a gap an error:
    /// there everything has to be written.
    /// </summary>
    bool GapsReadAsZero { get; }

    /// <summary>Writes bytes at an offset; a later write to the same place wins.</summary>
    /// <param name="offset">Byte offset in the file, 0 or more.</param>
    /// <param name="bytes">The bytes.</param>
    /// <exception cref="FileAccessException">The target refused; <see cref="FileAccessException.IsNoSpace"/> if it is full.</exception>
    void Write(long offset, ReadOnlySpan<byte> bytes);

    /// <summary>Ends the output: the file has at least <paramref name="length"/> bytes and all of it has reached the target.</summary>
    /// <param name="length">Length of the finished file in bytes.</param>
    /// <exception cref="FileAccessException">The target refused.</exception>
    void Complete(long length);
}
