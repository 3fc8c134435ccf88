using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Vmcore.IO;

/// <summary>
/// A file read at offsets with pread: a regular file, a block device, <c>/proc/vmcore</c> or <c>/proc/kcore</c>. Safe for several threads: a file of which the
/// kernel does not promise that one descriptor may be read by two at once (<see cref="SharesDescriptor"/>) is opened once more for each.
/// </summary>
public sealed partial class FileSource : IByteSource
{
    private readonly SafeFileHandle _handle;
    private readonly OpenFiles? _own;
    private readonly PositionedRead _read;
    private volatile bool _hasShrunk;

    private FileSource(string name, SafeFileHandle handle, long length, bool shares, PositionedRead read)
    {
        Name = name;
        _handle = handle;
        Length = length;
        _read = read;
        if (!shares)
            _own = new(handle, () => Reopen(handle));
    }

    /// <summary>pread(2).</summary>
    internal delegate int PositionedRead(SafeFileHandle file, Span<byte> buffer, long offset);

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public long Length { get; }

    /// <inheritdoc/>
    public bool HasShrunk => _hasShrunk;

    /// <summary>True if several threads may read through one descriptor at once: a regular file or a block device. What else a kernel offers may keep a buffer
    /// for each open file, as <c>/proc/kcore</c> does, and is not trusted with it.</summary>
    public bool SharesDescriptor => _own is null;

    /// <summary>The open file, for what else can be done with it.</summary>
    internal SafeFileHandle Handle => _handle;

    /// <summary>Opens a file for reading.</summary>
    /// <param name="path">The path; it becomes the source's name as it is.</param>
    /// <exception cref="FileAccessException">The file is missing, is a directory or a pipe, or may not be read.</exception>
    public static FileSource Open(string path) => Open(path, shares: null, RandomAccess.Read);

    /// <summary>As <see cref="Open(string)"/>.</summary>
    /// <param name="path">The path.</param>
    /// <param name="shares">Whether several threads may read through one descriptor; null to find out.</param>
    /// <param name="read">What reads.</param>
    internal static FileSource Open(string path, bool? shares, PositionedRead read)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (path.Length == 0)
            throw new FileAccessException("''", "cannot open: the name is empty");
        // The runtime answers "access denied" for a directory, which would send the operator after permissions.
        if (Directory.Exists(path))
            throw new FileAccessException(path, "cannot open: Is a directory");
        SafeFileHandle? handle = null;
        try
        {
            handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            long length = RandomAccess.GetLength(handle);
            // A block device has st_size 0. So has an empty file, for which the probe ends at once.
            if (length == 0)
                length = ProbeLength(handle);
            return new FileSource(path, handle, length, shares ?? IsShareable(path, handle), read);
        }
        catch (NotSupportedException e)
        {
            handle?.Dispose();
            throw new FileAccessException(path, "cannot open: it is a pipe or a terminal, and a dump must be read at offsets", inner: e);
        }
        catch (Exception e) when (FileErrors.IsRefusal(e))
        {
            handle?.Dispose();
            throw FileErrors.Describe(path, "open", e);
        }
    }

    /// <inheritdoc/>
    public int Read(long offset, Span<byte> buffer)
    {
        buffer = this.Within(offset, buffer);
        if (buffer.IsEmpty)
            return 0;
        int done = 0;
        SafeFileHandle file = _own?.Take() ?? _handle;
        try
        {
            // /proc/vmcore and devices may answer with less than what is there.
            while (done < buffer.Length)
            {
                int read = _read(file, buffer[done..], offset + done);
                if (read <= 0)
                {
                    _hasShrunk = true;
                    break;
                }

                done += read;
            }
        }
        catch (Exception e) when (FileErrors.IsRefusal(e) && e is not ObjectDisposedException)
        {
            // The device fails here. What came before is good; the caller sees a short read.
        }
        finally
        {
            _own?.Return(file);
        }

        return done;
    }

    /// <inheritdoc/>
    public long NextData(long offset)
    {
        const int Data = 3, NoSuchData = 6;
        if (!SharesDescriptor || offset < 0 || offset >= Length)
            return offset;

        // lseek(2) with SEEK_DATA: what knows of no holes gives the offset itself, or refuses. Reads are by offset and care for no position.
        long data = Seek(_handle, offset, Data);
        if (data >= 0)
            return Math.Clamp(data, offset, Length);

        // A file that has become shorter has no data there either: a read will find that out.
        return Marshal.GetLastPInvokeError() == NoSuchData && RandomAccess.GetLength(_handle) >= Length ? Length : offset;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _own?.Dispose();
        _handle.Dispose();
    }

    /// <summary>True for what goes through the page cache, which has its own locks.</summary>
    private static bool IsShareable(string path, SafeFileHandle handle) =>
        FileIdentity.Of(path) is { } file && (file.IsBlockDevice || (file.IsRegular && !ProcFiles.Has(handle)));

    /// <summary>Opens a file once more by its descriptor, whatever its path leads to by now; unlike dup(2) that gives an open
    /// file description of its own.</summary>
    private static SafeFileHandle? Reopen(SafeFileHandle file)
    {
        try
        {
            string path = string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{file.DangerousGetHandle()}");
            return File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (Exception e) when (FileErrors.IsRefusal(e))
        {
            return null;
        }
    }

    /// <summary>Finds the end of a device by asking for single bytes: doubling, then halving. At most some 120 reads.</summary>
    private static long ProbeLength(SafeFileHandle handle)
    {
        if (!IsInside(handle, 0))
            return 0;
        long inside = 0, outside = 1L << 20;
        while (IsInside(handle, outside))
        {
            inside = outside;
            if (outside > long.MaxValue / 4)
                return outside;
            outside *= 2;
        }

        while (outside - inside > 1)
        {
            long middle = inside + ((outside - inside) / 2);
            if (IsInside(handle, middle))
                inside = middle;
            else
                outside = middle;
        }

        return outside;
    }

    private static bool IsInside(SafeFileHandle handle, long offset)
    {
        const int IoError = 5;
        Span<byte> one = stackalloc byte[1];
        try
        {
            return RandomAccess.Read(handle, one, offset) == 1;
        }
        catch (IOException e)
        {
            // A bad block is still a block of the device.
            return e.HResult == IoError;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    private static partial long Seek(SafeFileHandle file, long offset, int whence);
}
