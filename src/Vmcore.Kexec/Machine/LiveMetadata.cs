using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>
/// The part of a namespace's metadata area that the kernel writes. The area is made for the whole namespace, but x86-64
/// fills it with 2 MiB blocks, one for each whole 128 MiB section; what lies between may hold old user data.
/// </summary>
internal static class LiveMetadata
{
    private const ulong Reserve = 8192;
    private const ulong Block = 2UL << 20;
    private const ulong Section = 128UL << 20;

    /// <summary>The ranges to dump, in bytes: reserve with the info block, then memmap. The whole area if there is any doubt.</summary>
    /// <param name="space">A namespace with its memmap on the media.</param>
    /// <param name="structPageSize">Size of a struct page in bytes; 0 if unknown.</param>
    public static IReadOnlyList<PhysicalRange> Of(PmemNamespace space, int structPageSize)
    {
        ulong start = space.Range.Start;
        if (structPageSize != 64 || (start & (Block - 1)) != 0 || space.Data.Start != space.Metadata.End || space.Data.IsEmpty || space.Metadata.Length != AreaOf(space))
            return [space.Metadata];

        // Struct pages of a part of a section come from RAM.
        ulong first = Numbers.AlignUp(start, Section);
        ulong last = Numbers.AlignDown(space.Data.End, Section);
        ulong blocks = last > first ? (last - first) / Section : 0;
        PhysicalRange memmap = new(start + Block, start + Block + (blocks * Block));
        if (memmap.End > space.Metadata.End)
            return [space.Metadata];
        PhysicalRange reserve = new(start, start + Reserve);
        return blocks == 0 ? [reserve] : [reserve, memmap];
    }

    // What the kernel of today makes of a namespace of this size. Another length tells of padding (kernels before 5.8) or
    // of another size of struct page, and then nothing is known of the places inside.
    private static ulong AreaOf(PmemNamespace space)
    {
        ulong size = space.Range.Length;
        ulong alignment = Math.Max(space.Alignment, Block);
        if (size < Reserve + 4096 || (alignment & (alignment - 1)) != 0 || alignment > 1UL << 40)
            return 0;
        ulong pages = (size - Reserve) / 4096;
        return Numbers.AlignUp(space.Range.Start + Reserve + (64 * pages), alignment) - space.Range.Start;
    }
}
