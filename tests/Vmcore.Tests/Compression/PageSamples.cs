using System.Buffers.Binary;
using CsCheck;
using Vmcore.Compression;

namespace Vmcore.Tests.Compression;

/// <summary>Pages of many kinds, each a function of its seed.</summary>
internal static class PageSamples
{
    public const int Kinds = 9;

    public static readonly PageCodec[] Codecs = [PageCodec.Zlib, PageCodec.Lzo, PageCodec.Snappy, PageCodec.Zstd];

    public static readonly Gen<byte[]> AnyPage = Gen.Select(
        Gen.Int[0, 6], Gen.Int[0, Kinds - 1], Gen.Int, (size, kind, seed) => Page(4096 << Math.Max(0, size - 2), kind, seed));

    /// <summary>Data of any length, for what must not depend on pages being powers of two.</summary>
    public static readonly Gen<byte[]> AnyData = Gen.Select(
        Gen.Int[0, 9000], Gen.Int[0, Kinds - 1], Gen.Int, (size, kind, seed) => Page(size, kind, seed));

    public static byte[] Page(int size, int kind, int seed)
    {
        var random = new Random(seed);
        var page = new byte[size];
        switch (kind)
        {
            case 0:
                random.NextBytes(page);
                break;
            case 1:
                page.AsSpan().Fill((byte)seed);
                break;
            case 2:
                int period = random.Next(1, 40);
                random.NextBytes(page.AsSpan(0, Math.Min(period, size)));
                for (int i = period; i < size; i++)
                    page[i] = page[i - period];
                break;
            case 3:
                Pointers(page, random);
                break;
            case 4:
                Text(page, random);
                break;
            case 5:
                // Few symbols: matches of all lengths at all distances.
                for (int i = 0; i < size; i++)
                    page[i] = (byte)random.Next(random.Next(1, 4));
                break;
            case 6:
                // Mostly zero.
                for (int i = 0; i < size / 50; i++)
                    page[random.Next(size)] = (byte)random.Next(256);
                break;
            case 7:
                Copies(page, random);
                break;
            default:
                // Half noise, half structure: the step of a searcher has grown when the structure comes.
                random.NextBytes(page.AsSpan(0, size / 2));
                Pointers(page.AsSpan(size / 2), random);
                break;
        }

        return page;
    }

    private static void Pointers(Span<byte> page, Random random)
    {
        for (int i = 0; i + 8 <= page.Length; i += 8)
        {
            ulong value = random.Next(6) switch
            {
                0 or 1 => 0,
                2 => 0xffff888000000000 + ((ulong)random.Next(1 << 20) << 6),
                3 => 0xffffffff81000000 + (ulong)random.Next(1 << 22),
                4 => (ulong)random.Next(256),
                _ => (ulong)random.NextInt64(),
            };
            BinaryPrimitives.WriteUInt64LittleEndian(page[i..], value);
        }
    }

    private static void Text(Span<byte> page, Random random)
    {
        string[] words = ["page", "struct ", "0x", "pmem", " = ", ";\n", "kernel", "return ", "vmemmap", "a", "list_head", "(", ")"];
        for (int i = 0; i < page.Length;)
        {
            foreach (char c in words[random.Next(words.Length)])
            {
                if (i < page.Length)
                    page[i++] = (byte)c;
            }
        }
    }

    /// <summary>Literal runs and copies from far and near, of lengths around the borders of the instructions.</summary>
    private static void Copies(Span<byte> page, Random random)
    {
        int i = 0;
        while (i < page.Length)
        {
            int run = Math.Min(random.Next(3) == 0 ? random.Next(600) : random.Next(20), page.Length - i);
            random.NextBytes(page.Slice(i, run));
            i += run;
            if (i == 0)
                continue;
            int distance = random.Next(1, Math.Min(i, random.Next(4) switch { 0 => 16, 1 => 2100, 2 => 17000, _ => 50000 }) + 1);
            int length = Math.Min(random.Next(4) == 0 ? random.Next(700) : random.Next(40), page.Length - i);
            for (int k = 0; k < length; k++, i++)
                page[i] = page[i - distance];
        }
    }
}
