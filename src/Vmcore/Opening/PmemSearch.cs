using Vmcore.Formats.Notes;
using Vmcore.Kernel.Identity;
using Vmcore.Kernel.Resources;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Vmlinux;
using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Pmem;
using Vmcore.Ranges;

namespace Vmcore.Opening;

/// <summary>
/// Looks for the pmem of a dump. Which memory is pmem stands in the kernel's memory, so the search reads memory of which nobody knows yet whether it may be
/// shown, and its answer has names and numbers out of it. A pointer of the crashed kernel may be wrong and lead into user data: then all is read once more
/// without the pages that the first search found to be user data, and only what the second one says is told.
/// </summary>
internal static class PmemSearch
{
    /// <summary>Looks for the pmem.</summary>
    /// <param name="file">The file.</param>
    /// <param name="kernel">The kernel in it.</param>
    /// <param name="forced">Ranges that are pmem whatever the dump says, in bytes.</param>
    internal static PmemLayout Find(DumpFile file, DumpKernel kernel, IReadOnlyList<PhysicalRange> forced)
    {
        PmemNote.TryRead(file.NoteArea.Span, file.Notes, out PfnRangeSet pages, out PfnRangeSet metadata);
        var evidence = new PmemEvidence
        {
            Memory = file.Unfiltered,
            Loads = file.Loads,
            Forced = forced,
            NotedPages = pages,
            NotedMetadata = metadata,
        };
        var watched = new WatchedMemory(file.Unfiltered, file.Unfiltered.PageShift);
        PmemLayout found = Find(evidence, kernel, watched);
        if (!watched.HasRead(found.UserData))
            return found;
        return Find(evidence with { NotedPages = pages.Union(found.Pages) }, kernel, new WithoutPages(file.Unfiltered, found.UserData));
    }

    private static PmemLayout Find(PmemEvidence evidence, DumpKernel kernel, IPhysicalMemory memory)
    {
        CrashedKernel? over = kernel.Unfiltered?.Over(memory);
        return over is null ? PmemFinder.Find(evidence) : PmemFinder.Find(evidence with
        {
            Kernel = over,
            Memmap = kernel.PageLayout is null ? null : MemmapReader.TryOpen(over, evidence.Memory.PageShift, out _),
            Resources = Resources(over, kernel.Vmlinux),
        });
    }

    // The symbols are megabytes: they are not loaded for this one, since a dumper runs in little memory.
    internal static ResourceTree? Resources(CrashedKernel kernel, VmlinuxFile? vmlinux)
    {
        ulong? root = vmlinux is not null
            ? VmlinuxSymbolTable.TryLoad(vmlinux, kernel.VmcoreInfo, out _)?.TryFindInImage(ResourceTree.RootSymbol)
            : KernelSymbols.TryFindOne(kernel.VmcoreInfo, kernel.Memory, ResourceTree.RootSymbol);
        return root is { } address ? ResourceTree.TryLoad(address, kernel.Memory, types: null, out _) : null;
    }
}
