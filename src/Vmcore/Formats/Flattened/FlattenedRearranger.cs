using System.Buffers.Binary;
using Vmcore.IO;

namespace Vmcore.Formats.Flattened;

/// <summary>Puts a flattened stream together to the file that it describes, while it comes in: from a pipe, in one pass.</summary>
public static class FlattenedRearranger
{
    private const int BlockBytes = 1 << 20;

    /// <summary>Reads the stream to its end record and writes the file.</summary>
    /// <param name="stream">The stream; it is only read forwards.</param>
    /// <param name="name">Its name for errors.</param>
    /// <param name="output">The file, empty so far. What is zero in the stream is left out where the file would be zero anyhow.</param>
    /// <returns>Length of the file in bytes.</returns>
    /// <exception cref="DumpFormatException">It is no flattened stream, or it ends before its end record; what came before is in the output.</exception>
    /// <exception cref="FileAccessException">The output refused, or the stream failed.</exception>
    public static long Rearrange(Stream stream, string name, IByteSink output)
    {
        byte[] block = new byte[BlockBytes];
        var input = new Input(stream, name);
        Span<byte> start = block.AsSpan(0, FlattenedFormat.HeaderSize);
        input.ReadExactly(start, "flattened header");
        if (!start.StartsWith(FlattenedFormat.Signature))
            throw new DumpFormatException(name, 0, "flattened signature", "0x" + Convert.ToHexString(start[..16]), "makedumpfile");
        long type = BinaryPrimitives.ReadInt64BigEndian(start[16..]);
        if (type != FlattenedFormat.Type)
            throw new DumpFormatException(name, 16, "flattened type", $"{type}", $"{FlattenedFormat.Type}");
        Span<byte> record = stackalloc byte[FlattenedFormat.RecordHeaderSize];
        long end = 0;
        while (true)
        {
            long position = input.Position;
            input.ReadExactly(record, "flattened record header");
            long offset = BinaryPrimitives.ReadInt64BigEndian(record), length = BinaryPrimitives.ReadInt64BigEndian(record[8..]);
            if (offset == FlattenedFormat.EndMark && length == FlattenedFormat.EndMark)
            {
                output.Complete(end);
                return end;
            }

            if (offset < 0 || length < 0 || offset > long.MaxValue - length)
                throw new DumpFormatException(name, position, "flattened record", $"offset {offset}, length {length}", "both 0 or more, or both -1 at the end");
            if (!output.GapsReadAsZero)
                Holes.Fill(output, end, offset);
            while (length > 0)
            {
                Span<byte> part = block.AsSpan(0, (int)Math.Min(length, block.Length));
                int read = input.Read(part);
                Holes.Write(output, offset, part[..read], written: end);
                offset += read;
                end = Math.Max(end, offset);
                if (read < part.Length)
                {
                    // What came last may have been zero, and left out.
                    output.Complete(end);
                    throw input.Truncated("flattened record", read, part.Length);
                }

                length -= read;
            }
        }
    }

    private sealed class Input(Stream stream, string name)
    {
        internal long Position { get; private set; }

        /// <summary>Fills the buffer.</summary>
        /// <exception cref="DumpFormatException">The stream ends before it is full.</exception>
        internal void ReadExactly(Span<byte> buffer, string what)
        {
            int read = Read(buffer);
            if (read < buffer.Length)
                throw Truncated(what, read, buffer.Length);
        }

        /// <summary>Fills the buffer as far as the stream goes. One that has ended says so at once: there is nothing to wait for.</summary>
        /// <returns>Bytes read; fewer than asked for only at the end.</returns>
        internal int Read(Span<byte> buffer)
        {
            int done = 0;
            while (done < buffer.Length)
            {
                int read;
                try
                {
                    read = stream.Read(buffer[done..]);
                }
                catch (Exception e) when (FileErrors.IsRefusal(e))
                {
                    throw FileErrors.Describe(name, "read", e);
                }

                if (read <= 0)
                    break;
                done += read;
                Position += read;
            }

            return done;
        }

        internal DumpFormatException Truncated(string what, int read, int expected) =>
            new(name, Position, what, $"the end of the stream after {read} bytes of it", $"{expected} bytes");
    }
}
