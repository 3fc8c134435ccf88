using System.Buffers.Binary;

namespace Vmcore.Benchmarks;

/// <summary>Pages as a kernel's memory holds them: pointers and small numbers, text, zeros with islands, and noise.</summary>
internal static class PageSet
{
    public const int PageSize = 4096;

    /// <summary>Makes pages, always the same.</summary>
    /// <param name="count">Number of pages.</param>
    /// <returns>The pages one after the other.</returns>
    public static byte[] Create(int count)
    {
        var random = new Random(42);
        var pages = new byte[count * PageSize];
        for (int i = 0; i < count; i++)
        {
            Span<byte> page = pages.AsSpan(i * PageSize, PageSize);
            switch (i % 8)
            {
                case 0 or 1 or 2:
                    FillPointers(page, random);
                    break;
                case 3 or 4:
                    FillText(page, random);
                    break;
                case 5 or 6:
                    FillIslands(page, random);
                    break;
                default:
                    random.NextBytes(page);
                    break;
            }
        }

        return pages;
    }

    private static void FillPointers(Span<byte> page, Random random)
    {
        for (int i = 0; i < page.Length; i += 8)
        {
            ulong value = random.Next(6) switch
            {
                0 or 1 or 2 => 0,
                3 => 0xffff888000000000 + ((ulong)random.Next(1 << 20) << 6),
                4 => 0xffffffff81000000 + ((ulong)random.Next(1 << 10) << 4),
                _ => (ulong)random.Next(256),
            };
            BinaryPrimitives.WriteUInt64LittleEndian(page[i..], value);
        }
    }

    private static void FillText(Span<byte> page, Random random)
    {
        ReadOnlySpan<string> words = ["page", "struct ", "0x", "pmem", " = ", ";\n", "kernel", "return ", "vmemmap", "list_head", "(", ")"];
        for (int i = 0; i < page.Length;)
        {
            foreach (char c in words[random.Next(words.Length)])
            {
                if (i < page.Length)
                    page[i++] = (byte)c;
            }
        }
    }

    private static void FillIslands(Span<byte> page, Random random)
    {
        page.Clear();
        for (int i = 0; i < 12; i++)
        {
            int start = random.Next(page.Length - 64);
            random.NextBytes(page.Slice(start, random.Next(8, 64)));
        }
    }
}
