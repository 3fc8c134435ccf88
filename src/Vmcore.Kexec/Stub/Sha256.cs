using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Vmcore.Kexec;

/// <summary>SHA-256 (FIPS 180-4) of whole 64-byte blocks.</summary>
/// <remarks>The platform's own is in a shared library, which a static executable in an initramfs does not have.</remarks>
internal sealed class Sha256
{
    /// <summary>First 32 bits of the fractional parts of the cube roots of the first 64 primes.</summary>
    internal static readonly uint[] RoundConstants = Fractions(64, static p => Math.Cbrt(p), cube: true);

    /// <summary>First 32 bits of the fractional parts of the square roots of the first 8 primes.</summary>
    internal static readonly uint[] InitialState = Fractions(8, static p => Math.Sqrt(p), cube: false);

    private static readonly byte[] Zeros = new byte[1 << 16];
    private readonly uint[] _state = [.. InitialState];
    private readonly uint[] _schedule = new uint[64];

    /// <summary>Bytes hashed so far.</summary>
    public ulong Length { get; private set; }

    /// <summary>The block that ends a message of <paramref name="length"/> bytes, a multiple of 64.</summary>
    public static byte[] Padding(ulong length)
    {
        byte[] block = new byte[64];
        block[0] = 0x80;
        BinaryPrimitives.WriteUInt64BigEndian(block.AsSpan(56), length * 8);
        return block;
    }

    /// <summary>Adds bytes and then zeros, together a multiple of 64.</summary>
    /// <exception cref="ArgumentException">They are not.</exception>
    public void Append(ReadOnlySpan<byte> bytes, ulong zeros)
    {
        if (((ulong)bytes.Length + zeros) % 64 != 0)
            throw new ArgumentException("Only whole blocks.", nameof(zeros));
        Length += (ulong)bytes.Length + zeros;
        int whole = bytes.Length & ~63;
        Blocks(bytes[..whole]);
        if (whole < bytes.Length)
        {
            Span<byte> block = stackalloc byte[64];
            block.Clear();
            bytes[whole..].CopyTo(block);
            Blocks(block);
            zeros -= (ulong)(64 - (bytes.Length - whole));
        }

        for (; zeros > 0; zeros -= Math.Min(zeros, (ulong)Zeros.Length))
            Blocks(Zeros.AsSpan(0, (int)Math.Min(zeros, (ulong)Zeros.Length)));
    }

    /// <summary>Ends the message.</summary>
    /// <returns>The digest as eight words, the first byte of the digest being the high byte of the first word.</returns>
    public uint[] Finish()
    {
        Blocks(Padding(Length));
        return [.. _state];
    }

    private static uint[] Fractions(int count, Func<double, double> root, bool cube)
    {
        // A double holds 53 bits: too few for 32 of the fraction to be right beyond doubt, so correct the last one in integers.
        uint[] result = new uint[count];
        int filled = 0;
        for (int candidate = 2; filled < count; candidate++)
        {
            bool isPrime = true;
            for (int d = 2; d * d <= candidate; d++)
                isPrime &= candidate % d != 0;
            if (!isPrime)
                continue;
            var scaled = new BigInteger(root(candidate) * 4294967296.0);
            BigInteger target = (BigInteger)candidate << (cube ? 96 : 64);
            while (BigInteger.Pow(scaled, cube ? 3 : 2) > target)
                scaled--;
            while (BigInteger.Pow(scaled + 1, cube ? 3 : 2) <= target)
                scaled++;
            result[filled++] = (uint)(scaled & uint.MaxValue);
        }

        return result;
    }

    private void Blocks(ReadOnlySpan<byte> data)
    {
        Span<uint> w = _schedule;
        ref uint k = ref MemoryMarshal.GetArrayDataReference(RoundConstants);
        uint h0 = _state[0], h1 = _state[1], h2 = _state[2], h3 = _state[3], h4 = _state[4], h5 = _state[5], h6 = _state[6], h7 = _state[7];
        for (; data.Length >= 64; data = data[64..])
        {
            for (int i = 0; i < 16; i++)
                w[i] = BinaryPrimitives.ReadUInt32BigEndian(data[(i * 4)..]);
            for (int i = 16; i < 64; i++)
            {
                uint x = w[i - 15], y = w[i - 2];
                uint s0 = BitOperations.RotateRight(x, 7) ^ BitOperations.RotateRight(x, 18) ^ (x >> 3);
                uint s1 = BitOperations.RotateRight(y, 17) ^ BitOperations.RotateRight(y, 19) ^ (y >> 10);
                w[i] = w[i - 16] + s0 + w[i - 7] + s1;
            }

            uint a = h0, b = h1, c = h2, d = h3, e = h4, f = h5, g = h6, h = h7;
            for (int i = 0; i < 64; i++)
            {
                uint t1 = h + (BitOperations.RotateRight(e, 6) ^ BitOperations.RotateRight(e, 11) ^ BitOperations.RotateRight(e, 25))
                    + (g ^ (e & (f ^ g))) + System.Runtime.CompilerServices.Unsafe.Add(ref k, i) + w[i];
                uint t2 = (BitOperations.RotateRight(a, 2) ^ BitOperations.RotateRight(a, 13) ^ BitOperations.RotateRight(a, 22))
                    + (((a | b) & c) | (a & b));
                (h, g, f, e, d, c, b, a) = (g, f, e, d + t1, c, b, a, t1 + t2);
            }

            h0 += a;
            h1 += b;
            h2 += c;
            h3 += d;
            h4 += e;
            h5 += f;
            h6 += g;
            h7 += h;
        }

        (_state[0], _state[1], _state[2], _state[3]) = (h0, h1, h2, h3);
        (_state[4], _state[5], _state[6], _state[7]) = (h4, h5, h6, h7);
    }
}
