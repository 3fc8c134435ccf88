using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>The memory map of the capture kernel: what it may use, and what belongs to the firmware. No pmem.</summary>
public static class E820Map
{
    /// <summary>End of the memory that real-mode code reaches and that is RAM on every PC, in bytes.</summary>
    internal const ulong LowMemoryEnd = 0xa0000;


    /// <summary>Builds the map, ascending and without overlaps.</summary>
    /// <param name="iomem">The crashed kernel's map.</param>
    /// <param name="kept">What the capture kernel reads later, in bytes: the ELF core header, memory that was copied away. RAM would be overwritten.</param>
    /// <param name="cma">Memory of <c>crashkernel=SIZE,cma</c>, in bytes.</param>
    public static IReadOnlyList<MemoryMapEntry> Build(Iomem iomem, IReadOnlyList<PhysicalRange> kept, IReadOnlyList<PhysicalRange> cma)
    {
        List<MemoryMapEntry> wanted = [];
        foreach (IomemResource resource in iomem.Resources)
        {
            MemoryMapType? type = resource.Name switch
            {
                "ACPI Tables" => MemoryMapType.Acpi,
                "ACPI Non-volatile Storage" => MemoryMapType.Nvs,
                "Unusable memory" => MemoryMapType.Unusable,
                _ when resource.Name.Equals("reserved", StringComparison.OrdinalIgnoreCase) => MemoryMapType.Reserved,
                // Real-mode code of the other CPUs needs memory below 640 KiB. The crashed kernel does not use it.
                "System RAM" when resource.Range.Start < LowMemoryEnd => MemoryMapType.Ram,
                _ => null,
            };
            if (type is { } known)
                wanted.Add(new(known == MemoryMapType.Ram ? resource.Range.Intersect(new(0, LowMemoryEnd)) : resource.Range, known));
        }

        foreach (PhysicalRange region in iomem.CrashRegions)
        {
            ulong start = region.Start;
            foreach (PhysicalRange cut in kept.Select(k => region.Intersect(k)).Where(static k => !k.IsEmpty).OrderBy(static k => k.Start))
            {
                wanted.Add(new(new(start, cut.Start), MemoryMapType.Ram));
                start = cut.End;
            }

            wanted.Add(new(new(start, region.End), MemoryMapType.Ram));
        }

        wanted.AddRange(cma.Select(static c => new MemoryMapEntry(c, MemoryMapType.Ram)));
        return Resolve(wanted.FindAll(static e => !e.Range.IsEmpty));
    }

    // Where entries overlap (reserved lines are nested) the higher type wins, as it does in the kernel.
    private static List<MemoryMapEntry> Resolve(List<MemoryMapEntry> entries)
    {
        ulong[] edges = [.. entries.SelectMany(static e => (ulong[])[e.Range.Start, e.Range.End]).Distinct().Order()];
        List<MemoryMapEntry> byStart = [.. entries.OrderBy(static e => e.Range.Start)];
        List<MemoryMapEntry> result = [];
        List<MemoryMapEntry> open = [];
        int next = 0;
        for (int i = 0; i + 1 < edges.Length; i++)
        {
            open.RemoveAll(e => e.Range.End <= edges[i]);
            while (next < byStart.Count && byStart[next].Range.Start <= edges[i])
                open.Add(byStart[next++]);
            if (open.Count == 0)
                continue;
            var type = (MemoryMapType)open.Max(static e => (uint)e.Type);
            if (result.Count > 0 && result[^1].Type == type && result[^1].Range.End == edges[i])
                result[^1] = new(new(result[^1].Range.Start, edges[i + 1]), type);
            else
                result.Add(new(new(edges[i], edges[i + 1]), type));
        }

        return result;
    }
}
