using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>
/// The part of a namespace's metadata area that the kernel writes. The area is made for the whole namespace, but the kernel need not fill it:
/// what lies between may hold old user data.
/// </summary>
internal static class LiveMetadata
{
    // The places that nd_pfn_init (drivers/nvdimm/pfn_devs.c) reckons with: 8 KiB for the info block and what is in front of it, and 64 bytes for each
    // page, whatever a struct page really takes. A namespace begins at a multiple of a subsection.
    private const ulong Reserve = 8192;
    private const ulong StructPage = 64;
    private const ulong Subsection = 2UL << 20;

    /// <summary>The ranges to dump, in bytes: reserve with the info block, then memmap. The whole area if there is any doubt.</summary>
    /// <param name="space">A namespace with its memmap on the media.</param>
    /// <param name="system">The running system.</param>
    public static IReadOnlyList<PhysicalRange> Of(NdNamespace space, RunningSystem system) =>
        Find(space, system, Platform.Of(system).Altmap(system)) ?? [space.Metadata];

    private static List<PhysicalRange>? Find(NdNamespace space, RunningSystem system, AltmapRules? rules)
    {
        ulong start = space.Range.Start, page = system.PageSize;
        if (rules is not { } altmap || system.StructPageSize != (int)StructPage || (start & (Subsection - 1)) != 0
            || space.Data.Start != space.Metadata.End || space.Data.IsEmpty || space.Metadata.Length != AreaOf(space, page))
        {
            return null;
        }

        var taken = new List<PhysicalRange> { new(start, start + Numbers.AlignUp(Reserve, page)) };
        // Page of the vmemmap, in pages, up to which there is a memmap already.
        ulong mapped = 0;
        for (ulong at = start, end; at < space.Data.End; at = end)
        {
            end = Math.Min(space.Data.End, Numbers.AlignDown(at, altmap.SectionSize) + altmap.SectionSize);
            ulong first = at / page * StructPage, last = end / page * StructPage;
            bool isWhole = end - at == altmap.SectionSize;
            if (isWhole && altmap.Block > 0)
            {
                for (ulong block = 0; block < last - first; block += altmap.Block)
                    Take(taken, altmap.Block, altmap.Block);
                continue;
            }

            if (!isWhole && !altmap.HasPartialSections)
                continue;
            // The struct pages of a section that boot RAM shares lie in RAM, all of them.
            SectionUse use = isWhole ? SectionUse.Alone : UseOf(system.Iomem, at, altmap.SectionSize);
            if (use == SectionUse.Unknown)
                return null;
            if (use == SectionUse.SharedWithRam)
                continue;
            ulong firstPage = Math.Max(mapped, first / page), endPage = Numbers.AlignUp(last, page) / page;
            if (endPage > firstPage)
                Take(taken, (endPage - firstPage) * page, page);
            mapped = Math.Max(mapped, endPage);
        }

        return taken[^1].End <= space.Metadata.End ? taken : null;
    }

    // What the kernel of today makes of a namespace of this size. Another length tells of padding (kernels before 5.8) or
    // of another size of struct page, and then nothing is known of the places inside.
    private static ulong AreaOf(NdNamespace space, ulong page)
    {
        ulong size = space.Range.Length;
        ulong alignment = Math.Max(space.Alignment, Subsection);
        if (size < Reserve + page || (alignment & (alignment - 1)) != 0 || alignment > 1UL << 40)
            return 0;
        ulong pages = (size - Reserve) / page;
        return Numbers.AlignUp(space.Range.Start + Reserve + (StructPage * pages), alignment) - space.Range.Start;
    }

    // As vmem_altmap_alloc (mm/sparse-vmemmap.c) does: one behind the other, each aligned to its size.
    private static void Take(List<PhysicalRange> taken, ulong length, ulong alignment)
    {
        PhysicalRange last = taken[^1];
        ulong start = Numbers.AlignUp(last.End, alignment);
        if (start == last.End)
            taken[^1] = new(last.Start, start + length);
        else
            taken.Add(new(start, start + length));
    }

    private static SectionUse UseOf(Iomem iomem, ulong address, ulong section)
    {
        ulong start = Numbers.AlignDown(address, section);
        var range = new PhysicalRange(start, start + section);
        var use = SectionUse.Alone;
        foreach (IomemResource resource in iomem.Resources)
        {
            if (resource.Depth > 0 || resource.Range.Intersect(range).IsEmpty)
                continue;
            if (resource.Name == "System RAM")
                return SectionUse.SharedWithRam;
            // Memory of the firmware may count as RAM that is there from the boot on, or as none.
            if (resource.Name.Equals("reserved", StringComparison.OrdinalIgnoreCase))
                use = SectionUse.Unknown;
        }

        return use;
    }

    private enum SectionUse
    {
        Alone,
        SharedWithRam,
        Unknown,
    }
}
