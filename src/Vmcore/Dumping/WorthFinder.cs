using Vmcore.Architectures;
using Vmcore.Formats.Elf;
using Vmcore.Kernel.Identity;
using Vmcore.Kernel.Log;
using Vmcore.Kernel.Symbols;
using Vmcore.Memory;
using Vmcore.Opening;
using Vmcore.Ranges;

namespace Vmcore.Dumping;

/// <summary>
/// Finds what an analysis needs first, cheaply: the log by vmcoreinfo, the page tables by walking them, the tables of the memory model, the tasks and their
/// stacks by the kernel's list with what its BTF says of it, the areas of the CPUs and the parts of the image by a few symbols. Nothing is held but ranges.
/// What cannot be found comes in the order of its addresses: a dump never fails for that.
/// </summary>
internal sealed class WorthFinder
{
    /// <summary>Modules lie where a call of the image can reach them.</summary>
    private const ulong Reach = 2UL << 30;

    private static readonly string[] s_names =
    [
        "_etext", "_end", "__per_cpu_start", "__per_cpu_end", "__per_cpu_offset", "nr_cpu_ids", "init_task", "idle_threads", "__start_BTF", "__stop_BTF",
        "pcpu_base_addr", "pcpu_chunk_lists", "pcpu_nr_slots", "modules",
    ];

    private readonly OpenedDump _dump;
    private readonly CrashedKernel _kernel;
    private readonly int _pageShift;
    private readonly Dictionary<string, ulong> _symbols = [];
    private readonly WorthLists _lists;
    private long _steps = 1 << 22;

    private WorthFinder(OpenedDump dump, CrashedKernel kernel)
    {
        _dump = dump;
        _kernel = kernel;
        _lists = new(kernel.Memory);
        _pageShift = dump.Memory.PageShift;
    }

    /// <summary>Finds the order for a dump.</summary>
    /// <param name="dump">The input.</param>
    internal static WorthOrder Find(OpenedDump dump)
    {
        if (dump.Kernel is not { } kernel)
            return WorthOrder.None;
        var order = new WorthOrder();
        new WorthFinder(dump, kernel).Find(order);
        return order;
    }

    private void Find(WorthOrder order)
    {
        ulong?[] found = KernelSymbols.TryFindSome(_kernel.VmcoreInfo, _kernel.Memory, s_names) ?? [];
        for (int i = 0; i < found.Length; i++)
        {
            if (found[i] is { } address)
                _symbols[s_names[i]] = address;
        }

        KernelLog? log = KernelLog.TryOpen(_kernel.VmcoreInfo, _kernel.Memory, out _);
        order.Add(Pages(log?.Buffers ?? []));
        order.Add([.. Tables(), .. Pages(_dump.Memmap?.Model.Tables() ?? [])]);
        order.Add(Pages([.. CpuAreas(), .. Tasks()]));
        (VirtualRange text, VirtualRange image) = Image();
        // Variables and read-only data: symbols, types, unwind tables. The text itself says least.
        order.Add(Pages([new(image.Start, text.Start), new(text.End, image.End)]));
        order.Add(Pages([new(image.Start - Math.Min(image.Start, Reach), image.Start), new(image.End, image.End + Math.Min(Reach, ~image.End))]));
        order.Add(Pages([.. Users(), .. Chunks()]));
        order.Add(Pages([text]));
        order.Add([.. _dump.Pmem.Metadata, .. Pages(Memmap())]);
    }

    /// <summary>The pages to which virtual addresses lead.</summary>
    private List<PfnRange> Pages(IEnumerable<VirtualRange> ranges)
    {
        List<PfnRange> pages = [];
        foreach (VirtualRange range in ranges)
        {
            if (range.End <= range.Start)
                continue;
            foreach (MappedRun run in _kernel.Memory.FindMapped(range.Start, range.End, _dump.Limits.WorthRuns, ref _steps, out _))
                pages.Add(new PhysicalRange(run.PhysicalAddress, run.PhysicalAddress + run.Length).ToPfns(_pageShift));
        }

        return pages;
    }

    private List<PfnRange> Tables()
    {
        List<PfnRange> tables = [];
        _kernel.Memory.VisitTables(_dump.Limits.WorthTables, (address, length) =>
            tables.Add(new(address >> _pageShift, (address + (ulong)length + (1UL << _pageShift) - 1) >> _pageShift)));
        return tables;
    }

    /// <summary>The image's text, and all of it; empty if it is not known where they are.</summary>
    private (VirtualRange Text, VirtualRange Image) Image()
    {
        if (_kernel.VmcoreInfo.Symbol("_stext") is { } start && _symbols.TryGetValue("_etext", out ulong textEnd) && _symbols.TryGetValue("_end", out ulong end)
            && start < textEnd && textEnd < end && _kernel.Image.Contains(start) && end <= _kernel.Image.End)
            return (new(start, textEnd), new(start, end));
        // Without symbols: the segment of the image, if it is one of the input's.
        foreach (ElfSegment load in _dump.Loads)
        {
            if (_kernel.Image.Contains(load.VirtualAddress) && load.MemorySize <= _kernel.Image.End - load.VirtualAddress)
                return (new(load.VirtualAddress, load.VirtualAddress), new(load.VirtualAddress, load.VirtualAddress + load.MemorySize));
        }

        return default;
    }

    /// <summary>The variables that each CPU has for itself.</summary>
    private List<VirtualRange> CpuAreas()
    {
        List<VirtualRange> areas = [];
        if (!_symbols.TryGetValue("__per_cpu_start", out ulong start) || !_symbols.TryGetValue("__per_cpu_end", out ulong end) || end <= start)
            return areas;
        foreach (ulong offset in CpuOffsets())
        {
            if (_kernel.Memory.IsKernelAddress(unchecked(start + offset)))
                areas.Add(new(unchecked(start + offset), unchecked(end + offset)));
        }

        return areas;
    }

    /// <summary>What is added to the address of a variable for that of each CPU.</summary>
    private List<ulong> CpuOffsets()
    {
        List<ulong> found = [];
        if (!_symbols.TryGetValue("__per_cpu_offset", out ulong offsets) || !_symbols.TryGetValue("nr_cpu_ids", out ulong number)
            || !_kernel.Memory.TryReadUInt32(number, out uint cpus))
            return found;
        for (uint cpu = 0; cpu < Math.Min(cpus, (uint)_dump.Limits.Cpus); cpu++)
        {
            if (_kernel.Memory.TryReadUInt64(offsets + (sizeof(ulong) * (ulong)cpu), out ulong offset))
                found.Add(offset);
        }

        return found;
    }

    /// <summary>The idle tasks, which are on no list (kernel/smpboot.c).</summary>
    private List<ulong> IdleTasks()
    {
        List<ulong> tasks = [];
        if (!_symbols.TryGetValue("idle_threads", out ulong variable))
            return tasks;
        foreach (ulong offset in CpuOffsets())
        {
            if (_kernel.Memory.TryReadUInt64(unchecked(variable + offset), out ulong task))
                tasks.Add(task);
        }

        return tasks;
    }

    private IEnumerable<VirtualRange> Tasks() =>
        _symbols.TryGetValue("init_task", out ulong first) && _symbols.TryGetValue("__start_BTF", out ulong start)
            && _symbols.TryGetValue("__stop_BTF", out ulong stop)
            && WorthTasks.TryFindLayout(_kernel.Memory, start, stop, _lists.Chunk, _lists.Module, _lists.Use) is { } tasks
            ? tasks.Walk(first, IdleTasks()) : [];

    private IEnumerable<VirtualRange> Users() => _symbols.TryGetValue("modules", out ulong modules) ? _lists.Users(modules) : [];

    /// <summary>The per-CPU memory that was allocated: what it adds to addresses is what it adds to those of variables, from where it begins.</summary>
    private IEnumerable<VirtualRange> Chunks() =>
        _symbols.TryGetValue("pcpu_chunk_lists", out ulong lists) && _symbols.TryGetValue("pcpu_nr_slots", out ulong number)
            && _symbols.TryGetValue("__per_cpu_start", out ulong variables) && _symbols.TryGetValue("pcpu_base_addr", out ulong variable)
            && _kernel.Memory.TryReadUInt64(variable, out ulong first)
            ? _lists.Chunks(lists, number, [.. CpuOffsets().Select(offset => unchecked(offset + variables - first))], _pageShift) : [];

    /// <summary>The memmap, as far as it lies in RAM.</summary>
    private IEnumerable<VirtualRange> Memmap()
    {
        if (_dump.Memmap is not { } memmap)
            yield break;
        foreach (PfnRange extent in _dump.Coverage.Extents.Except(_dump.Pmem.Pages))
        {
            for (ulong pfn = extent.Start; pfn < extent.End;)
            {
                bool found = memmap.Model.TryGetStructPage(pfn, out ulong address, out ulong runEnd);
                ulong next = Math.Clamp(runEnd, pfn + 1, extent.End);
                if (found)
                    yield return new(address, address + ((next - pfn) * (ulong)memmap.StructPageSize));

                pfn = next;
            }
        }
    }
}
