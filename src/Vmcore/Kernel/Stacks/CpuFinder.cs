using Vmcore.Architectures;
using Vmcore.Findings;
using Vmcore.Formats.Elf;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Tasks;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Kernel.Stacks;

/// <summary>
/// Finds the registers of each CPU at the crash. The kernel keeps them at the CPU's number (per-CPU <c>crash_notes</c>); the notes of the dump have no
/// number and leave out the CPUs that did not answer. Such a note counts only where the kernel has none, and only for the CPU on whose stack it stands.
/// </summary>
/// <remarks>Source: kernel/crash_core.c and kernel/kexec_core.c (crash_save_cpu), kernel/panic.c (panic_cpu).</remarks>
/// <param name="kernel">The kernel.</param>
/// <param name="places">Where stacks are.</param>
internal sealed class CpuFinder(KernelView kernel, StackPlaces places)
{
    private readonly KernelSymbols _symbols = kernel.RequireSymbols();
    private readonly IVirtualMemory _memory = kernel.RequireMemory();
    private readonly RegisterSet _set = kernel.RequireKernel().Architecture.Registers;
    private readonly TaskList _tasks = kernel.RequireTasks();

    /// <summary>Number of the CPU that panicked; null if none did, or it is not known.</summary>
    internal int? Crashing { get; private set; }

    /// <summary>False if the kernel says that it did not panic; null if that cannot be read.</summary>
    internal bool? DidPanic { get; private set; }

    /// <summary>Numbers of the CPUs that were offline, ascending.</summary>
    internal List<int> Offline { get; } = [];

    /// <summary>Notes with registers of which it cannot be told which CPU they are of.</summary>
    internal int Unassigned { get; private set; }

    /// <summary>Finds them.</summary>
    /// <returns>The CPUs that were up, and each of which there are registers; in the order of their numbers.</returns>
    internal List<CpuState> Find()
    {
        ReadCrashing();
        var registers = new Dictionary<int, CpuRegisters>();
        IReadOnlyList<int> possible = kernel.PerCpu?.Possible ?? [];
        Dictionary<int, string> problems = ReadCrashNotes(possible, registers);
        ReadNotes(possible, registers);
        List<CpuState> cpus = [];
        foreach (int cpu in possible)
        {
            bool isCrashing = cpu == Crashing;
            CpuRegisters? known = registers.GetValueOrDefault(cpu);
            if (known is null && !isCrashing && IsOffline(cpu))
                Offline.Add(cpu);
            else
                cpus.Add(new(cpu, known, Running(cpu), isCrashing)
                {
                    Problem = known is null ? new(FindingCode.RegistersMissing, problems.GetValueOrDefault(cpu, "it has no registers")) : null,
                });
        }

        return cpus;
    }

    private KernelTask? Running(int cpu) => _tasks.Tasks.FirstOrDefault(t => t.IsOnCpu && t.Cpu == cpu);

    // A panic may take CPUs off the mask; the scheduler's own word stays as it was.
    private bool IsOffline(int cpu) =>
        kernel.PerCpu is { } areas && !areas.Online.Contains(cpu) && (_tasks.IsOnline(cpu) ?? areas.Online.Count == 0) == false;

    // crashing_cpu is set when the kernel goes for the capture kernel, panic_cpu before that; both are −1 otherwise.
    private void ReadCrashing()
    {
        foreach (ulong? at in _symbols.FindInImage("crashing_cpu", "panic_cpu"))
        {
            if (at is not { } address || !_memory.TryReadUInt32(address, out uint value))
                continue;
            DidPanic = DidPanic == true || (int)value >= 0;
            if ((int)value >= 0)
                Crashing ??= (int)value;
        }
    }

    private Dictionary<int, string> ReadCrashNotes(IReadOnlyList<int> possible, Dictionary<int, CpuRegisters> registers)
    {
        Dictionary<int, string> problems = [];
        ulong notes = 0;
        bool isThere = _symbols.TryFindInImage("crash_notes") is { } symbol && _memory.TryReadUInt64(symbol, out notes) && notes != 0;
        foreach (int cpu in possible)
        {
            string problem = "the dump has no registers of its CPU: ";
            if (!isThere)
                problems[cpu] = problem + "the kernel's notes (crash_notes) cannot be found";
            else if (kernel.PerCpu!.OffsetOf(cpu) is not { } offset || ReadNote(unchecked(notes + offset)) is not { } note)
                problems[cpu] = problem + "the kernel's note of it is not in the dump";
            else if (CpuRegisters.TryFromNote(_set, note, _memory.ByteOrder, out _) is { AreEmpty: false } known)
                registers[cpu] = known;
            else
                problems[cpu] = problem + "the kernel has none (it did not answer, or nothing stopped it)";
        }

        return problems;
    }

    // The descriptor of the first note, if it is one of a CPU's status; empty if the CPU left none. Null if that cannot be read.
    private byte[]? ReadNote(ulong address)
    {
        const int HeaderSize = 12, NameSize = 8, Prstatus = 1;
        const uint CoreLength = 5;
        byte[] head = new byte[HeaderSize + NameSize];
        if (_memory.Read(address, head) != MemoryStatus.Ok)
            return null;
        uint nameLength = _memory.Word32(head), length = _memory.Word32(head.AsSpan(4)), type = _memory.Word32(head.AsSpan(8));
        if (nameLength != CoreLength || type != Prstatus || length == 0 || length > kernel.Limits.StatusNoteBytes
            || !head.AsSpan(HeaderSize).StartsWith("CORE\0"u8))
            return [];
        byte[] descriptor = new byte[length];
        return _memory.Read(address + (ulong)head.Length, descriptor) == MemoryStatus.Ok ? descriptor : null;
    }

    private void ReadNotes(IReadOnlyList<int> possible, Dictionary<int, CpuRegisters> registers)
    {
        List<(CpuRegisters Registers, int Pid)> left = [];
        foreach (ElfNote note in kernel.Notes.Where(n => n.IsCpuStatus))
        {
            // Those of a kernel that lives are zeros.
            if (CpuRegisters.TryFromNote(_set, note.Descriptor(kernel.NoteArea.Span), kernel.RequireKernel().Architecture.ByteOrder, out int pid)
                    is { AreEmpty: false } read
                && !registers.Values.Any(r => r.InstructionPointer == read.InstructionPointer && r.StackPointer == read.StackPointer))
                left.Add((read, pid));
        }

        // QEMU writes the number of the CPU plus 1 in place of a pid.
        bool isQemu = kernel.Notes.Any(n => n.Name == "QEMU");
        foreach ((CpuRegisters read, int pid) in left)
        {
            int? cpu = null;
            foreach (int candidate in possible.Where(c => !registers.ContainsKey(c)))
            {
                bool isProven = !read.IsUser ? IsOnStackOf(candidate, read.StackPointer)
                    : isQemu ? pid == candidate + 1 : pid > 0 && Running(candidate)?.Pid == pid;
                if (isProven)
                    cpu ??= candidate;
            }

            if (cpu is { } number)
                registers[number] = read;
            else
                Unassigned++;
        }
    }

    private bool IsOnStackOf(int cpu, ulong sp)
    {
        VirtualRange? own = Running(cpu) is { } task ? places.OfTask(task) : null;
        return new StackBounds(own, places.OfCpu(cpu)).StackOf(sp, withGuard: true) is not null;
    }
}
