using Vmcore.Architectures;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Pmem;

/// <summary>
/// The holes in live memmap: the kernel never writes the struct pages of a namespace's reserve, its first 8 KiB. With the memmap on the pmem they still
/// hold what the media held before, which after a namespace was made anew can be 128 bytes of somebody's data.
/// </summary>
internal static class UnwrittenStructs
{
    /// <summary>Finds them.</summary>
    /// <returns>Physical ranges in bytes, all of them inside metadata pages.</returns>
    internal static IReadOnlyList<PhysicalRange> Find(IReadOnlyList<PmemNamespace> namespaces, VmemmapWalk walk, PmemEvidence evidence)
    {
        List<PhysicalRange> result = [];
        if (evidence.Memmap is not { } memmap || evidence.Kernel is not { } kernel)
            return result;
        int shift = evidence.Memory.PageShift;
        foreach (ulong start in Starts(namespaces, walk, evidence))
        {
            ulong end = start + Math.Max(InfoBlock.Reserve, (ulong)evidence.Memory.PageSize);
            for (ulong pfn = start >> shift; pfn << shift < end; pfn++)
            {
                if (memmap.Model.TryGetStructPage(pfn, out ulong address, out _))
                    AddMapped(kernel.Memory, address, (ulong)memmap.StructPageSize, result);
            }
        }

        // In RAM they are the kernel's own, and written.
        return [.. result.Where(r => walk.MemmapPages.Contains(r.Start >> shift))];
    }

    /// <summary>Where mappings start: at the namespaces that are known, and where a run of struct pages begins that belongs to none of them.</summary>
    private static IEnumerable<ulong> Starts(IReadOnlyList<PmemNamespace> namespaces, VmemmapWalk walk, PmemEvidence evidence)
    {
        foreach (PmemNamespace item in namespaces)
            yield return item.Range.Start + (item.InfoBlock?.StartPad ?? 0);
        foreach (PfnRange run in walk.PagesWithStruct)
        {
            ulong start = run.Start << evidence.Memory.PageShift;
            // A core may begin in the middle of a namespace: there the structure is one that the kernel linked to itself.
            if (!namespaces.Any(n => n.Range.Contains(start))
                && BlockProof.TryReadLru(run.Start, evidence, out ulong expected, out ulong next, out _) && next != expected)
                yield return start;
        }
    }

    private static void AddMapped(KernelAddressSpace space, ulong address, ulong length, List<PhysicalRange> result)
    {
        for (ulong done = 0; done < length;)
        {
            Translation translation = space.Translate(address + done);
            ulong step = Math.Min(translation.Size - ((address + done) & (translation.Size - 1)), length - done);
            if (translation.Status == MemoryStatus.Ok)
                result.Add(new(translation.PhysicalAddress, translation.PhysicalAddress + step));
            done += step;
        }
    }
}
