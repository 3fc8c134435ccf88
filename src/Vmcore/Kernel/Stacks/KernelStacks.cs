using Vmcore.Architectures;
using Vmcore.Kernel.Identity;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Types;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Kernel.Stacks;

/// <summary>
/// The stacks of the tasks: walked by whatever the kernel was built with (ORC, frame pointers, frame records), else searched for addresses of code.
/// </summary>
/// <remarks>Source of the unwinding rules: Documentation/arch/x86/orc-unwinder.rst.</remarks>
public sealed class KernelStacks
{
    private readonly IVirtualMemory _memory;
    private readonly KernelTypes _types;
    private readonly KernelSymbols _symbols;
    private readonly KernelCode _code;
    private readonly StackPlaces _places;
    private readonly IFrameWalker? _walker;
    private readonly Architecture _architecture;

    private KernelStacks(KernelView view)
    {
        CrashedKernel kernel = view.RequireKernel();
        _architecture = kernel.Architecture;
        _memory = kernel.Memory;
        _symbols = view.RequireSymbols();
        _types = view.RequireTypes();
        _code = new(view.Name, _memory, _symbols, _types, view.Modules);
        _places = new(_architecture, view.PhysicalMemory.PageShift, _memory, _symbols, _types, view.PerCpu);

        // The unwinder that goes by frame pointers is the one that remembers where it started.
        _walker = _architecture.CreateWalker(kernel.VmcoreInfo, new(_memory, _code.Contains, _types.MemberOffset)
        {
            FunctionAt = _code.FunctionAt,
            FindOrc = _code.HasOrc ? _code.FindOrc : null,
            IsFramed = _code.IsFramed,
            HasFramePointers = _types.FindNamed(KernelTypeKind.Struct, "unwind_state")?.FindMember("orig_sp") is not null,
        });
        var finder = new CpuFinder(view, _places);
        Cpus = finder.Find();
        OfflineCpus = finder.Offline;
        DidPanic = finder.DidPanic;
        UnassignedNotes = finder.Unassigned;
    }

    /// <summary>The CPUs that were up at the crash, in the order of their numbers.</summary>
    public IReadOnlyList<CpuState> Cpus { get; }

    /// <summary>Numbers of the CPUs that were offline, ascending: those that are possible, and never came up or were taken down.</summary>
    public IReadOnlyList<int> OfflineCpus { get; }

    /// <summary>The CPU that panicked; null if the kernel did not note it.</summary>
    public CpuState? Crashing => Cpus.FirstOrDefault(c => c.IsCrashing);

    /// <summary>True if the kernel noted that it panicked, false if it noted that it did not; null if what it noted cannot be read.</summary>
    public bool? DidPanic { get; }

    /// <summary>Number of notes with registers of which it cannot be told which CPU they are of.</summary>
    public int UnassignedNotes { get; }

    /// <summary>Gets ready to walk stacks.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <exception cref="MissingInformationException">The kernel's memory, symbols, types or tasks are not there.</exception>
    public static KernelStacks Load(KernelView kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        _ = kernel.RequireTasks();
        return new(kernel);
    }

    /// <summary>Walks the stack of a task: from the registers of its CPU if it ran, else from where it went to sleep.</summary>
    /// <param name="task">The task.</param>
    public TaskStack Trace(KernelTask task)
    {
        ArgumentNullException.ThrowIfNull(task);
        if (Cpus.FirstOrDefault(c => c.Task?.Address == task.Address) is { } cpu)
            return Trace(cpu);
        if (task.IsOnCpu)
            return ScanAll(task, "it was running, but the dump has no registers of its CPU");
        try
        {
            return TraceSleeping(task);
        }
        catch (KernelObjectException e)
        {
            return TaskStack.Of(StackMethod.Scan, [], e.Message);
        }
    }

    /// <summary>Walks the stack of a CPU from its registers; without them, what lies on the stack of its task is listed.</summary>
    /// <param name="cpu">The CPU.</param>
    public TaskStack Trace(CpuState cpu)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        if (cpu.Registers is not { } registers)
        {
            string problem = $"it was running, but {cpu.Problem}";
            return cpu.Task is null ? TaskStack.Of(StackMethod.Scan, [], problem) : ScanAll(cpu.Task, problem);
        }

        var stacks = new StackBounds(cpu.Task is { } task ? _places.OfTask(task) : null, _places.OfCpu(cpu.Number));
        return Trace(registers.InstructionPointer, registers.StackPointer, registers.FramePointer, registers, true, stacks);
    }

    /// <summary>Walks the stacks of tasks, and puts those together that are the same.</summary>
    /// <param name="tasks">The tasks.</param>
    /// <param name="trace">Gives the stack of a task, for whoever has walked it before; null to walk it.</param>
    /// <returns>The groups, the largest first; of equal size in the order of their first tasks.</returns>
    public IReadOnlyList<StackGroup> Group(IEnumerable<KernelTask> tasks, Func<KernelTask, TaskStack>? trace = null)
    {
        ArgumentNullException.ThrowIfNull(tasks);
        List<StackGroup> groups = [];
        Dictionary<string, List<KernelTask>> known = new(StringComparer.Ordinal);
        foreach (KernelTask task in tasks)
        {
            TaskStack stack = trace?.Invoke(task) ?? Trace(task);
            if (StackGroup.KeyOf(stack) is not { } key)
            {
                groups.Add(new(stack, [task]));
            }
            else if (known.TryGetValue(key, out List<KernelTask>? same))
            {
                same.Add(task);
            }
            else
            {
                known.Add(key, same = [task]);
                groups.Add(new(stack, same));
            }
        }

        return [.. groups.OrderByDescending(static g => g.Tasks.Count)];
    }

    /// <summary>The stack of a task; null if it cannot be read where it is.</summary>
    internal VirtualRange? StackOf(KernelTask task) => _places.OfTask(task);

    /// <summary>Tells whether an address lies in code: of the kernel's image, of a module, or generated.</summary>
    /// <param name="address">Virtual address.</param>
    public bool IsCode(ulong address) => _code.Contains(address);

    private TaskStack TraceSleeping(KernelTask task)
    {
        if (task.State is 'Z' or 'X' && task.Object.Member("stack").AsUInt64() == 0)
            return new(StackMethod.Scan, [], null) { IsGone = true };
        var stacks = new StackBounds(_places.OfTask(task), []);
        if (_architecture.Sleeping is { } state)
        {
            ulong Value(string[] path) => path.Aggregate(task.Object, Part).AsUInt64();
            return From(task, Value(state.InstructionPointer), Value(state.StackPointer), Value(state.FramePointer), stacks);
        }

        // What __switch_to_asm leaves on the stack of a task that waits.
        KernelType frame = _types.FindNamed(KernelTypeKind.Struct, "inactive_task_frame")
            ?? throw new KernelObjectException("the kernel's types have no struct inactive_task_frame");
        ulong sp = task.Object.Member("thread").Member("sp").AsUInt64();
        if (stacks.StackOf(sp) is null)
            return ScanAll(task, $"its stack pointer 0x{sp:x} is not on its stack");
        KernelObject left = KernelObject.At(_memory, frame, sp);
        return From(task, left.Member("ret_addr").AsUInt64(), sp + (ulong)(frame.Size ?? 0), left.Member("bp").AsUInt64(), stacks);
    }

    private TaskStack From(KernelTask task, ulong ip, ulong sp, ulong fp, StackBounds stacks)
    {
        if (stacks.StackOf(sp) is null)
            return ScanAll(task, $"its stack pointer 0x{sp:x} is not on its stack");
        return _code.Contains(ip) ? Trace(ip, sp, fp, null, IsNew(ip), stacks) : ScanAll(task, $"0x{ip:x}, where it would go on, is no code");
    }

    private static KernelObject Part(KernelObject item, string name) =>
        char.IsAsciiDigit(name[0]) ? item.Element(name[0] - '0') : item.Member(name);

    // A task that never ran starts there: no call led to it.
    private bool IsNew(ulong ip) => _symbols.TryResolve(ip, out KernelSymbol symbol, out ulong offset)
        && offset == 0 && symbol.Name.StartsWith("ret_from_fork", StringComparison.Ordinal);

    private TaskStack Trace(ulong ip, ulong sp, ulong fp, CpuRegisters? registers, bool interrupted, StackBounds stacks)
    {
        TaskStack? trace = _walker?.Run(ip, sp, fp, registers, interrupted, stacks);
        if (trace is { Problem: null })
            return trace;

        // Where the walk broke off, what else lies on the stack is better than nothing, if it is said what it is.
        List<StackFrame> frames = trace is null
            ? [new() { Address = ip, StackPointer = sp, IsInterrupted = interrupted, Registers = registers }]
            : [.. trace.Frames];
        ulong from = frames[^1].StackPointer;
        if (stacks.StackOf(from, withGuard: true) is { } stack)
            frames.AddRange(Scan(Math.Max(from, stack.Start), stack.End));
        return trace is null
            ? TaskStack.Of(StackMethod.Scan, frames, "this kernel has neither unwind tables nor frame pointers")
            : trace with { Frames = frames };
    }

    private TaskStack ScanAll(KernelTask task, string problem) =>
        TaskStack.Of(StackMethod.Scan, _places.OfTask(task) is { } stack ? Scan(stack.Start, stack.End) : [], problem);

    private List<StackFrame> Scan(ulong from, ulong end)
    {
        const ulong UnreadPart = 0xfff;
        List<StackFrame> frames = [];
        for (ulong at = (from + 7) & ~7UL; at < end && frames.Count < _memory.Limits.ScannedFrames; at += 8)
        {
            if (!_memory.TryReadUInt64(at, out ulong word))
                at |= UnreadPart & ~7UL;
            else if (_code.Contains(word))
                frames.Add(new() { Address = word, StackPointer = at, IsReliable = false });
        }

        return frames;
    }
}
