using Vmcore.Kernel.Identity;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Memmap;

/// <summary>Where the <c>struct page</c> of a pfn is: one of the kernel's memory models.</summary>
/// <remarks>May be used from several threads at once.</remarks>
public abstract class MemoryModel
{
    /// <summary>Creates the model.</summary>
    private protected MemoryModel(int structPageSize) => StructPageSize = structPageSize;

    /// <summary>The model's name in the words of the tools of today: <c>SPARSEMEM_EX</c>, <c>SPARSEMEM</c>, <c>FLATMEM</c>.</summary>
    public abstract string Name { get; }

    /// <summary>SIZE(page) in bytes.</summary>
    public int StructPageSize { get; }

    /// <summary>Finds the structure of a page.</summary>
    /// <param name="pfn">The page.</param>
    /// <param name="address">Receives its virtual address; it may still not be mapped.</param>
    /// <param name="runEnd">Receives the end (exclusive) of the run of pfns to which the
    /// same answer, found or not, applies with neighbouring structures.</param>
    /// <returns>False if the kernel has no structure for it.</returns>
    public abstract bool TryGetStructPage(ulong pfn, out ulong address, out ulong runEnd);

    /// <summary>True if it cannot be told whether a page has a structure, since what says so cannot be read.</summary>
    internal virtual bool IsUnreadable(ulong pfn) => false;

    /// <summary>Where the kernel keeps what the model is read from, as far as it is there: virtual addresses, half open. Without it no page can be classified.
    /// </summary>
    internal virtual IEnumerable<VirtualRange> Tables() => [];

    /// <summary>Chooses the model by the keys that are there.</summary>
    /// <exception cref="MissingInformationException">vmcoreinfo describes no model that is known.</exception>
    internal static MemoryModel Detect(CrashedKernel kernel, int pageShift)
    {
        VmcoreInfo info = kernel.VmcoreInfo;
        int size = StructPageLayout.From(info).Size;
        if (info.Symbol("mem_section") is { } sections && info.Size("mem_section") is { } sectionSize
            && info.Offset("mem_section.section_mem_map") is { } mapOffset)
            return SparseMemoryModel.Create(kernel, pageShift, size, sections, sectionSize, mapOffset);
        if (info.Symbol("mem_map") is { } memMap)
        {
            return kernel.Memory.TryReadUInt64(memMap, out ulong map)
                ? new FlatMemoryModel(size, map)
                : throw new MissingInformationException($"mem_map at 0x{memMap:x} cannot be read: the struct pages cannot be found");
        }

        throw new MissingInformationException("Can't distinguish the memory type: "
            + "vmcoreinfo has neither SYMBOL(mem_section) with its size and offset nor SYMBOL(mem_map)");
    }
}

/// <summary>One array of structures for all pages.</summary>
internal sealed class FlatMemoryModel(int structPageSize, ulong memMap) : MemoryModel(structPageSize)
{
    public override string Name => "FLATMEM";

    public override bool TryGetStructPage(ulong pfn, out ulong address, out ulong runEnd)
    {
        address = memMap + (pfn * (ulong)StructPageSize);
        runEnd = ulong.MaxValue;
        return true;
    }
}
