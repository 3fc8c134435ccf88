using Vmcore.Architectures;
using Vmcore.Formats.Elf;
using Vmcore.Kernel.Identity;
using Vmcore.Kernel.Modules;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Types;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Kernel.Stacks;

/// <summary>A CPU at the crash.</summary>
/// <param name="Number">Its number.</param>
/// <param name="Registers">Its registers from the notes of the kernel.</param>
/// <param name="Task">The task that ran; null if it is not known.</param>
/// <param name="IsCrashing">True if it is the one that panicked.</param>
public sealed record CpuState(int Number, CpuRegisters Registers, KernelTask? Task, bool IsCrashing);

/// <summary>
/// The stacks of the tasks: walked by whatever the kernel was built with (ORC, frame pointers, frame records), else searched for addresses of code.
/// </summary>
/// <remarks>Source of the unwinding rules: Documentation/arch/x86/orc-unwinder.rst.</remarks>
public sealed class KernelStacks
{
    private const int MaxScanned = 256;

    private readonly IVirtualMemory _memory;
    private readonly KernelSymbols _symbols;
    private readonly ModuleList? _modules;
    private readonly KernelTypes _types;
    private readonly OrcLayout? _orcLayout;
    private readonly OrcTable? _orc;
    private readonly Dictionary<string, OrcTable?> _moduleOrc = new(StringComparer.Ordinal);
    private readonly VirtualRange _text;
    private readonly VirtualRange _initText;
    private readonly IFrameWalker? _walker;
    private readonly Architecture _architecture;
    private readonly ulong _stackSize;

    private KernelStacks(CrashedKernel kernel, int pageShift, IVirtualMemory memory, KernelSymbols symbols, KernelTypes types, ModuleList? modules,
        VirtualRange text, VirtualRange initText)
    {
        _architecture = kernel.Architecture;
        _stackSize = (ulong)_architecture.StackSize(pageShift);
        _initText = initText;
        _memory = memory;
        _symbols = symbols;
        _types = types;
        _modules = modules;
        _text = text;
        _orcLayout = OrcLayout.TryFrom(types);
        if (_orcLayout is not null
            && symbols.Find("__start_orc_unwind_ip", "__stop_orc_unwind_ip", "__start_orc_unwind") is [{ } start, { } stop, { } entries] && stop > start)
        {
            int count = (int)Math.Min((stop - start) / 4, int.MaxValue);
            _orcLayout.LearnNumbers(memory, entries, count);
            _orc = new(memory, _orcLayout, start, entries, count);
        }

        // The unwinder that goes by frame pointers is the one that remembers where it started.
        _walker = _architecture.CreateWalker(kernel.VmcoreInfo, new(memory, IsCode, types.MemberOffset)
        {
            FunctionAt = FunctionAt,
            FindOrc = _orc is null ? null : FindOrc,
            HasFramePointers = types.FindNamed(KernelTypeKind.Struct, "unwind_state")?.FindMember("orig_sp") is not null,
        });
    }

    /// <summary>The CPUs of which the dump has registers.</summary>
    public IReadOnlyList<CpuState> Cpus { get; private set; } = [];

    /// <summary>The CPU that panicked; null if the kernel did not note it.</summary>
    public CpuState? Crashing => Cpus.FirstOrDefault(c => c.IsCrashing);

    /// <summary>Gets ready to walk stacks.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <exception cref="MissingInformationException">The kernel's memory, symbols, types or tasks are not there.</exception>
    public static KernelStacks Load(KernelView kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        TaskList tasks = kernel.RequireTasks();
        KernelSymbols symbols = kernel.RequireSymbols();
        ulong?[] found = symbols.Find("_stext", "_etext", "_sinittext", "_einittext");
        VirtualRange text = found is [{ } start, { } end, ..] && end > start
            ? new(start, end)
            : throw new MissingInformationException($"{kernel.Name}: the kernel's symbols do not say where its code is");

        // The idle task of the first CPU was called from code that is gone since the start.
        VirtualRange initText = found is [_, _, { } initStart, { } initEnd] && initEnd > initStart ? new(initStart, initEnd) : default;
        var stacks = new KernelStacks(
            kernel.Kernel!, kernel.PhysicalMemory.PageShift, kernel.RequireMemory(), symbols, kernel.RequireTypes(), kernel.Modules, text, initText);
        stacks.Cpus = stacks.FindCpus(kernel, tasks);
        return stacks;
    }

    /// <summary>Walks the stack of a task: from the registers of its CPU if it ran, else from where it went to sleep.</summary>
    /// <param name="task">The task.</param>
    public TaskStack Trace(KernelTask task)
    {
        ArgumentNullException.ThrowIfNull(task);
        if (Cpus.FirstOrDefault(c => c.Task?.Address == task.Address) is { } cpu)
            return Trace(cpu);
        if (task.IsOnCpu)
            return new(StackMethod.Scan, [], "it was running, but the dump has no registers of its CPU");
        try
        {
            return TraceSleeping(task);
        }
        catch (KernelObjectException e)
        {
            return new(StackMethod.Scan, [], e.Message);
        }
    }

    /// <summary>Walks the stack of a CPU from its registers.</summary>
    /// <param name="cpu">The CPU.</param>
    public TaskStack Trace(CpuState cpu)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        CpuRegisters registers = cpu.Registers;
        return Trace(registers.InstructionPointer, registers.StackPointer, registers.FramePointer, registers, true, cpu.Task);
    }

    private TaskStack TraceSleeping(KernelTask task)
    {
        if (_architecture.Sleeping is { } state)
        {
            ulong Value(string[] path) => path.Aggregate(task.Object, Part).AsUInt64();
            ulong at = Value(state.InstructionPointer);
            return Trace(at, Value(state.StackPointer), Value(state.FramePointer), null, IsNew(at), task);
        }

        // What __switch_to_asm leaves on the stack of a task that waits.
        KernelType frame = _types.FindNamed(KernelTypeKind.Struct, "inactive_task_frame")
            ?? throw new KernelObjectException("the kernel's types have no struct inactive_task_frame");
        ulong sp = task.Object.Member("thread").Member("sp").AsUInt64();
        KernelObject left = KernelObject.At(_memory, frame, sp);
        ulong ip = left.Member("ret_addr").AsUInt64();

        return Trace(ip, sp + (ulong)(frame.Size ?? 0), left.Member("bp").AsUInt64(), null, IsNew(ip), task);
    }

    private static KernelObject Part(KernelObject item, string name) =>
        char.IsAsciiDigit(name[0]) ? item.Element(name[0] - '0') : item.Member(name);

    // A task that never ran starts there: no call led to it.
    private bool IsNew(ulong ip) => _symbols.TryResolve(ip, out KernelSymbol symbol, out ulong offset)
        && offset == 0 && symbol.Name.StartsWith("ret_from_fork", StringComparison.Ordinal);

    private TaskStack Trace(ulong ip, ulong sp, ulong fp, CpuRegisters? registers, bool interrupted, KernelTask? task)
    {
        TaskStack? trace = _walker?.Run(ip, sp, fp, registers, interrupted);
        if (trace is { Problem: null })
            return trace;

        // Where the walk broke off, what else lies on the stack is better than nothing, if it is said what it is.
        List<StackFrame> frames = trace is null
            ? [new() { Address = ip, StackPointer = sp, IsInterrupted = interrupted, Registers = registers }]
            : [.. trace.Frames];
        ulong from = trace is null ? sp : frames[^1].StackPointer;
        frames.AddRange(Scan(from, task));
        return new(trace?.Method ?? StackMethod.Scan, frames, trace is null ? "this kernel has neither unwind tables nor frame pointers" : trace.Problem);
    }

    private List<StackFrame> Scan(ulong from, KernelTask? task)
    {
        List<StackFrame> frames = [];
        ulong end = (from | (_stackSize - 1)) + 1;
        try
        {
            if (task?.Object.Member("stack").AsUInt64() is { } stack && from >= stack && from < stack + _stackSize)
                end = stack + _stackSize;
        }
        catch (KernelObjectException)
        {
            // The aligned guess stays.
        }

        for (ulong at = (from + 7) & ~7UL; at < end && frames.Count < MaxScanned; at += 8)
        {
            if (!_memory.TryReadUInt64(at, out ulong word))
                at |= 0xff8;
            else if (IsCode(word))
                frames.Add(new() { Address = word, StackPointer = at, IsReliable = false });
        }

        return frames;
    }

    private bool IsCode(ulong address) =>
        _text.Contains(address) || _initText.Contains(address)
            || (_modules?.Find(address) is not null && _symbols.TryResolve(address, out KernelSymbol symbol, out _) && symbol.Type is 'T' or 't');

    private OrcEntry? FindOrc(ulong address)
    {
        if (_modules?.Find(address) is not { } module)
            return _orc!.Find(address);
        if (!_moduleOrc.TryGetValue(module.Name, out OrcTable? table))
            _moduleOrc.Add(module.Name, table = ModuleOrc(module));
        return table?.Find(address);
    }

    private ulong? FunctionAt(ulong address) => IsCode(address) && _symbols.TryResolve(address, out KernelSymbol symbol, out _) ? symbol.Address : null;

    private OrcTable? ModuleOrc(KernelModule module)
    {
        try
        {
            KernelObject arch = module.Object.Member("arch");
            int count = (int)Math.Min(arch.Member("num_orcs").AsUInt64(), int.MaxValue);
            return new(_memory, _orcLayout!, arch.Member("orc_unwind_ip").AsUInt64(), arch.Member("orc_unwind").AsUInt64(), count);
        }
        catch (KernelObjectException)
        {
            return null;
        }
    }

    // The notes come in the order of the CPUs, but those that did not answer have none; their pid tells which task it was.
    private List<CpuState> FindCpus(KernelView kernel, TaskList tasks)
    {
        List<(CpuRegisters Registers, int Pid)> notes = [];
        foreach (ElfNote note in kernel.Notes.Where(n => n.IsCpuStatus))
        {
            if (CpuRegisters.TryFromNote(_architecture.Registers, note.Descriptor(kernel.NoteArea.Span), _architecture.ByteOrder, out int pid) is { } registers)
                notes.Add((registers, pid));
        }

        IReadOnlyList<int> possible = kernel.PerCpu?.Possible ?? [];
        List<int> free = [.. possible.Count > 0 ? possible : Enumerable.Range(0, notes.Count)];
        int crashing = CrashingCpu();
        List<CpuState> cpus = [];
        bool inOrder = notes.Count == free.Count;
        foreach ((CpuRegisters registers, int pid) in notes)
        {
            int cpu = inOrder ? free[0] : free.FirstOrDefault(c => Running(c)?.Pid == pid, free.Count > 0 ? free[0] : cpus.Count);
            free.Remove(cpu);
            cpus.Add(new(cpu, registers, Running(cpu), cpu == crashing));
        }

        return cpus;

        KernelTask? Running(int cpu) => tasks.Tasks.FirstOrDefault(t => t.IsOnCpu && t.Cpu == cpu);
    }

    private int CrashingCpu()
    {
        // crashing_cpu is set when the kernel goes for the capture kernel, panic_cpu before that; both are −1 otherwise.
        foreach (string name in (ReadOnlySpan<string>)["crashing_cpu", "panic_cpu"])
        {
            if (_symbols.TryFindInImage(name) is { } address && _memory.TryReadUInt32(address, out uint value) && (int)value >= 0)
                return (int)value;
        }

        return -1;
    }
}
