using System.Buffers.Binary;
using Vmcore.IO;

namespace Vmcore.Tests.Robustness;

/// <summary>A file in memory that is damaged for one round and whole again for the next.</summary>
internal sealed class HostileSource(byte[] bytes) : IByteSource
{
    private readonly Stack<(int Offset, byte[] Before)> _undo = new();

    public string Name => "hostile";

    public long Length { get; private set; } = bytes.Length;

    /// <summary>The bytes as they are now; change them through <see cref="Write"/> only.</summary>
    public ReadOnlySpan<byte> Bytes => bytes;

    public HostileSource Write(int offset, ReadOnlySpan<byte> value)
    {
        value = value[..Math.Min(value.Length, bytes.Length - offset)];
        _undo.Push((offset, bytes.AsSpan(offset, value.Length).ToArray()));
        value.CopyTo(bytes.AsSpan(offset));
        return this;
    }

    /// <summary>Writes the low <paramref name="width"/> bytes of a value.</summary>
    public HostileSource WriteNumber(int offset, ulong value, int width = 8)
    {
        Span<byte> word = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(word, value);
        return Write(offset, word[..width]);
    }

    public HostileSource Truncate(long length)
    {
        Length = Math.Min(length, bytes.Length);
        return this;
    }

    /// <summary>Takes all damage back.</summary>
    public void Restore()
    {
        while (_undo.TryPop(out (int Offset, byte[] Before) undo))
            undo.Before.CopyTo(bytes.AsSpan(undo.Offset));
        Length = bytes.Length;
    }

    public int Read(long offset, Span<byte> buffer)
    {
        if (offset >= Length)
            return 0;
        int count = (int)Math.Min(buffer.Length, Length - offset);
        bytes.AsSpan((int)offset, count).CopyTo(buffer);
        return count;
    }

    public void Dispose()
    {
    }
}
