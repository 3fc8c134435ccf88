using Vmcore.Architectures;
using Vmcore.Kernel;
using Vmcore.Kernel.Types;
using Vmcore.Kernel.Vfs;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Pmem.Usage;

/// <summary>
/// Which pages of pmem the page tables of processes lead to. They are in RAM, and so say what a memmap that is lost cannot: a page that is in a process's
/// tables was mapped at the crash. What is in none may have been idle, or not: tables may be missing too.
/// </summary>
internal sealed class ProcessTables(KernelView kernel, int pageShift)
{
    private long _steps = kernel.Limits.ProcessTableSteps;

    /// <summary>Tables that are not in the dump.</summary>
    internal long Missing { get; private set; }

    /// <summary>True if the tables were too large to be walked whole.</summary>
    internal bool IsCutShort { get; private set; }

    /// <summary>Pages of pmem that a mapping leads to, with their place in the file.</summary>
    /// <param name="area">The mapping.</param>
    /// <param name="within">The pages that are asked for.</param>
    internal IEnumerable<DaxEntry> Of(PmemMapping area, PfnRangeSet within)
    {
        if (TryRoot(area) is not { } space)
        {
            Missing++;
            yield break;
        }

        IReadOnlyList<MappedRun> runs = space.FindMapped(area.Area.Start, area.Area.End, kernel.Limits.MappedRuns, ref _steps, out int missing);
        Missing += missing;
        IsCutShort |= runs.Count == kernel.Limits.MappedRuns || _steps <= 0;
        foreach (MappedRun run in runs)
        {
            ulong first = run.PhysicalAddress >> pageShift,
                index = area.Area.PageOffset + ((run.VirtualAddress - area.Area.Start) >> pageShift);
            foreach (PfnRange part in within.Intersect(new PfnRange(first, first + (run.Length >> pageShift))))
                yield return new(index + (part.Start - first), part.Start, part.Count);
        }
    }

    private KernelAddressSpace? TryRoot(PmemMapping area)
    {
        try
        {
            ulong root = area.Process.Object.Member("mm").Member("pgd").AsUInt64();
            return kernel.Memory is { } memory && memory.Translate(root) is { Status: MemoryStatus.Ok } at ? memory.ForProcess(at.PhysicalAddress) : null;
        }
        catch (KernelObjectException)
        {
            return null;
        }
    }
}
