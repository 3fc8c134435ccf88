using System.Text;
using Vmcore.Architectures;
using Vmcore.Findings;
using Vmcore.Kernel.Lists;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Processes;

/// <summary>
/// The memory of one process: its areas, and what its page tables lead to. Whoever opens it asks for what is the process's own; user data of pmem that it has
/// mapped (DAX) is not in it.
/// </summary>
/// <remarks>Sources: include/linux/mm_types.h (mm_struct), fs/proc/task_mmu.c (names of areas).</remarks>
public sealed class ProcessMemory
{
    private readonly KernelView _kernel;
    private readonly KernelObject _map;
    private readonly ProblemList _problems = new();
    private readonly Lazy<IReadOnlyList<MemoryArea>> _areas;

    private ProcessMemory(KernelView kernel, KernelTask task, KernelObject map, KernelAddressSpace memory)
    {
        (_kernel, Task, _map, Memory) = (kernel, task, map, memory);
        _areas = new(ReadAreas);
    }

    /// <summary>The process, or a thread of it.</summary>
    public KernelTask Task { get; }

    /// <summary>Its address space, with the kernel's half.</summary>
    public KernelAddressSpace Memory { get; }

    /// <summary>Its areas, ascending.</summary>
    public IReadOnlyList<MemoryArea> Areas => _areas.Value;

    /// <summary>What <see cref="Areas"/> lacks; one sentence each.</summary>
    public IReadOnlyList<Finding> Problems => _problems.Findings;

    /// <summary>The <c>struct mm_struct</c>.</summary>
    internal KernelObject Map => _map;

    /// <summary>Opens the memory of a process.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="task">The process.</param>
    /// <exception cref="MissingInformationException">It has none (a thread of the kernel, or it has ended), or its page tables cannot be found.</exception>
    public static ProcessMemory Open(KernelView kernel, KernelTask task)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        ArgumentNullException.ThrowIfNull(task);
        if (task.IsKernelThread || task.VirtualSize is null)
            throw new MissingInformationException($"{kernel.Name}: task {task.Pid} ({task.Name}) has no memory of its own");
        KernelAddressSpace memory = kernel.RequireMemory();
        try
        {
            KernelObject map = task.Object["mm"].Dereference();
            ulong root = map["pgd"].AsUInt64();
            Translation at = memory.Translate(root);
            return at.Status == MemoryStatus.Ok ? new(kernel, task, map, memory.ForProcess(at.PhysicalAddress))
                : throw new MissingInformationException(
                    $"{kernel.Name}: the page tables of task {task.Pid} at 0x{root:x} cannot be found: {MemoryStatusText.Of(at.Status)}");
        }
        catch (KernelObjectException e)
        {
            throw new MissingInformationException($"{kernel.Name}: the memory of task {task.Pid} ({task.Name}) cannot be found: {e.Message}");
        }
    }

    /// <summary>The words of its command line, as they lie in its memory: the process may have changed them.</summary>
    /// <returns>The words; null if not all of them can be read.</returns>
    public IReadOnlyList<string>? TryReadArguments() => TryReadStrings("arg_start", "arg_end");

    /// <summary>Its environment when it began, as it lies in its memory: <c>NAME=VALUE</c>.</summary>
    /// <returns>The variables; null if not all of them can be read.</returns>
    public IReadOnlyList<string>? TryReadEnvironment() => TryReadStrings("env_start", "env_end");

    private List<string>? TryReadStrings(string from, string to)
    {
        try
        {
            ulong start = _map[from].AsUInt64(), end = _map[to].AsUInt64();
            if (end < start || end - start > (ulong)_kernel.Limits.ArgumentBytes)
                return null;
            byte[] bytes = new byte[end - start];
            if (Memory.IsKernelAddress(end) || Memory.Read(start, bytes) != MemoryStatus.Ok)
                return null;
            List<string> words = [];
            for (int at = 0; at < bytes.Length;)
            {
                int length = bytes.AsSpan(at).IndexOf((byte)0);
                length = length < 0 ? bytes.Length - at : length;
                words.Add(Encoding.UTF8.GetString(bytes.AsSpan(at, length)));
                at += length + 1;
            }

            return words;
        }
        catch (KernelObjectException)
        {
            return null;
        }
    }

    private List<MemoryArea> ReadAreas()
    {
        List<MemoryArea> areas = [];
        var outcome = new WalkOutcome();
        try
        {
            int limit = _kernel.Limits.ProcessMappings;
            KernelTypes types = _kernel.RequireTypes();
            KernelType type = types.Find("struct vm_area_struct") ?? throw new MissingInformationException("the kernel's types have no vm_area_struct");

            // A tree since 6.1, a list before.
            foreach (KernelObject area in _map.Type.FindMember("mm_mt") is not null ? _map["mm_mt"].EntriesOf(types, type, outcome, limit)
                : _map["mmap"].ChainOf("vm_next", outcome, limit))
                Add(areas, area);
        }
        catch (KernelObjectException e)
        {
            Report(e.Message);
        }

        if (WalkText.OfAny(outcome, _map.Address ?? 0, _kernel.Limits.ProcessMappings) is { } problem)
            Report(problem);
        return areas;
    }

    private void Report(string why) => _problems.Add(FindingCode.MappingsIncomplete, $"mappings of process {Task.Tgid}: {why}");

    private void Add(List<MemoryArea> areas, KernelObject area)
    {
        try
        {
            ulong start = area["vm_start"].AsUInt64(), end = area["vm_end"].AsUInt64(), file = area["vm_file"].AsUInt64();
            if (end <= start || Memory.IsKernelAddress(end))
            {
                Report($"the one at 0x{area.Address:x} goes from 0x{start:x} to 0x{end:x}, which is none");
                return;
            }

            ulong offset = file == 0 ? 0 : area["vm_pgoff"].AsUInt64() << _kernel.PhysicalMemory.PageShift;
            areas.Add(new(area.Address ?? 0, start, end, area["vm_flags"].AsUInt64(), file, offset)
            {
                Name = file == 0 ? NameOf(area, start, end) : null,
            });
        }
        catch (KernelObjectException e)
        {
            Report(e.Message);
        }
    }

    private string? NameOf(KernelObject area, ulong start, ulong end)
    {
        if (start <= _map["brk"].AsUInt64() && end >= _map["start_brk"].AsUInt64() && _map["brk"].AsUInt64() != 0)
            return "[heap]";
        if (start <= _map["start_stack"].AsUInt64() && end >= _map["start_stack"].AsUInt64())
            return "[stack]";

        // What the kernel maps itself says its name: mm/mmap.c, _install_special_mapping().
        if (_kernel.Symbols is not { } symbols || !symbols.TryFind("special_mapping_vmops", out ulong special) || area["vm_ops"].AsUInt64() != special
            || _kernel.RequireTypes().Find("struct vm_special_mapping *") is not { } type)
            return null;
        string name = area["vm_private_data"].As(type)["name"].ReadString();
        return name.Length is > 0 and < 64 && name.All(static c => c is > ' ' and < '\u007f') ? name : null;
    }
}
