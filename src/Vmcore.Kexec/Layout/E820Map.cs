using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>Types of memory in the firmware's map, as the boot protocol numbers them.</summary>
public enum E820Type
{
    /// <summary>Usable memory.</summary>
    Ram = 1,

    /// <summary>Not to be touched.</summary>
    Reserved = 2,

    /// <summary>ACPI tables.</summary>
    Acpi = 3,

    /// <summary>ACPI non-volatile storage.</summary>
    Nvs = 4,

    /// <summary>Broken memory.</summary>
    Unusable = 5,
}

/// <summary>An entry of the memory map.</summary>
/// <param name="Range">Physical addresses in bytes.</param>
/// <param name="Type">What is there.</param>
public readonly record struct E820Entry(PhysicalRange Range, E820Type Type);

/// <summary>The memory map of the capture kernel: what it may use, and what belongs to the firmware. No pmem.</summary>
public static class E820Map
{
    private const ulong LowMemoryEnd = 0xa0000;

    /// <summary>Builds the map, ascending and without overlaps.</summary>
    /// <param name="iomem">The crashed kernel's map.</param>
    /// <param name="elfCoreHeader">The ELF core header's memory: not RAM, or the capture kernel overwrites it.</param>
    public static IReadOnlyList<E820Entry> Build(Iomem iomem, PhysicalRange elfCoreHeader)
    {
        List<E820Entry> wanted = [];
        foreach (IomemResource resource in iomem.Resources)
        {
            E820Type? type = resource.Name switch
            {
                "ACPI Tables" => E820Type.Acpi,
                "ACPI Non-volatile Storage" => E820Type.Nvs,
                "Unusable memory" => E820Type.Unusable,
                _ when resource.Name.Equals("reserved", StringComparison.OrdinalIgnoreCase) => E820Type.Reserved,
                // Real-mode code of the other CPUs needs memory below 640 KiB. The crashed kernel does not use it.
                "System RAM" when resource.Range.Start < LowMemoryEnd => E820Type.Ram,
                _ => null,
            };
            if (type is { } known)
                wanted.Add(new(known == E820Type.Ram ? resource.Range.Intersect(new(0, LowMemoryEnd)) : resource.Range, known));
        }

        foreach (PhysicalRange region in iomem.CrashRegions)
        {
            PhysicalRange cut = region.Intersect(elfCoreHeader);
            if (cut.IsEmpty)
                cut = new(region.End, region.End);
            wanted.Add(new(new(region.Start, cut.Start), E820Type.Ram));
            wanted.Add(new(new(cut.End, region.End), E820Type.Ram));
        }

        return Resolve(wanted.FindAll(static e => !e.Range.IsEmpty));
    }

    // Where entries overlap (reserved lines are nested) the higher type wins, as it does in the kernel.
    private static List<E820Entry> Resolve(List<E820Entry> entries)
    {
        ulong[] edges = [.. entries.SelectMany(static e => (ulong[])[e.Range.Start, e.Range.End]).Distinct().Order()];
        List<E820Entry> byStart = [.. entries.OrderBy(static e => e.Range.Start)];
        List<E820Entry> result = [];
        List<E820Entry> open = [];
        int next = 0;
        for (int i = 0; i + 1 < edges.Length; i++)
        {
            open.RemoveAll(e => e.Range.End <= edges[i]);
            while (next < byStart.Count && byStart[next].Range.Start <= edges[i])
                open.Add(byStart[next++]);
            if (open.Count == 0)
                continue;
            var type = (E820Type)open.Max(static e => (uint)e.Type);
            if (result.Count > 0 && result[^1].Type == type && result[^1].Range.End == edges[i])
                result[^1] = new(new(result[^1].Range.Start, edges[i + 1]), type);
            else
                result.Add(new(new(edges[i], edges[i + 1]), type));
        }

        return result;
    }
}
