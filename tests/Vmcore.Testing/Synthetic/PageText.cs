using System.Buffers.Binary;
using System.Text;

namespace Vmcore.Testing;

/// <summary>The content of pages that hold no kernel structure: made from kind and pfn, never stored.</summary>
public static class PageText
{
    /// <summary>In every 64th byte of user data on pmem, followed by the pfn: no dump may hold it.</summary>
    public const string PmemCanary = "SYN-PMEM-CANARY";

    /// <summary>In pages of a namespace's metadata range that the kernel never wrote: no dump may hold it either.</summary>
    public const string PmemStale = "SYN-PMEM-STALE";

    /// <summary>In user memory.</summary>
    public const string Anonymous = "SYN-ANON";

    /// <summary>Fills a page with a mark and its pfn, every 64 bytes.</summary>
    public static void FillMarked(Span<byte> page, string mark, ulong pfn)
    {
        byte[] text = Encoding.ASCII.GetBytes($"{mark} {pfn:x}\n");
        page.Clear();
        for (int i = 0; i < page.Length; i += 64)
            text.CopyTo(page[i..]);
    }

    /// <summary>Fills a page with pseudo-random bytes of which half compress well.</summary>
    public static void FillRandom(Span<byte> page, ulong pfn, ulong seed)
    {
        ulong state = (pfn + 1) * 0x9e3779b97f4a7c15 ^ seed * 0xd1342543de82ef95;
        for (int i = 0; i < page.Length; i += 8)
        {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            BinaryPrimitives.WriteUInt64LittleEndian(page[i..], (i & 64) == 0 ? state : pfn | 1);
        }
    }
}
