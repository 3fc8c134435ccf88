using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Vmcore.IO;

/// <summary>
/// <c>/proc/vmcore</c>, mapped in windows: the kernel then sets up page tables once for some megabytes, where each read maps and unmaps page by
/// page. Safe for several threads.
/// </summary>
/// <remarks>
/// Only for <c>/proc</c>, whose kernel code maps all pages at once: no later access can fail. A file that shrinks while it is mapped would end
/// the process with SIGBUS, so files are read. What cannot be mapped is read, window by window.
/// </remarks>
internal sealed unsafe partial class MappedSource : IByteSource
{
    /// <summary>Bytes of a window; windows start at multiples of it.</summary>
    internal const int WindowSize = 4 << 20;

    /// <summary>Windows that are mapped at a time, at most: 64 MiB of addresses, 128 KiB of page tables.</summary>
    internal const int WindowCount = 16;

    // Reads of this length or more are of the kind that goes on with the next bytes.
    private const int LargeRead = 32 << 10;
    private const int MissesKept = 64;

    private readonly FileSource _file;
    private readonly MapCall _map;
    private readonly Lock _gate = new();
    private readonly Window[] _windows = new Window[WindowCount];
    private readonly long[] _misses = new long[MissesKept];
    private long _clock;
    private bool _disposed;

    /// <summary>Takes a file over; it must not become shorter.</summary>
    /// <param name="file">The file; disposed of with this.</param>
    /// <param name="map">What maps; null for mmap(2).</param>
    internal MappedSource(FileSource file, MapCall? map = null)
    {
        _file = file;
        _map = map ?? Map;
        for (int i = 0; i < _windows.Length; i++)
            _windows[i] = new();
        Array.Fill(_misses, -1);
    }

    /// <summary>Maps a part of a file to read from.</summary>
    /// <param name="file">The open file.</param>
    /// <param name="offset">Byte offset, a multiple of the page size.</param>
    /// <param name="length">Bytes.</param>
    /// <returns>The address; -1 if it cannot be mapped.</returns>
    internal delegate nint MapCall(SafeFileHandle file, long offset, int length);

    /// <inheritdoc/>
    public string Name => _file.Name;

    /// <inheritdoc/>
    public long Length => _file.Length;

    /// <inheritdoc/>
    public bool HasShrunk => _file.HasShrunk;

    /// <summary>True if a window was mapped: the kernel can do it.</summary>
    public bool IsMapped { get; private set; }

    /// <summary>Opens a file the best way for what it is.</summary>
    /// <param name="path">The path; it becomes the source's name as it is.</param>
    /// <param name="mapping">What may be mapped.</param>
    /// <exception cref="FileAccessException">The file is missing, is a directory or a pipe, or may not be read.</exception>
    public static IByteSource OpenBest(string path, MappingChoice mapping)
    {
        FileSource file = FileSource.Open(path);
        if (mapping == MappingChoice.None)
            return file;
        if (ProcFiles.Has(file.Handle))
            return new MappedSource(file);
        return mapping == MappingChoice.AllFiles ? WholeFileMapping.MapOrRead(file) : file;
    }

    /// <inheritdoc/>
    public int Read(long offset, Span<byte> buffer)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        buffer = this.Within(offset, buffer);
        if (buffer.IsEmpty)
            return 0;
        int done = 0;
        while (done < buffer.Length)
        {
            long at = offset + done, number = at / WindowSize;
            int within = (int)(at % WindowSize);
            Span<byte> part = buffer[done..];
            if (part.Length > WindowSize - within)
                part = part[..(WindowSize - within)];
            int read = part.Length;
            if (Acquire(number, part.Length) is { } window)
            {
                new ReadOnlySpan<byte>((byte*)window.Address + within, read).CopyTo(part);
                Release(window);
            }
            else
            {
                read = _file.Read(at, part);
            }

            done += read;
            if (read < part.Length)
                break;
        }

        return done;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed)
                return;
            _disposed = true;
            foreach (Window window in _windows)
                Unmap(window);
        }

        _file.Dispose();
    }

    private static nint Map(SafeFileHandle file, long offset, int length)
    {
        const int ForReading = 1, Private = 2;
        return MapMemory(0, length, ForReading, Private, file, offset);
    }

    // Null: read instead.
    private Window? Acquire(long number, int length)
    {
        lock (_gate)
        {
            Window? oldest = null;
            foreach (Window window in _windows)
            {
                if (window.Number == number)
                    return Take(window);
                if (window.Readers == 0 && (oldest is null || window.Used < oldest.Used))
                    oldest = window;
            }

            // A look at a few bytes is not worth a window; a second one in the same place is.
            ref long miss = ref _misses[number % MissesKept];
            if (oldest is null || (length < LargeRead && miss != number))
            {
                miss = number;
                return null;
            }

            Unmap(oldest);
            int size = (int)Math.Min(WindowSize, Length - (number * WindowSize));
            nint address = _map(_file.Handle, number * WindowSize, size);
            // What cannot be mapped takes a place too, so that it is not tried with each read.
            oldest.Number = number;
            oldest.Address = address == -1 ? 0 : address;
            oldest.Size = size;
            IsMapped |= address != -1;
            return Take(oldest);
        }
    }

    private Window? Take(Window window)
    {
        window.Used = ++_clock;
        if (window.Address == 0)
            return null;
        window.Readers++;
        return window;
    }

    private void Release(Window window)
    {
        lock (_gate)
        {
            window.Readers--;
            if (_disposed)
                Unmap(window);
        }
    }

    private static void Unmap(Window window)
    {
        if (window.Readers > 0)
            return; // Whoever reads in it does this at the end.
        if (window.Address != 0)
            _ = UnmapMemory(window.Address, window.Size);
        window.Address = 0;
        window.Number = -1;
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint MapMemory(nint address, nint length, int protection, int flags, SafeFileHandle file, long offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int UnmapMemory(nint address, nint length);

    private sealed class Window
    {
        /// <summary>Offset in the file divided by <see cref="WindowSize"/>; -1 if the place is free.</summary>
        public long Number = -1;

        /// <summary>Where it is mapped; 0 if it cannot be.</summary>
        public nint Address;

        /// <summary>Bytes: less than <see cref="WindowSize"/> at the end of the file.</summary>
        public int Size;

        /// <summary>Threads that copy from it now.</summary>
        public int Readers;

        /// <summary>When it was last asked for, in reads.</summary>
        public long Used;
    }
}
