namespace Vmcore.Compression;

/// <summary>Makes prefix codes of limited length, as DEFLATE wants them: canonical, and with the bits of a code reversed.</summary>
internal static unsafe class HuffmanCode
{
    /// <summary>Most symbols.</summary>
    private const int MaxSymbols = 288;

    /// <summary>Counts below this are sorted by counting, the few others by insertion.</summary>
    private const int Buckets = 64;

    /// <summary>Makes a code.</summary>
    /// <param name="counts">How often each symbol occurs; below 2^22.</param>
    /// <param name="symbols">Number of symbols, at least 2 and at most 288.</param>
    /// <param name="maxLength">Longest code in bits; 2^maxLength is at least the number of symbols.</param>
    /// <param name="lengths">Receives the length of each symbol's code in bits; 0 if it does not occur.</param>
    /// <param name="codes">Receives for each symbol that occurs its code, shifted left by 8, and the code's length in bits; 0 for the others.</param>
    /// <returns>Bits of all symbols together.</returns>
    public static uint Build(uint* counts, int symbols, int maxLength, byte* lengths, uint* codes)
    {
        uint* present = stackalloc uint[MaxSymbols + 1], keys = stackalloc uint[MaxSymbols];
        int used = Sort(counts, symbols, present, keys);
        new Span<byte>(lengths, symbols).Clear();
        new Span<uint>(codes, symbols).Clear();
        if (used < 2)
        {
            // A code needs two symbols to be complete; one of them, or both, will not occur.
            int only = used == 0 ? 0 : (int)(keys[0] & 511), other = only == 0 ? 1 : 0;
            lengths[only] = lengths[other] = 1;
            codes[Math.Min(only, other)] = 1;
            codes[Math.Max(only, other)] = (1 << 8) | 1;
            return counts[only];
        }

        uint* lengthCounts = stackalloc uint[17];
        CountLengths(keys, used, maxLength, lengthCounts);
        int next = 0;
        uint bits = 0;
        for (int length = maxLength; length > 0; length--)
        {
            for (uint i = lengthCounts[length]; i > 0; i--)
            {
                uint key = keys[next++];
                lengths[key & 511] = (byte)length;
                bits += (key >> 9) * (uint)length;
            }
        }

        uint* firstCodes = stackalloc uint[17];
        uint code = 0;
        for (int length = 1; length <= maxLength; length++)
            firstCodes[length] = code = (code + (length > 1 ? lengthCounts[length - 1] : 0)) << 1;
        for (int i = 0; i < used; i++)
        {
            uint symbol = present[i] & 511;
            int length = lengths[symbol];
            codes[symbol] = ((Reverse(firstCodes[length]++) >> (16 - length)) << 8) | (uint)length;
        }

        return bits;
    }

    /// <summary>Sorts the symbols that occur, rarest first, as count shifted left by 9 and symbol.</summary>
    private static int Sort(uint* counts, int symbols, uint* present, uint* keys)
    {
        // Which symbols occur cannot be predicted, so nothing branches on it.
        int used = 0;
        for (int i = 0; i < symbols; i++)
        {
            present[used] = (counts[i] << 9) | (uint)i;
            used += counts[i] != 0 ? 1 : 0;
        }

        ushort* starts = stackalloc ushort[Buckets + 1];
        new Span<ushort>(starts, Buckets + 1).Clear();
        for (int i = 0; i < used; i++)
            starts[Math.Min(present[i] >> 9, Buckets - 1) + 1]++;
        for (int i = 1; i <= Buckets; i++)
            starts[i] += starts[i - 1];
        int large = starts[Buckets - 1];
        for (int i = 0; i < used; i++)
            keys[starts[Math.Min(present[i] >> 9, Buckets - 1)]++] = present[i];

        for (int i = large + 1; i < used; i++)
        {
            uint key = keys[i];
            int at = i;
            for (; at > large && keys[at - 1] > key; at--)
                keys[at] = keys[at - 1];
            keys[at] = key;
        }

        return used;
    }

    /// <summary>Counts the codes of each length of an optimal code (in place, after Moffat and Katajainen), and shortens those that are too long.</summary>
    private static void CountLengths(uint* keys, int used, int maxLength, uint* lengthCounts)
    {
        int* tree = stackalloc int[MaxSymbols];
        for (int i = 0; i < used; i++)
            tree[i] = (int)(keys[i] >> 9);
        tree[0] += tree[1];
        int root = 0, leaf = 2;
        for (int next = 1; next < used - 1; next++)
        {
            if (leaf >= used || tree[root] < tree[leaf])
            {
                tree[next] = tree[root];
                tree[root++] = next;
            }
            else
            {
                tree[next] = tree[leaf++];
            }

            if (leaf >= used || (root < next && tree[root] < tree[leaf]))
            {
                tree[next] += tree[root];
                tree[root++] = next;
            }
            else
            {
                tree[next] += tree[leaf++];
            }
        }

        // Parents become depths, and from the number of inner nodes at each depth follows that of the leaves.
        tree[used - 2] = 0;
        for (int next = used - 3; next >= 0; next--)
            tree[next] = tree[tree[next]] + 1;
        new Span<uint>(lengthCounts, 17).Clear();
        int available = 1, depth = 0;
        for (root = used - 2; available > 0; depth++)
        {
            int inner = 0;
            while (root >= 0 && tree[root] == depth)
            {
                inner++;
                root--;
            }

            lengthCounts[Math.Min(depth, maxLength)] += (uint)(available - inner);
            available = 2 * inner;
        }

        uint total = 0;
        for (int length = 1; length <= maxLength; length++)
            total += lengthCounts[length] << (maxLength - length);
        for (; total > 1u << maxLength; total--)
        {
            int length = maxLength - 1;
            while (lengthCounts[length] == 0)
                length--;
            lengthCounts[maxLength]--;
            lengthCounts[length]--;
            lengthCounts[length + 1] += 2;
        }
    }

    private static uint Reverse(uint code)
    {
        code = ((code & 0x5555) << 1) | ((code >> 1) & 0x5555);
        code = ((code & 0x3333) << 2) | ((code >> 2) & 0x3333);
        code = ((code & 0x0f0f) << 4) | ((code >> 4) & 0x0f0f);
        return ((code & 0xff) << 8) | ((code >> 8) & 0xff);
    }
}
