using System.Buffers;
using System.Runtime.InteropServices;

namespace Vmcore.Kexec;

/// <summary>
/// Bytes outside of the collected heap that grow in place: an image takes its own size and no more, and gives it back at once. A machine that
/// loads a crash kernel may have little memory left.
/// </summary>
/// <remarks>
/// What <see cref="MemoryManager{T}.Memory"/> answered before <see cref="Append"/> or disposal must not be used any more. Without disposal, the
/// bytes stay until the process ends.
/// </remarks>
internal sealed unsafe class ImageBuffer : MemoryManager<byte>
{
    private byte* _bytes;
    private nuint _capacity;

    /// <summary>Makes an empty one.</summary>
    /// <param name="expected">Bytes that will probably come.</param>
    public ImageBuffer(long expected) => Reserve((nuint)Math.Max(1, expected));

    /// <summary>Bytes in it.</summary>
    public int Length { get; private set; }

    /// <summary>Reads a stream to its end.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="limit">Most bytes to take.</param>
    /// <returns>False if there are more than that.</returns>
    public bool Append(Stream stream, int limit)
    {
        while (true)
        {
            // One byte more than is expected: so the end is seen without growing.
            Reserve((nuint)Length + 1);
            int count = stream.Read(new Span<byte>(_bytes + Length, (int)Math.Min(_capacity - (nuint)Length, int.MaxValue)));
            if (count == 0)
                return true;
            Length += count;
            if (Length > limit)
                return false;
        }
    }

    /// <summary>Sets the number of bytes; those that come in addition have no content yet.</summary>
    public void Resize(int length)
    {
        Reserve((nuint)length);
        Length = length;
    }

    /// <inheritdoc/>
    public override Span<byte> GetSpan() => new(_bytes, Length);

    /// <inheritdoc/>
    public override MemoryHandle Pin(int elementIndex = 0) => new(_bytes + elementIndex, default, this);

    /// <inheritdoc/>
    public override void Unpin()
    {
        // It never moves while it is read.
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        NativeMemory.Free(_bytes);
        _bytes = null;
        _capacity = 0;
        Length = 0;
    }

    // The C library moves large blocks by their page tables, so that growing takes no second copy.
    private void Reserve(nuint capacity)
    {
        if (capacity <= _capacity)
            return;
        nuint grown = Math.Max(capacity, _capacity + (_capacity / 4) + 65536);
        _bytes = (byte*)NativeMemory.Realloc(_bytes, grown);
        _capacity = grown;
    }
}
