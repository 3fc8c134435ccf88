using System.Buffers.Binary;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Slab;

/// <summary>The slabs that CPUs allocate from, and the lists of free objects, of the allocator SLUB.</summary>
/// <remarks>Source: mm/slub.c. A slab's list has as many objects as it counts as free; a CPU's list ends in NULL. What is on neither is in use.</remarks>
internal sealed class SlubLists
{
    private readonly IVirtualMemory _memory;
    private readonly int _current, _list, _partial, _next;
    private readonly string? _problem;
    private readonly Dictionary<ulong, OfCache> _known = [];
    private readonly List<CpuArea> _areas = [];
    private int _budget;

    // Since 5.7 the address of the pointer is XORed with its bytes reversed; some kernels have it as it is. Null: not seen yet.
    private bool? _isReversed;

    /// <summary>Prepares it.</summary>
    /// <param name="kernel">The kernel, with types.</param>
    internal SlubLists(KernelView kernel)
    {
        _memory = kernel.RequireMemory();
        _budget = _memory.Limits.CpuSlabs;
        foreach (int cpu in kernel.PerCpu?.Possible ?? [])
            _areas.Add(new(cpu, kernel.PerCpu!.OffsetOf(cpu) ?? 0));
        var members = new StructMembers(kernel.RequireTypes());
        _current = members.Optional("kmem_cache_cpu", "slab", "page");
        _list = members.Optional("kmem_cache_cpu", "freelist");
        _partial = members.Optional("kmem_cache_cpu", "partial");
        _next = members.Optional("slab", "next");
        if (_next < 0)
            _next = members.Optional("page", "next");

        // With these, objects that were given back lie in a quarantine for a while, on no list of the allocator.
        if (kernel.Symbols?.TryFindInImage("kasan_quarantine_reduce") is not null)
            _problem = "KASAN keeps freed objects in a quarantine, which is not read";
    }

    /// <summary>The state of each place of a slab.</summary>
    /// <param name="slab">The slab.</param>
    /// <param name="problem">Receives why some are unknown; null if none is.</param>
    internal SlabObjectState[] StatesOf(SlabPages slab, out string? problem)
    {
        var states = new SlabObjectState[slab.Objects];
        if (slab.Cache.Slub is not { } cache)
        {
            problem = "this kernel's allocator is not SLUB: its lists of free objects are not read";
            return states;
        }

        OfCache lists = ListsOf(slab.Cache, cache);
        problem = Walk(slab, cache, slab.FreeList, slab.Objects - slab.NotListed, states);
        bool isCurrent = false;
        foreach (CpuList cpu in lists.Cpus)
        {
            if (cpu.Slab != slab.Address)
                continue;
            isCurrent = true;
            problem = Walk(slab, cache, cpu.First, null, states) ?? problem;
        }

        problem ??= lists.Problem ?? _problem ?? (cache.HasSheaves ? "each CPU keeps free objects in sheaves (6.18 and later), which are not read" : null);
        if (problem is null && slab.IsFrozen && !isCurrent && !lists.Partial.Contains(slab.Address))
            problem = $"a CPU had just taken the slab at 0x{slab.Address:x}, or gave it back";
        for (int i = 0; problem is null && i < states.Length; i++)
            states[i] = states[i] == SlabObjectState.Unknown ? SlabObjectState.InUse : states[i];
        return states;
    }

    /// <summary>The number of free places of a slab; null if it cannot be told. Only of slabs that CPUs allocate from are lists walked.</summary>
    internal int? FreeOf(SlabPages slab)
    {
        if (slab.Cache.Slub is not { HasSheaves: false } cache || _problem is not null || ListsOf(slab.Cache, cache) is not { Problem: null } lists)
            return null;
        foreach (CpuList cpu in lists.Cpus)
        {
            if (cpu.Slab == slab.Address)
                return StatesOf(slab, out string? problem) is var states && problem is null ? states.Count(static s => s == SlabObjectState.Free) : null;
        }

        return slab.IsFrozen && !lists.Partial.Contains(slab.Address) ? null : slab.Objects - slab.NotListed;
    }

    // What is no list of this slab proves nothing: then none of it counts.
    private string? Walk(SlabPages slab, SlubCache cache, ulong first, int? count, SlabObjectState[] states)
    {
        foreach (bool reversed in (ReadOnlySpan<bool>)[_isReversed ?? true, !(_isReversed ?? true)])
        {
            List<int> free = [];
            if (Follow(slab, cache, first, reversed, states, free) && (count is null || free.Count == count))
            {
                // The last one's link is told by either; two are needed to know.
                if (free.Count > 1)
                    _isReversed ??= reversed;
                foreach (int index in free)
                    states[index] = SlabObjectState.Free;
                return null;
            }

            if (cache.Random is null || _isReversed is not null)
                break;
        }

        return $"a list of free objects of the slab at 0x{slab.Address:x} is damaged, or not in the dump";
    }

    private bool Follow(SlabPages slab, SlubCache cache, ulong first, bool reversed, SlabObjectState[] states, List<int> free)
    {
        var seen = new bool[slab.Objects];
        for (ulong at = first; at != 0;)
        {
            ulong distance = unchecked(at - slab.Start - slab.Cache.LeftPadding), index = distance / slab.Cache.Stride;
            if (index >= (ulong)slab.Objects || distance % slab.Cache.Stride != 0 || seen[index] || states[index] == SlabObjectState.Free)
                return false;
            seen[index] = true;
            free.Add((int)index);
            ulong place = at + cache.Link;
            if (!_memory.TryReadUInt64(place, out ulong next))
                return false;
            at = cache.Random is { } random ? next ^ random ^ (reversed ? BinaryPrimitives.ReverseEndianness(place) : place) : next;
        }

        return true;
    }

    private OfCache ListsOf(SlabCache cache, SlubCache slub)
    {
        if (!_known.TryGetValue(cache.Address, out OfCache? lists))
            _known.Add(cache.Address, lists = Read(slub));
        return lists;
    }

    private OfCache Read(SlubCache cache)
    {
        var lists = new OfCache();
        if (cache.CpuSlab == 0)
            return lists;
        if (_current < 0 || _list < 0 || _areas.Count == 0)
        {
            lists.Problem = "the lists of the CPUs cannot be found";
            return lists;
        }

        foreach (CpuArea area in _areas)
        {
            int cpu = area.Cpu;
            if (--_budget < 0)
            {
                lists.Problem = "the lists of the CPUs are more than any kernel has";
                return lists;
            }

            ulong place = area.Offset == 0 ? 0 : unchecked(cache.CpuSlab + area.Offset);
            ulong partial = 0;
            if (!_memory.TryReadUInt64(place + (ulong)_current, out ulong slab) || !_memory.TryReadUInt64(place + (ulong)_list, out ulong first)
                || (_partial >= 0 && !_memory.TryReadUInt64(place + (ulong)_partial, out partial)))
            {
                lists.Problem = $"the list of CPU {cpu} is not in the dump";
                continue;
            }

            if (slab != 0)
                lists.Cpus.Add(new(slab, first));
            for (; partial != 0 && _next >= 0 && lists.Problem is null; _budget--)
            {
                if (_budget <= 0 || !lists.Partial.Add(partial) || !_memory.TryReadUInt64(partial + (ulong)_next, out partial))
                    lists.Problem = $"the list of slabs of CPU {cpu} is damaged";
            }
        }

        return lists;
    }

    // The area of a CPU; at offset 0 if that is not known.
    private sealed class CpuArea(int cpu, ulong offset)
    {
        internal int Cpu => cpu;

        internal ulong Offset => offset;
    }

    // The slab that a CPU allocates from, and its list of free objects there.
    private sealed class CpuList(ulong slab, ulong first)
    {
        internal ulong Slab => slab;

        internal ulong First => first;
    }

    private sealed class OfCache
    {
        internal List<CpuList> Cpus { get; } = [];

        internal HashSet<ulong> Partial { get; } = [];

        internal string? Problem { get; set; }
    }
}
