using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Vmcore.Dumping;

/// <summary>A fast 128-bit hash of some bytes. Nothing is trusted to it: what it finds equal is compared.</summary>
internal static class PageHash
{
    private const ulong First = 0x9e3779b97f4a7c15, Second = 0xc2b2ae3d27d4eb4f, Third = 0x165667b19e3779f9, Fourth = 0xd6e8feb86659fd93;

    /// <summary>Hashes bytes, 32 at a time in two lanes of 64-bit multiplications.</summary>
    internal static UInt128 Of(ReadOnlySpan<byte> bytes)
    {
        ulong a = First ^ (ulong)bytes.Length, b = Second;
        while (bytes.Length >= 32)
        {
            ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes[..32]);
            a = Mix(a ^ words[0], words[1] ^ Third) + Second;
            b = Mix(b ^ words[2], words[3] ^ Fourth) + First;
            bytes = bytes[32..];
        }

        foreach (byte value in bytes)
            a = Mix(a ^ value, Fourth);
        return new(Mix(a ^ Third, b ^ Second), Mix(a ^ First, b + Fourth));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Mix(ulong x, ulong y)
    {
        ulong high = Math.BigMul(x, y, out ulong low);
        return high ^ low;
    }
}
