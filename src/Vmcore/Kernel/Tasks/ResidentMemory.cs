using Vmcore.Kernel.Cpus;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Tasks;

/// <summary>
/// How much memory processes have resident. Up to 6.1 the counters are whole; since 6.2 each is a percpu_counter (include/linux/percpu_counter.h): a shared
/// part, and for each CPU what it has not added yet, which with many CPUs is hundreds of MiB. /proc leaves that out; the sum is exact.
/// </summary>
internal sealed class ResidentMemory(IVirtualMemory memory, PerCpuAreas? perCpu, int pageShift)
{
    // MM_FILEPAGES, MM_ANONPAGES and MM_SHMEMPAGES (include/linux/mm_types_task.h); the third of the four counts swapped pages.
    private static readonly int[] s_kinds = [0, 1, 3];

    private readonly ulong?[] _offsets = [.. perCpu?.Possible.Select(perCpu.OffsetOf) ?? []];

    /// <summary>Processes whose counters cannot be read.</summary>
    internal int Unknown { get; private set; }

    /// <summary>Processes of which a CPU's own part cannot be read.</summary>
    internal int Partly { get; private set; }

    /// <summary>The resident memory of a process in bytes; null if it cannot be read.</summary>
    /// <param name="task">A task of it.</param>
    internal ulong? Of(KernelObject task)
    {
        try
        {
            KernelObject counters = task.Member("mm").Member("rss_stat");
            if (counters.Type.Underlying().Kind != KernelTypeKind.Array)
                counters = counters.Member("count");
            long pages = 0;
            bool isWhole = true;
            foreach (int kind in s_kinds)
            {
                KernelObject counter = counters.Element(kind);
                bool isShared = counter.Type.FindMember("counter") is not null;
                long count = (long)counter.Member(isShared ? "counter" : "count").AsUInt64();
                if (!isShared && counter.Type.FindMember("counters") is not null)
                    isWhole &= TryAdd(counter.Member("counters").AsUInt64(), ref count);
                pages += Math.Max(0, count);
            }

            Partly += isWhole ? 0 : 1;
            return (ulong)pages << pageShift;
        }
        catch (KernelObjectException)
        {
            Unknown++;
            return null;
        }
    }

    // A CPU that went offline has added its part; that of others is added whether they run or not.
    private bool TryAdd(ulong counters, ref long count)
    {
        bool isWhole = _offsets.Length > 0;
        foreach (ulong? offset in _offsets)
        {
            if (offset is { } area && memory.TryReadUInt32(unchecked(counters + area), out uint part))
                count += (int)part;
            else
                isWhole = false;
        }

        return isWhole;
    }
}
