using Vmcore.Findings;
using Vmcore.Kernel.Lists;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Processes;

/// <summary>A range of a process's virtual memory that maps a file.</summary>
/// <param name="Start">First virtual address.</param>
/// <param name="End">One past the last.</param>
/// <param name="Flags">VM_* flags.</param>
/// <param name="File">Virtual address of the struct file.</param>
/// <param name="PageOffset">First page of the file.</param>
public readonly record struct FileMapping(ulong Start, ulong End, ulong Flags, ulong File, ulong PageOffset)
{
    /// <summary>Permissions as /proc/PID/maps shows them, for example <c>rw-s</c>.</summary>
    public string Permissions => string.Create(4, Flags, static (text, flags) =>
    {
        text[0] = (flags & 1) != 0 ? 'r' : '-';
        text[1] = (flags & 2) != 0 ? 'w' : '-';
        text[2] = (flags & 4) != 0 ? 'x' : '-';
        text[3] = (flags & 0x80) != 0 ? 's' : 'p';
    });
}

/// <summary>The files that processes map. Bounded, whatever is damaged.</summary>
internal sealed class ProcessMappings
{
    private readonly IVirtualMemory _memory;
    private readonly ProblemList _problems = new();
    private readonly int _mm;
    private readonly int _start, _end, _flags, _file, _offset;
    private readonly int _tree, _list, _next;
    private readonly MapleLayout? _maple;

    /// <summary>Makes the reader.</summary>
    /// <param name="types">The kernel's types.</param>
    /// <param name="memory">The kernel's memory.</param>
    /// <exception cref="MissingInformationException">The types lack what is needed.</exception>
    public ProcessMappings(KernelTypes types, IVirtualMemory memory)
    {
        _memory = memory;
        var members = new StructMembers(types);
        _mm = members.Required("task_struct", "mm");
        _start = members.Required("vm_area_struct", "vm_start");
        _end = members.Required("vm_area_struct", "vm_end");
        _flags = members.Required("vm_area_struct", "vm_flags");
        _file = members.Required("vm_area_struct", "vm_file");
        _offset = members.Required("vm_area_struct", "vm_pgoff");
        _tree = members.Optional("mm_struct", "mm_mt.ma_root");
        _list = members.Optional("mm_struct", "mmap");
        _next = members.Optional("vm_area_struct", "vm_next");
        _maple = _tree >= 0 ? new(members) : null;
    }

    /// <summary>What cut lists short, or could not be read; one sentence each.</summary>
    public IReadOnlyList<Finding> Problems => _problems.Findings;

    /// <summary>The parts of a process's memory that map files, ascending.</summary>
    /// <param name="process">The process.</param>
    public IEnumerable<FileMapping> FilesOf(KernelTask process)
    {
        if (!_memory.TryReadUInt64(process.Address + (ulong)_mm, out ulong map) || !_memory.IsKernelAddress(map))
            yield break;
        int count = 0;
        var outcome = new WalkOutcome();
        foreach (ulong area in Areas(map, outcome))
        {
            if (++count > _memory.Limits.ProcessMappings)
            {
                _problems.Add(FindingCode.MappingsIncomplete,
                    $"process {process.Pid} has more than {_memory.Limits.ProcessMappings} mappings; the rest is left out");
                yield break;
            }

            if (TryReadMapping(area, out FileMapping mapping))
                yield return mapping;
        }

        foreach (WalkFault fault in outcome.Faults)
        {
            _problems.Add(FindingCode.MappingsIncomplete, _maple is not null
                ? $"a node in the tree of a process's mappings is damaged or cannot be read at 0x{fault.Address:x}"
                : $"the list of a process's mappings is damaged or cannot be read at 0x{fault.Address:x}; the rest is left out");
        }
    }

    // A tree since 6.1, a list before.
    private IEnumerable<ulong> Areas(ulong map, WalkOutcome outcome) =>
        _maple is not null ? MapleWalk.Run(_memory, map + (ulong)_tree, _maple, outcome)
        : _list >= 0 && _next >= 0 ? ListWalk.Singly(_memory, map + (ulong)_list, (ulong)_next, _memory.Limits.ProcessMappings + 1, outcome) : [];

    private bool TryReadMapping(ulong area, out FileMapping mapping)
    {
        mapping = default;
        if (!_memory.TryReadUInt64(area + (ulong)_file, out ulong file))
            _problems.Add(FindingCode.MappingsIncomplete, $"a mapping of a process cannot be read at 0x{area:x}");
        if (!_memory.IsKernelAddress(file)
            || !_memory.TryReadUInt64(area + (ulong)_start, out ulong start) || !_memory.TryReadUInt64(area + (ulong)_end, out ulong end)
            || !_memory.TryReadUInt64(area + (ulong)_flags, out ulong flags) || !_memory.TryReadUInt64(area + (ulong)_offset, out ulong offset) || end <= start)
            return false;
        mapping = new(start, end, flags, file, offset);
        return true;
    }
}
