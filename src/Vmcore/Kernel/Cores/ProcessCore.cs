using Vmcore.Architectures;
using Vmcore.Findings;
using Vmcore.Formats.Elf;
using Vmcore.IO;
using Vmcore.Kernel.Processes;
using Vmcore.Kernel.Stacks;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Vfs;
using Vmcore.Memory;

namespace Vmcore.Kernel.Cores;

/// <summary>
/// A core file of one process, for debuggers of programs: its memory as far as it is in the dump, its threads with the registers that they had in user mode.
/// A page that is not there is in no PT_LOAD: debuggers read what a PT_LOAD has no bytes of as zeroes, so only memory that the process never touched, and that
/// is of no file, stands there so. User data of pmem that the process had mapped is never in it.
/// </summary>
/// <remarks>Sources: elf(5), core(5); fs/binfmt_elf.c.</remarks>
public sealed class ProcessCore
{
    // VM_IO and VM_PFNMAP (include/linux/mm.h): memory of devices, which a core file of the kernel has not either.
    private const ulong OfDevices = 0x4000 | 0x400;

    private const int Piece = 1 << 16;

    private readonly KernelView _kernel;
    private readonly ProcessMemory _memory;
    private readonly List<CoreRange> _ranges = [];
    private readonly int _pageSize;
    private long _steps;

    private ProcessCore(KernelView kernel, ProcessMemory memory)
    {
        (_kernel, _memory) = (kernel, memory);
        _pageSize = 1 << kernel.PhysicalMemory.PageShift;
        _steps = kernel.Limits.ProcessTableSteps;
    }

    /// <summary>What of the process's memory is not in the core file although it had pages there, ascending.</summary>
    public IReadOnlyList<CoreRange> Missing => [.. _ranges.Where(static r => r.Reason is not null)];

    /// <summary>Bytes of memory that are in the core file.</summary>
    public ulong PresentBytes { get; private set; }

    /// <summary>Bytes of memory that are missing.</summary>
    public ulong MissingBytes { get; private set; }

    /// <summary>The threads whose registers are in the core file, the first one of the process before the others.</summary>
    public IReadOnlyList<KernelTask> Threads { get; private set; } = [];

    /// <summary>What else is missing: areas, threads without registers, names of files; one sentence each.</summary>
    public IReadOnlyList<Finding> Problems { get; private set; } = [];

    private byte[] Notes { get; set; } = [];

    /// <summary>Finds out what the core file of a process has.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="process">The process.</param>
    /// <exception cref="MissingInformationException">It has no memory of its own, or that cannot be found.</exception>
    public static ProcessCore Plan(KernelView kernel, KernelTask process)
    {
        var core = new ProcessCore(kernel, ProcessMemory.Open(kernel, process));
        List<Finding> problems = [];
        foreach (MemoryArea area in core._memory.Areas)
            core.Add(area);
        problems.AddRange(core._memory.Problems);
        if (core._steps <= 0 || core._ranges.Count >= kernel.Limits.Segments)
        {
            problems.Add(new(FindingCode.ProcessMemoryMissing,
                "the page tables of the process are too large to be walked whole; the rest of its memory is left out"));
        }

        core.WriteNotes(process, problems);
        core.Problems = problems;
        return core;
    }

    /// <summary>Writes the core file.</summary>
    /// <param name="sink">Where to.</param>
    /// <exception cref="FileAccessException">It cannot be written.</exception>
    public void Write(IByteSink sink)
    {
        ArgumentNullException.ThrowIfNull(sink);
        List<ElfSegment> segments = [];
        CoreRange[] told = [.. _ranges.Where(static r => r.IsPresent || r.IsZero)];
        long start = Align(ElfHeaderWriter.NotesOffset(told.Length) + Notes.Length), at = start;
        foreach (CoreRange range in told)
        {
            ulong length = range.End - range.Start, inFile = range.IsPresent ? length : 0;
            segments.Add(new(ElfConstants.LoadSegment, range.Flags, (ulong)at, range.Start, 0, inFile, length, (ulong)_pageSize));
            at += (long)inFile;
        }

        sink.Write(0, ElfHeaderWriter.Build(_kernel.RequireKernel().Architecture.Machine, segments, Notes, incomplete: false));
        at = start;
        byte[] piece = new byte[Piece];
        foreach (CoreRange range in _ranges.Where(static r => r.IsPresent))
        {
            for (ulong address = range.Start; address < range.End;)
            {
                Span<byte> part = piece.AsSpan(0, (int)Math.Min(Piece, range.End - address));
                MemoryStatus status = _memory.Memory.Read(address, part);
                if (status != MemoryStatus.Ok)
                {
                    throw new MissingInformationException($"{_kernel.Name}: the memory of process {_memory.Task.Tgid} at 0x{address:x} "
                        + $"cannot be read any more: {MemoryStatusText.Of(status)}");
                }

                sink.Write(at, part);
                at += part.Length;
                address += (ulong)part.Length;
            }
        }

        sink.Complete(at);
    }

    private long Align(long offset) => (offset + _pageSize - 1) & ~((long)_pageSize - 1);

    private void Add(MemoryArea area)
    {
        // R, W and X are the other way round in a program header.
        uint flags = (uint)(((area.Flags & 1) << 2) | (area.Flags & 2) | ((area.Flags & 4) >> 2));
        byte[] page = new byte[_pageSize];
        CoreRange? last = null;
        for (ulong address = area.Start; address < area.End && _ranges.Count < _kernel.Limits.Segments && _steps > 0; _steps--)
        {
            Translation found = (area.Flags & OfDevices) != 0 ? new(MemoryStatus.NotMapped, 0, 0) : _memory.Memory.Translate(address);
            ulong size = found.Status == MemoryStatus.Ok ? (ulong)_pageSize : Math.Max(found.Size, (ulong)_pageSize);
            ulong end = Math.Min((area.Flags & OfDevices) != 0 ? area.End : (address & ~(size - 1)) + size, area.End);
            MemoryStatus status = found.Status == MemoryStatus.Ok ? _memory.Memory.Read(address, page) : found.Status;

            // What has an entry that is not valid was there, and is elsewhere.
            string? reason = status == MemoryStatus.Ok ? null
                : status != MemoryStatus.NotMapped ? MemoryStatusText.Of(status)
                : (area.Flags & OfDevices) == 0 && _memory.Memory.Walk(address) is { Count: > 0 } walk && walk[^1].Entry != 0
                    ? "its entry in the page table is not valid: swapped out, poisoned, without access" : null;
            var range = new CoreRange(address, end, reason)
            {
                IsPresent = status == MemoryStatus.Ok,
                IsZero = status == MemoryStatus.NotMapped && reason is null && area.File == 0 && area.Name is null or "[heap]" or "[stack]"
                    && (area.Flags & OfDevices) == 0,
                Flags = flags,
            };
            (PresentBytes, MissingBytes) = (PresentBytes + (range.IsPresent ? end - address : 0), MissingBytes + (reason is null ? 0 : end - address));
            if (last is not null && last.IsPresent == range.IsPresent && last.IsZero == range.IsZero && last.Reason == reason)
                _ranges[^1] = range = range with { Start = last.Start };
            else
                _ranges.Add(range);
            last = range;
            address = end;
        }
    }

    // Whoever enters the kernel leaves its registers at the top of its stack (task_pt_regs). That they are those is proven by where they lead.
    private CpuRegisters? AtTop(KernelStacks stacks, KernelTask thread)
    {
        if (stacks.StackOf(thread) is not { } stack || _kernel.RequireTypes().Find("struct pt_regs")?.Size is not ({ } size and > 0 and < 4096))
            return null;
        byte[] bytes = new byte[size];
        RegisterSet set = _kernel.RequireKernel().Architecture.Registers;
        if (size < set.Size || _kernel.RequireMemory().Read(stack.End - (ulong)size, bytes) != MemoryStatus.Ok)
            return null;
        var registers = CpuRegisters.FromBytes(set, bytes, _memory.Memory.ByteOrder);
        return registers.IsUser && IsIn(registers.InstructionPointer, 4) && IsIn(registers.StackPointer, 2) ? registers : null;
    }

    private bool IsIn(ulong address, ulong flag) => _memory.Areas.Any(a => a.Start <= address && address < a.End && (a.Flags & flag) != 0);

    private void WriteNotes(KernelTask process, List<Finding> problems)
    {
        using var notes = new MemoryStream();
        IReadOnlyList<KernelTask> all = [.. _kernel.RequireTasks().Tasks.Where(t => t.Tgid == process.Tgid)];
        var stacks = KernelStacks.Load(_kernel);
        List<KernelTask> threads = [];
        foreach (KernelTask thread in all.Where(t => t.Pid == t.Tgid).Concat(all.Where(t => t.Pid != t.Tgid)))
        {
            CpuRegisters? registers = stacks.Trace(thread).Frames.LastOrDefault(static f => f.IsReliable && f.Registers is { IsUser: true })?.Registers
                ?? AtTop(stacks, thread);
            if (registers is null)
            {
                problems.Add(new(FindingCode.RegistersMissing, $"the registers of thread {thread.Pid} in user mode are not known: it is not in the core file"));
                continue;
            }

            threads.Add(thread);
            notes.Write(ElfNotes.Build("CORE", ElfConstants.NotePrStatus, CoreNotes.Status(_kernel, thread, registers, problems)));
            if (threads.Count == 1)
                notes.Write(CoreNotes.Process(_kernel, process, _memory));
        }

        Threads = threads;
        if (threads.Count == 0)
            notes.Write(CoreNotes.Process(_kernel, process, _memory));
        notes.Write(CoreNotes.AuxiliaryVector(_memory, problems));
        var vfs = KernelVfs.Open(_kernel);
        notes.Write(CoreNotes.Files(_memory, vfs, (ulong)_pageSize, problems));
        problems.AddRange(vfs.Problems);
        Notes = notes.ToArray();
    }
}
