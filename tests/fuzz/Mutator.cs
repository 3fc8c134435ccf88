using System.Buffers.Binary;

namespace Vmcore.Fuzz;

/// <summary>Damages bytes, by seed: bits, numbers at the edges of what fields hold, pointers put elsewhere, noise, blocks that repeat.</summary>
internal sealed class Mutator(int seed)
{
    private static readonly ulong[] s_values =
    [
        0, 1, 2, 7, 8, 0xff, 0xfff, 0x1000, 0x7fff, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_fff0, 0xffff_ffff, 1UL << 32, 1UL << 40, 1UL << 45,
        1UL << 46, 1UL << 52, 1UL << 62, 1UL << 63, ulong.MaxValue - 4095, ulong.MaxValue, 0xffff_8880_0000_0000, 0xffff_ea00_0000_0000, 0xffff_ffff_8100_0000,
    ];

    /// <summary>The source of everything that is chance.</summary>
    internal Random Random { get; } = new(seed);

    /// <summary>Damages a copy of bytes in one to five places, and in one of eight cuts it.</summary>
    /// <param name="bytes">The sound bytes.</param>
    /// <param name="head">Bytes at the start that every second damage is in: headers.</param>
    internal byte[] Damage(ReadOnlySpan<byte> bytes, int head = 0)
    {
        byte[] copy = bytes.ToArray();
        if (copy.Length == 0)
            return copy;
        for (int change = Random.Next(1, 6); change > 0; change--)
        {
            int end = head > 0 && Random.Next(2) == 0 ? Math.Min(head, copy.Length) : copy.Length, at = Random.Next(end);
            byte[] patch = Patch(copy, at);
            patch.AsSpan(0, Math.Min(patch.Length, copy.Length - at)).CopyTo(copy.AsSpan(at));
        }

        return Random.Next(8) == 0 ? copy[..Random.Next(copy.Length)] : copy;
    }

    /// <summary>What to write at a place.</summary>
    /// <param name="bytes">The bytes around it, as they are now.</param>
    /// <param name="at">The place in these.</param>
    internal byte[] Patch(ReadOnlySpan<byte> bytes, int at)
    {
        byte[] word = new byte[8];
        bytes.Slice(at, Math.Min(8, bytes.Length - at)).CopyTo(word);
        int width = 1 << Random.Next(4);
        ulong now = BinaryPrimitives.ReadUInt64LittleEndian(word);
        switch (Random.Next(7))
        {
            case 0:
                return [(byte)(word[0] ^ (1 << Random.Next(8)))];
            case 1 or 2:
                BinaryPrimitives.WriteUInt64LittleEndian(word, s_values[Random.Next(s_values.Length)]);
                return word[..width];
            case 3:
                BinaryPrimitives.WriteUInt64LittleEndian(word, now + (ulong)Random.Next(-64, 65));
                return word[..width];
            case 4:
                byte[] noise = new byte[Random.Next(1, 64)];
                Random.NextBytes(noise);
                return noise;
            case 5:
                // Another word of the same input: a pointer that leads somewhere.
                int from = Random.Next(bytes.Length) & ~7;
                return bytes.Slice(from, Math.Min(8, bytes.Length - from)).ToArray();
            default:
                int start = Random.Next(bytes.Length);
                return bytes.Slice(start, Math.Min(Random.Next(8, 128), bytes.Length - start)).ToArray();
        }
    }
}
