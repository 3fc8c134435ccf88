using System.Buffers.Binary;
using Vmcore.IO;
using Vmcore.Testing;

namespace Vmcore.Tests.Dumping;

/// <summary>A synthetic vmcore that something happened to: bytes changed, program headers changed, cut off.</summary>
internal sealed class EditedCore(CoreImage core) : IByteSource
{
    private readonly List<(long Offset, byte[] Bytes)> _edits = [];
    private long _length = core.Length;

    public string Name => "edited";

    public long Length => _length;

    /// <summary>The PT_LOADs as they are now.</summary>
    public IReadOnlyList<CoreSegment> Segments { get; private set; } = core.Segments;

    /// <summary>Changes bytes of the file.</summary>
    public EditedCore Write(long offset, params byte[] bytes)
    {
        _edits.Add((offset, bytes));
        return this;
    }

    /// <summary>Changes bytes of physical memory, which must be in the file; wherever they are in it.</summary>
    public EditedCore WritePhysical(ulong address, params byte[] bytes)
    {
        CoreSegment[] segments = [.. core.Segments.Where(s => s.Physical <= address && address + (ulong)bytes.Length <= s.Physical + s.FileSize)];
        Assert.NotEmpty(segments);
        foreach (CoreSegment segment in segments)
            Write((long)(segment.Offset + (address - segment.Physical)), bytes);
        return this;
    }

    public EditedCore WritePhysical64(ulong address, ulong value)
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        return WritePhysical(address, bytes);
    }

    /// <summary>Cuts the file off.</summary>
    public EditedCore Truncate(long length)
    {
        _length = length;
        return this;
    }

    /// <summary>Cuts the file off where a physical page starts.</summary>
    public EditedCore TruncateAt(ulong address)
    {
        CoreSegment segment = core.Segments.Last(s => s.Physical <= address && address < s.Physical + s.FileSize);
        return Truncate((long)(segment.Offset + (address - segment.Physical)));
    }

    /// <summary>Takes a physical range out of the PT_LOADs, as if the machine had no memory there.</summary>
    public EditedCore Hole(ulong start, ulong end)
    {
        List<CoreSegment> segments = [];
        foreach (CoreSegment s in Segments)
        {
            ulong last = s.Physical + s.MemorySize;
            if (end <= s.Physical || start >= last)
            {
                segments.Add(s);
                continue;
            }

            if (start > s.Physical)
                segments.Add(s with { FileSize = Math.Min(s.FileSize, start - s.Physical), MemorySize = start - s.Physical });
            if (end < last)
            {
                ulong skipped = end - s.Physical;
                segments.Add(s with
                {
                    Physical = end,
                    Virtual = s.Virtual + skipped,
                    Offset = s.Offset + skipped,
                    FileSize = s.FileSize - skipped,
                    MemorySize = s.MemorySize - skipped,
                });
            }
        }

        return SetSegments(segments);
    }

    /// <summary>Replaces the PT_LOADs; there is room for 60 behind the ELF header.</summary>
    public EditedCore SetSegments(IReadOnlyList<CoreSegment> segments)
    {
        Assert.InRange(segments.Count, 1, 60);
        Segments = segments;
        byte[] table = new byte[segments.Count * 56];
        for (int i = 0; i < segments.Count; i++)
        {
            CoreSegment s = segments[i];
            Span<byte> entry = table.AsSpan(i * 56);
            BinaryPrimitives.WriteUInt32LittleEndian(entry, 1);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[4..], s.Flags);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], s.Offset);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[16..], s.Virtual);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[24..], s.Physical);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[32..], s.FileSize);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[40..], s.MemorySize);
        }

        byte[] count = new byte[2];
        BinaryPrimitives.WriteUInt16LittleEndian(count, (ushort)(segments.Count + 1));
        return Write(56, count).Write(64 + 56, table);
    }

    public int Read(long offset, Span<byte> buffer)
    {
        if (offset >= _length)
            return 0;
        buffer = buffer[..(int)Math.Min(buffer.Length, _length - offset)];
        int read = core.Read(offset, buffer);
        foreach ((long at, byte[] bytes) in _edits)
        {
            long from = Math.Max(at, offset), to = Math.Min(at + bytes.Length, offset + read);
            if (from < to)
                bytes.AsSpan((int)(from - at), (int)(to - from)).CopyTo(buffer[(int)(from - offset)..]);
        }

        return read;
    }

    public void Dispose()
    {
    }
}
