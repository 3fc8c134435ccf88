using System.Buffers.Binary;
using Vmcore.IO;

namespace Vmcore.Cli.Tests.Canaries;

/// <summary>A raw vmcore in which all user data of pmem is canaries, and in which some bytes of RAM are replaced: pointers that went wild.</summary>
/// <param name="inner">The vmcore.</param>
/// <param name="ranges">Offsets in the file, half-open, of user data: multiples of 8.</param>
internal sealed class CanarySource(IByteSource inner, IReadOnlyList<(long Start, long End)> ranges) : IByteSource
{
    /// <summary>Every word of the user data: text with its end, so that a pointer to any of them is a pointer to a string.</summary>
    internal const string Text = "CANARY~";

    /// <summary>What nothing that is shown or written may have in it: the text, its word in hexadecimal and in decimal, its bytes in hexadecimal, alone, in
    /// words of 2 and 4 bytes, and in base 64 (of a run of canaries one in three begins a group of it).</summary>
    internal static IReadOnlyList<string> Traces { get; } =
    [
        Text, "7e5952414e4143", "43414e4152597e", "35563435432591683", "7e 00 43 41 4e 41", "43 41 4e 41 52 59", "4143 414e 5952", "414e4143", "Q0FOQVJZ",
    ];

    private readonly List<(long Offset, byte[] Bytes)> _patches = [];

    /// <summary>What was read since this was set; null to keep no record.</summary>
    internal List<(long Offset, int Length)>? Reads { get; set; }

    /// <summary>True if the words of user data are not text but what <see cref="Word"/> says, except for the pages of which it says nothing.</summary>
    internal Func<long, ulong?> Word { get; set; } = static _ => null;

    public string Name => inner.Name;

    public long Length => inner.Length;

    internal void Patch(long offset, params byte[] bytes) => _patches.Add((offset, bytes));

    internal void Patch(long offset, ulong value)
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        _patches.Add((offset, bytes));
    }

    internal void Restore() => _patches.Clear();

    public int Read(long offset, Span<byte> buffer)
    {
        int read = inner.Read(offset, buffer);
        if (Reads is { } reads)
        {
            lock (reads)
                reads.Add((offset, read));
        }

        foreach ((long start, long end) in ranges)
        {
            for (long at = Math.Max(start, offset & ~7L); at < Math.Min(end, offset + read); at += 8)
                Overlay(at, Word(at) ?? 0x007e_5952_414e_4143, offset, buffer[..read]);
        }

        foreach ((long at, byte[] bytes) in _patches)
        {
            for (int i = 0; i < bytes.Length; i++)
            {
                if (at + i >= offset && at + i < offset + read)
                    buffer[(int)(at + i - offset)] = bytes[i];
            }
        }

        return read;
    }

    public void Dispose()
    {
        // It is opened again and again.
    }

    private static void Overlay(long at, ulong word, long offset, Span<byte> buffer)
    {
        for (int i = 0; i < 8; i++)
        {
            long place = at + i - offset;
            if (place >= 0 && place < buffer.Length)
                buffer[(int)place] = (byte)(word >> (8 * i));
        }
    }
}
