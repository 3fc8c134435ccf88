using Vmcore.Kernel.Btf;
using Vmcore.Kernel.Lists;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Dumping;

/// <summary>
/// Where small things lie that answers about tasks and modules need: the chunks of per-CPU memory, with counters of each process among them
/// (mm/percpu-internal.h), and who uses each module (kernel/module/internal.h). What follows from it is only an order.
/// </summary>
internal sealed class WorthLists(IVirtualMemory memory)
{
    /// <summary>Lists of chunks, by how much of them is free; the kernel has some twenty.</summary>
    private const uint LargestSlots = 64;

    /// <summary>A chunk of per-CPU memory.</summary>
    internal BtfWanted Chunk { get; } = new("pcpu_chunk", "list", "base_addr", "nr_pages");

    /// <summary>A module.</summary>
    internal BtfWanted Module { get; } = new("module", "list", "source_list");

    /// <summary>That a module uses another.</summary>
    internal BtfWanted Use { get; } = new("module_use", "source_list");

    /// <summary>The chunks of per-CPU memory, those that tell of them first.</summary>
    /// <param name="lists">Address of the variable that points to the lists (pcpu_chunk_lists).</param>
    /// <param name="number">Address of the number of these (pcpu_nr_slots).</param>
    /// <param name="fromBase">For each CPU, what is added to the address of a chunk for its part of it.</param>
    /// <param name="pageShift">Binary logarithm of the page size.</param>
    internal IEnumerable<VirtualRange> Chunks(ulong lists, ulong number, IReadOnlyList<ulong> fromBase, int pageShift)
    {
        if (Array.Exists(Chunk.Offsets, static o => o < 0) || !memory.TryReadUInt64(lists, out ulong first) || !memory.TryReadUInt32(number, out uint slots))
            yield break;
        for (uint slot = 0; slot < Math.Min(slots, LargestSlots); slot++)
        {
            foreach (ulong chunk in Entries(first + (16UL * slot), Chunk.Offsets[0]))
            {
                if (!memory.TryReadUInt64(chunk + (uint)Chunk.Offsets[1], out ulong start)
                    || !memory.TryReadUInt32(chunk + (uint)Chunk.Offsets[2], out uint pages))
                    continue;
                foreach (ulong offset in fromBase)
                {
                    ulong at = unchecked(start + offset), length = (ulong)pages << pageShift;
                    if (memory.IsKernelAddress(at) && length <= ~at)
                        yield return new(at, at + length);
                }
            }
        }
    }

    /// <summary>What tells of the users of each module.</summary>
    /// <param name="modules">Address of the head of the list of modules.</param>
    internal IEnumerable<VirtualRange> Users(ulong modules)
    {
        if (Array.Exists(Module.Offsets, static o => o < 0) || Use.Offsets[0] < 0)
            yield break;
        foreach (ulong module in Entries(modules, Module.Offsets[0]))
        {
            foreach (ulong use in Entries(module + (uint)Module.Offsets[1], Use.Offsets[0]))
            {
                if (memory.IsKernelAddress(use) && Use.Size <= ~use)
                    yield return new(use, use + Use.Size);
            }
        }
    }

    private IEnumerable<ulong> Entries(ulong head, int node) =>
        ListWalk.Circular(memory, head, memory.Limits.Modules, new()).Select(entry => unchecked(entry - (ulong)node));
}
