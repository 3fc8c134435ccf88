using System.Numerics;
using Vmcore.Kernel.Types;

namespace Vmcore.Kernel.Block;

/// <summary>The tags of requests that are in use: a bitmap in words far from each other (<c>struct sbitmap</c>, lib/sbitmap.c).</summary>
internal static class TagMap
{
    private const ulong WordBits = 64;

    /// <summary>The numbers of the bits that are set.</summary>
    /// <param name="map">The <c>struct sbitmap</c>.</param>
    /// <exception cref="KernelObjectException">It cannot be read, or is larger than any of a kernel.</exception>
    internal static List<int> BitsOf(KernelObject map)
    {
        List<int> bits = [];
        ulong depth = map.Member("depth").AsUInt64();
        if (depth == 0)
            return bits;
        int shift = (int)map.Member("shift").AsUInt64();
        if (depth > (ulong)map.Memory.Limits.BlockTags || shift is < 0 or > 6)
            throw new KernelObjectException($"the map of tags at 0x{map.Address:x} has {depth} bits in words of 2^{shift}");
        KernelObject words = map.Member("map");
        bool hasCleared = words.Dereference().Type.FindMember("cleared") is not null;
        for (ulong first = 0; first < depth; first += 1UL << shift)
        {
            // Bits that were given back are noted apart, and taken out of the word when that is full.
            KernelObject word = words.Element((long)(first >> shift));
            ulong set = word.Member("word").AsUInt64() & ~(hasCleared ? word.Member("cleared").AsUInt64() : 0);
            ulong count = Math.Min(Math.Min(1UL << shift, WordBits), depth - first);
            set &= count == WordBits ? ulong.MaxValue : (1UL << (int)count) - 1;
            for (; set != 0; set &= set - 1)
                bits.Add((int)first + BitOperations.TrailingZeroCount(set));
        }

        return bits;
    }
}
