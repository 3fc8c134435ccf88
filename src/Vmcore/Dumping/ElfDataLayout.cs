using Vmcore.Formats.Elf;

namespace Vmcore.Dumping;

/// <summary>
/// Says where the content of each segment lies in an ELF dump. Segments that overlap share it: QEMU's dumps with paging have a page in several
/// segments, and a damaged header could have it in a hundred thousand.
/// </summary>
internal static class ElfDataLayout
{
    /// <summary>
    /// How far pages are off the page boundaries of a file whose segments have more in memory than in the file. makedumpfile 1.7.2 maps files whose pages lie
    /// on boundaries, takes the size in memory for that in the file, and is killed by SIGBUS or takes other pages for those left out. Its own dumps never do.
    /// </summary>
    internal const ulong Shift = 512;

    /// <summary>Gives the segments their offsets.</summary>
    /// <param name="segments">The segments; those without content keep offset 0.</param>
    /// <param name="start">First byte of the file that is free.</param>
    /// <param name="pageSize">Page size in bytes.</param>
    /// <returns>What is to be written: blocks of memory that do not overlap, ascending, each as a segment with its offset.</returns>
    internal static List<ElfSegment> Place(List<ElfSegment> segments, long start, int pageSize)
    {
        List<ElfSegment> blocks = [];
        int[] order = [.. Enumerable.Range(0, segments.Count).Where(i => segments[i].FileSize > 0).OrderBy(i => segments[i].PhysicalAddress)];
        foreach (int index in order)
        {
            ElfSegment segment = segments[index];
            ulong end = segment.PhysicalAddress + segment.FileSize;
            if (blocks.Count > 0 && blocks[^1] is var last && segment.PhysicalAddress < last.PhysicalEnd)
                blocks[^1] = Block(last.PhysicalAddress, Math.Max(last.PhysicalEnd, end));
            else
                blocks.Add(Block(segment.PhysicalAddress, end));
        }

        ulong page = (ulong)pageSize, at = (ulong)start, shift = segments.Exists(static s => s.MemorySize > s.FileSize) ? Shift : 0;
        for (int i = 0; i < blocks.Count; i++)
        {
            // The offset has the address's place in the page, but for the shift: a file that nothing was left out of can be mapped.
            at = ((at + page - 1) & ~(page - 1)) + shift + (blocks[i].PhysicalAddress & (page - 1));
            blocks[i] = blocks[i] with { Offset = at };
            at += blocks[i].FileSize;
        }

        int block = 0;
        foreach (int index in order)
        {
            ElfSegment segment = segments[index];
            while (blocks[block].PhysicalEnd <= segment.PhysicalAddress)
                block++;
            segments[index] = segment with { Offset = blocks[block].Offset + (segment.PhysicalAddress - blocks[block].PhysicalAddress) };
        }

        return blocks;
    }

    private static ElfSegment Block(ulong start, ulong end) => new(ElfConstants.LoadSegment, 0, 0, 0, start, end - start, end - start, 0);
}
