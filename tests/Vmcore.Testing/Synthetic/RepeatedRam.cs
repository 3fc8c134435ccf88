namespace Vmcore.Testing;

/// <summary>
/// RAM of a size that no test could lay out page by page: section after section of 128 MiB repeats a short list of kinds, and all sections of a kind share
/// one memmap, one table of sections and one page table.
/// </summary>
/// <param name="Start">First byte, a multiple of 64 GiB.</param>
/// <param name="Length">Bytes, a multiple of 64 GiB.</param>
/// <param name="Kinds">What the sections hold, in turn; a power of two of them.</param>
public sealed record RepeatedRam(ulong Start, ulong Length, IReadOnlyList<PageKind> Kinds)
{
    /// <summary>Bytes of RAM whose memmap one page table of 2 MiB leaves describes.</summary>
    internal const ulong Window = 64ul << 30;

    public ulong End => Start + Length;

    /// <summary>True if the page lies in it.</summary>
    public bool Contains(ulong pfn) => pfn >= Start >> 12 && pfn < End >> 12;

    /// <summary>The block that covers a page.</summary>
    internal Placement PlacementOf(ulong pfn)
    {
        PageKind kind = Kinds[(int)((pfn >> 15) % (ulong)Kinds.Count)];
        int order = kind == PageKind.Free ? 10 : 0;
        return new(pfn >> order << order, order, kind, PageFill.ByKind, 0);
    }
}
