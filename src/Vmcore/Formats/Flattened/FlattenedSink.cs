using Microsoft.Win32.SafeHandles;
using Vmcore.IO;

namespace Vmcore.Formats.Flattened;

/// <summary>Writes a flattened stream, usually to the standard output. Writes that follow on each other share a record.</summary>
public sealed class FlattenedSink : IByteSink
{
    private const int RecordBytes = 1024 * 1024;

    private readonly Stream _stream;
    private readonly bool _leaveOpen;

    // The record under construction, its header first so that one write takes both.
    private readonly byte[] _record = new byte[FlattenedFormat.RecordHeaderSize + RecordBytes];
    private long _recordOffset;
    private int _recordLength;
    private long _end;
    private bool _started;
    private bool _completed;

    /// <summary>Creates a sink; nothing is written before the first record is full.</summary>
    /// <param name="stream">The target; it is only written forwards.</param>
    /// <param name="name">The name for errors and reports.</param>
    /// <param name="leaveOpen">True if disposing of the sink leaves the stream open.</param>
    public FlattenedSink(Stream stream, string name = "STDOUT", bool leaveOpen = false)
    {
        _stream = stream;
        _leaveOpen = leaveOpen;
        Name = name;
    }

    /// <summary>Creates a sink on the standard output, which stays open when the sink is disposed of.</summary>
    /// <remarks>The console's own stream will not do: it swallows a broken pipe, and the lost dump would be reported as saved.</remarks>
    /// <exception cref="FileAccessException">The standard output is closed.</exception>
    public static FlattenedSink ToStandardOutput() => To(new SafeFileHandle(1, ownsHandle: false), "STDOUT");

    /// <inheritdoc/>
    public string Name { get; }

    /// <summary>Bytes of the described file handed over so far, counting each write; without the stream's own headers.</summary>
    public long BytesWritten { get; private set; }

    /// <inheritdoc/>
    public bool GapsReadAsZero => false;

    /// <inheritdoc/>
    public void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ThrowIfCompleted();
        if (bytes.IsEmpty)
            return;
        long end = checked(offset + bytes.Length);
        BytesWritten += bytes.Length;
        _end = Math.Max(_end, end);
        while (!bytes.IsEmpty)
        {
            if (_recordLength == RecordBytes || (_recordLength > 0 && offset != _recordOffset + _recordLength))
                FlushRecord();
            if (_recordLength == 0)
                _recordOffset = offset;
            int step = Math.Min(bytes.Length, RecordBytes - _recordLength);
            bytes[..step].CopyTo(_record.AsSpan(FlattenedFormat.RecordHeaderSize + _recordLength));
            _recordLength += step;
            offset += step;
            bytes = bytes[step..];
        }
    }

    /// <inheritdoc/>
    public void Complete(long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ThrowIfCompleted();
        // The described file is as long as its last record says.
        if (length > _end)
            Write(length - 1, [0]);
        FlushRecord();
        Span<byte> end = stackalloc byte[FlattenedFormat.RecordHeaderSize];
        FlattenedFormat.WriteRecordHeader(end, FlattenedFormat.EndMark, FlattenedFormat.EndMark);
        Put(end);
        _completed = true;
        try
        {
            _stream.Flush();
            // A file stream writes with offsets of its own. Asking for its handle moves the descriptor's offset behind
            // the dump, so that a process that shares the descriptor does not overwrite it.
            if (_stream is FileStream file)
                FileSync.Flush(file.SafeFileHandle, Name);
        }
        catch (Exception e) when (FileErrors.IsRefusal(e))
        {
            throw FileErrors.Describe(Name, "finish", e);
        }
    }

    /// <summary>Ends the use of the sink. Without <see cref="Complete"/> the stream lacks its end record, so that readers see that it is cut off.</summary>
    public void Dispose()
    {
        if (!_leaveOpen)
            _stream.Dispose();
    }

    /// <summary>Creates a sink on an open file descriptor.</summary>
    internal static FlattenedSink To(SafeFileHandle handle, string name)
    {
        try
        {
            return new FlattenedSink(new FileStream(handle, FileAccess.Write, bufferSize: 0), name);
        }
        catch (Exception e) when (FileErrors.IsRefusal(e))
        {
            throw FileErrors.Describe(name, "open", e);
        }
    }

    private void ThrowIfCompleted()
    {
        if (_completed)
            throw new InvalidOperationException("The flattened stream is complete.");
    }

    private void FlushRecord()
    {
        if (_recordLength == 0)
            return;
        FlattenedFormat.WriteRecordHeader(_record, _recordOffset, _recordLength);
        int length = FlattenedFormat.RecordHeaderSize + _recordLength;
        _recordLength = 0;
        Put(_record.AsSpan(0, length));
    }

    private void Put(ReadOnlySpan<byte> bytes)
    {
        try
        {
            if (!_started)
            {
                _started = true;
                byte[] header = new byte[FlattenedFormat.HeaderSize];
                FlattenedFormat.WriteHeader(header);
                _stream.Write(header);
            }

            _stream.Write(bytes);
        }
        catch (Exception e) when (FileErrors.IsRefusal(e))
        {
            throw FileErrors.Describe(Name, "write", e);
        }
    }
}
