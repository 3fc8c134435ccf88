namespace Vmcore.IO;

/// <summary>A file written at offsets with pwrite. Each write is one system call: collecting small ones is the caller's job.</summary>
public sealed class FileSink : IByteSink
{
    private readonly FileStream _stream;
    private readonly WriteBehind _writeBehind;
    private long _end;

    private FileSink(string name, FileStream stream)
    {
        Name = name;
        _stream = stream;
        _writeBehind = new(stream.SafeFileHandle);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public long BytesWritten { get; private set; }

    /// <summary>Creates a file that only its owner may read and write (mode 0600): a dump holds the secrets of the machine.</summary>
    /// <param name="path">The path; it becomes the sink's name as it is.</param>
    /// <param name="overwrite">True to empty and reuse an existing file; false to refuse it, a dangling symbolic link included.</param>
    /// <exception cref="FileAccessException">The file exists and <paramref name="overwrite"/> is false, or the system refuses.</exception>
    public static FileSink Create(string path, bool overwrite)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
            throw new FileAccessException(path, overwrite ? "cannot create: Is a directory" : "cannot create: File exists (a directory)");
        try
        {
            var options = new FileStreamOptions
            {
                Mode = overwrite ? FileMode.Create : FileMode.CreateNew,
                Access = FileAccess.Write,
                Share = FileShare.ReadWrite | FileShare.Delete,
                BufferSize = 0,
            };
            if (!OperatingSystem.IsWindows())
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            var stream = new FileStream(path, options);
            // An existing file may have been readable by everyone.
            if (overwrite && !OperatingSystem.IsWindows() && FileIdentity.Of(path) is { IsRegular: true })
                File.SetUnixFileMode(stream.SafeFileHandle, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            return new FileSink(path, stream);
        }
        catch (Exception e) when (FileErrors.IsRefusal(e))
        {
            throw FileErrors.Describe(path, "create", e);
        }
    }

    /// <inheritdoc/>
    public void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        if (bytes.IsEmpty)
            return;
        try
        {
            RandomAccess.Write(_stream.SafeFileHandle, bytes, offset);
        }
        catch (Exception e) when (FileErrors.IsRefusal(e) && e is not ObjectDisposedException)
        {
            throw FileErrors.Describe(Name, "write", e);
        }

        BytesWritten += bytes.Length;
        _end = Math.Max(_end, checked(offset + bytes.Length));
        _writeBehind.Grown(_end);
    }

    /// <inheritdoc/>
    public void Complete(long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        try
        {
            _writeBehind.Dispose();
            if (length > _end)
                Extend(length);
            RandomAccess.FlushToDisk(_stream.SafeFileHandle);
        }
        catch (Exception e) when (FileErrors.IsRefusal(e) && e is not ObjectDisposedException)
        {
            throw FileErrors.Describe(Name, "finish", e);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _writeBehind.Dispose();
        _stream.Dispose();
    }

    private void Extend(long length)
    {
        try
        {
            RandomAccess.SetLength(_stream.SafeFileHandle, length);
        }
        catch (Exception e) when (FileErrors.IsRefusal(e) && e is not ObjectDisposedException)
        {
            // Devices cannot be resized, and some network file systems refuse to grow a file without a write.
            RandomAccess.Write(_stream.SafeFileHandle, [0], length - 1);
        }

        _end = length;
    }
}
