namespace Vmcore.IO;

/// <summary>A file written at offsets with pwrite. Each write is one system call: collecting small ones is the caller's job.</summary>
/// <remarks>
/// Whoever finds after the opening that there is nothing to write leaves nothing behind: an existing file is emptied with the first write, and a new
/// one that is still empty goes with <see cref="Dispose"/>, unless <see cref="Complete"/> said that it is to be so.
/// </remarks>
public sealed class FileSink : IByteSink
{
    private readonly FileStream _stream;
    private readonly WriteBehind _writeBehind;
    private readonly FileIdentity? _new;
    private readonly FileSync.Call? _sync;
    private long _end;
    private bool _begun;
    private bool _complete;

    private FileSink(string name, FileStream stream, bool isNew, FileSync.Call? sync)
    {
        _sync = sync;
        Name = name;
        FileIdentity? identity = FileIdentity.Of(name);
        GapsReadAsZero = identity is { IsRegular: true };
        _stream = stream;
        _writeBehind = new(stream.SafeFileHandle);
        if (isNew)
            _new = identity;
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public long BytesWritten { get; private set; }

    /// <inheritdoc/>
    public bool GapsReadAsZero { get; }

    /// <summary>Creates a file that only its owner may read and write (mode 0600): a dump holds the secrets of the machine.</summary>
    /// <param name="path">The path; it becomes the sink's name as it is.</param>
    /// <param name="overwrite">True to reuse an existing file, which is emptied with the
    /// first write; false to refuse it, a dangling symbolic link included.</param>
    /// <exception cref="FileAccessException">The file exists and <paramref name="overwrite"/> is false, or the system refuses.</exception>
    public static FileSink Create(string path, bool overwrite) => Create(path, overwrite, sync: null);

    /// <summary>As <see cref="Create(string, bool)"/>.</summary>
    /// <param name="path">The path.</param>
    /// <param name="overwrite">True to reuse an existing file.</param>
    /// <param name="sync">Asks whether the file has reached its device; null for fsync(2).</param>
    internal static FileSink Create(string path, bool overwrite, FileSync.Call? sync)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
            throw new FileAccessException(path, overwrite ? "cannot create: Is a directory" : "cannot create: File exists (a directory)");
        try
        {
            // A link that leads nowhere is there too: what it leads to is made, and is not ours to take away.
            bool isNew = !overwrite || !File.Exists(path);
            var options = new FileStreamOptions
            {
                Mode = isNew ? FileMode.CreateNew : FileMode.OpenOrCreate,
                Access = FileAccess.Write,
                Share = FileShare.ReadWrite | FileShare.Delete,
                BufferSize = 0,
            };
            if (!OperatingSystem.IsWindows())
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            return new FileSink(path, new(path, options), isNew, sync);
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
            Begin();
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
            Begin();
            if (length > _end)
                Extend(length);
            FileSync.Flush(_stream.SafeFileHandle, Name, _sync);
            _complete = true;
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
        try
        {
            if (!_complete && _new is { } mine && !_stream.SafeFileHandle.IsClosed
                && RandomAccess.GetLength(_stream.SafeFileHandle) == 0 && FileIdentity.Of(Name) == mine)
                File.Delete(Name);
        }
        catch (Exception e) when (FileErrors.IsRefusal(e))
        {
            // An empty file is no harm.
        }

        _stream.Dispose();
    }

    /// <summary>Makes an existing file what a new one is: empty, and its owner's alone.</summary>
    private void Begin()
    {
        if (_begun)
            return;
        if (_new is null && GapsReadAsZero)
        {
            // It may have been readable by everyone.
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(_stream.SafeFileHandle, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            RandomAccess.SetLength(_stream.SafeFileHandle, 0);
        }

        _begun = true;
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
