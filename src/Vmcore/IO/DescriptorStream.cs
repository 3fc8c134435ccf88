using System.Runtime.InteropServices;

namespace Vmcore.IO;

/// <summary>
/// Writes to a file descriptor that others write to as well, with write(2). The runtime's file stream keeps an offset of its own, so that whoever has the
/// descriptor next writes over what it wrote; its console stream swallows a broken pipe, and switches terminals to another mode.
/// </summary>
/// <param name="descriptor">The descriptor; it is not closed.</param>
/// <param name="ignoresBrokenPipe">True if nobody has to know that nobody reads any more.</param>
internal sealed partial class DescriptorStream(int descriptor, bool ignoresBrokenPipe) : Stream
{
    private const int Interrupted = 4, TryAgain = 11, BrokenPipe = 32;

    /// <summary>True once nobody reads what is written.</summary>
    internal bool IsBroken { get; private set; }

    /// <inheritdoc/>
    public override bool CanRead => false;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    /// <exception cref="IOException">The system refuses; its HResult is errno.</exception>
    public override unsafe void Write(ReadOnlySpan<byte> buffer)
    {
        fixed (byte* start = buffer)
        {
            for (int done = 0; done < buffer.Length && !IsBroken;)
            {
                nint written = WriteTo(descriptor, start + done, (nuint)(buffer.Length - done));
                if (written >= 0)
                {
                    done += (int)written;
                    continue;
                }

                int error = Marshal.GetLastPInvokeError();
                if (error == TryAgain)
                    Thread.Sleep(1);
                else if (error == BrokenPipe && ignoresBrokenPipe)
                    IsBroken = true;
                else if (error != Interrupted)
                    throw new IOException(Marshal.GetPInvokeErrorMessage(error), error);
            }
        }
    }

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override void Flush()
    {
        // Nothing is kept back.
    }

    /// <summary>Waits until what was written has reached its device, if it is a file.</summary>
    /// <param name="name">Its name, for the error.</param>
    /// <exception cref="FileAccessException">It has not.</exception>
    internal void Sync(string name)
    {
        using var handle = new Microsoft.Win32.SafeHandles.SafeFileHandle(descriptor, ownsHandle: false);
        FileSync.Flush(handle, name);
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static unsafe partial nint WriteTo(int descriptor, byte* bytes, nuint length);
}
