using Vmcore.Findings;
using Vmcore.Kernel.Cpus;
using Vmcore.Kernel.Lists;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Scheduling;

/// <summary>The run queues of all CPUs.</summary>
/// <remarks>Source: kernel/sched/sched.h (struct rq), kernel/watchdog.c.</remarks>
public sealed class RunQueues
{
    private const int WatchdogShift = 30;

    // WATCHDOG_SOFTOCKUP_ENABLED of watchdog_enabled, before 6.6 SOFT_WATCHDOG_ENABLED (include/linux/nmi.h).
    private const ulong SoftWatchdog = 1 << 1;

    private readonly IVirtualMemory _memory;
    private readonly KernelType _type;
    private readonly KernelTypes _types;
    private readonly Dictionary<ulong, KernelTask> _tasks = [];
    private readonly HashSet<ulong> _onQueues = [];
    private readonly ProblemList _problems = new();
    private readonly List<RunQueue> _queues = [];

    private RunQueues(IVirtualMemory memory, KernelTypes types, KernelType type) => (_memory, _types, _type) = (memory, types, type);

    /// <summary>The run queues of the CPUs that are possible, in the order of their numbers; without those that were never online.</summary>
    public IReadOnlyList<RunQueue> Queues => _queues;

    /// <summary>What cannot be told of them: one clause each; at most 100.</summary>
    public IReadOnlyList<Finding> Problems => _problems.Findings;

    /// <summary>Reads them.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <exception cref="MissingInformationException">The kernel's memory, symbols, types, tasks, or the run queues are not there.</exception>
    public static RunQueues Load(KernelView kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        return Load(kernel.RequireMemory(), kernel.RequireSymbols(), kernel.RequireTypes(), kernel.PerCpu, kernel.RequireTasks().Tasks, kernel.Times);
    }

    /// <summary>Reads them.</summary>
    internal static RunQueues Load(
        IVirtualMemory memory, KernelSymbols symbols, KernelTypes types, PerCpuAreas? perCpu, IEnumerable<KernelTask> tasks, TaskTimes? times)
    {
        ulong?[] found = symbols.FindInImage("runqueues", "watchdog_touch_ts", "hrtimer_interrupts", "watchdog_enabled");
        if (perCpu is null || found[0] is not { } symbol || types.FindNamed(KernelTypeKind.Struct, "rq") is not { } type)
            throw new MissingInformationException("the run queues cannot be found: the kernel has no symbol runqueues, no struct rq, or no areas of its CPUs");
        var queues = new RunQueues(memory, types, type);

        // Switched off, it leaves the time when it last ran.
        bool isOff = found[3] is { } flags && memory.TryReadUInt64(flags, out ulong enabled) && (enabled & SoftWatchdog) == 0;
        foreach (KernelTask task in tasks)
            queues._tasks[task.Address] = task;
        foreach (int cpu in perCpu.Possible)
        {
            if (perCpu.OffsetOf(cpu) is not { } offset)
            {
                queues._problems.Add(FindingCode.RunQueueIncomplete, $"where the run queue of CPU {cpu} is cannot be read");
                continue;
            }

            KernelObject queue = KernelObject.At(memory, type, unchecked(symbol + offset));
            queues.Read(cpu, queue, times, isOff ? null : At(found[1], offset), At(found[2], offset));
        }

        return queues;
    }

    private static ulong? At(ulong? symbol, ulong offset) => symbol is { } address ? unchecked(address + offset) : null;

    private void Read(int cpu, KernelObject queue, TaskTimes? times, ulong? touched, ulong? ticks)
    {
        try
        {
            ulong? clock = times?.ClockOf(cpu);
            ulong current = queue.Member("curr").AsUInt64();

            // Its idle task is made when a CPU first comes.
            if (queue.Member("idle").AsUInt64() == 0)
                return;
            List<QueuedTask> queued = [];
            ReadStopper(cpu, queue, current, queued);
            ReadDeadline(cpu, queue, current, queued);
            ReadRealTime(cpu, queue, current, queued);
            ReadFair(cpu, queue, current, queued);
            _queues.Add(new()
            {
                Cpu = cpu,
                Address = queue.Address ?? 0,
                Current = _tasks.GetValueOrDefault(current),
                Running = (uint)queue.Member("nr_running").AsUInt64(),
                Queued = queued,
                Clock = clock,
                ClockBehind = times?.Now - clock,
                Switches = Number(queue, "nr_switches"),
                WatchdogTouched = Variable("watchdog_touch_ts", touched) is { } seconds and not 0 && seconds < 1UL << WatchdogShift
                    ? seconds << WatchdogShift : null,
                WatchdogTicks = Variable("hrtimer_interrupts", ticks),
            });
            if (!_tasks.ContainsKey(current))
                Complain($"CPU {cpu} ran what is no task of the list, at 0x{current:x}");
        }
        catch (KernelObjectException e)
        {
            Complain($"the run queue of CPU {cpu}: {e.Message}");
        }
    }

    // It is in no list: there is one.
    private void ReadStopper(int cpu, KernelObject queue, ulong current, List<QueuedTask> queued)
    {
        ulong stopper = Number(queue, "stop") ?? 0;
        if (stopper != 0 && stopper != current && TaskOffset("on_rq") is { } member
            && _memory.TryReadUInt32(unchecked(stopper + member), out uint isQueued) && isQueued != 0)
        {
            if (OnQueue(cpu, stopper) is { } task)
                queued.Add(new(task, SchedulingClass.Stop, null));
        }
    }

    // The tasks of all groups are in one list, the running one among them.
    private void ReadFair(int cpu, KernelObject queue, ulong current, List<QueuedTask> queued)
    {
        if (Offset(_type, "cfs_tasks") is not { } head || TaskOffset("se.group_node") is not { } node)
        {
            Complain($"the kernel keeps no list of the fair tasks of CPU {cpu} (built without CONFIG_SMP)");
            return;
        }


        // Since 6.12 a task that sleeps may stay for a while.
        ulong delayed = TaskOffset("se.sched_delayed") ?? 0;
        foreach (KernelTask task in List(cpu, unchecked((queue.Address ?? 0) + head), node))
        {
            if (task.Address != current && !(delayed > 0 && _memory.TryReadByte(unchecked(task.Address + delayed), out byte flag) && flag == 1))
                queued.Add(new(task, SchedulingClass.Fair, null));
        }
    }

    private void ReadRealTime(int cpu, KernelObject queue, ulong current, List<QueuedTask> queued)
    {
        if (TaskOffset("rt.run_list") is not { } node)
            return;
        int priority = 0;
        foreach (KernelObject head in queue.Member("rt").Member("active").Member("queue").Elements())
        {
            foreach (KernelTask task in List(cpu, head.Address ?? 0, node))
            {
                if (task.Address != current)
                    queued.Add(new(task, SchedulingClass.RealTime, priority));
            }

            priority++;
        }
    }

    private void ReadDeadline(int cpu, KernelObject queue, ulong current, List<QueuedTask> queued)
    {
        if (TaskOffset("dl.rb_node") is not { } node || Offset(_type, "dl.root") is not { } root)
            return;
        var outcome = new WalkOutcome();
        ulong at = unchecked((queue.Address ?? 0) + root);
        int limit = _memory.Limits.QueuedTasks;
        foreach (ulong entry in RedBlackWalk.Run(_memory, at, RedBlackLayout.From(_types), limit, outcome))
        {
            // A server that runs fair tasks (6.8 and later) is part of the run queue itself.
            if (unchecked(entry - (queue.Address ?? 0)) < (ulong)(_type.Size ?? 0))
                continue;
            if (OnQueue(cpu, unchecked(entry - node)) is not { } task)
                break;
            if (task.Address != current)
                queued.Add(new(task, SchedulingClass.Deadline, null));
        }

        if (WalkText.OfAny(outcome, at, limit) is { } problem)
            Complain($"tasks with a deadline of CPU {cpu}: {problem}");
    }

    // Each task is on one queue: a list that has one which is on another, or is no task, is damaged from there on.
    private KernelTask? OnQueue(int cpu, ulong address)
    {
        if (_tasks.GetValueOrDefault(address) is not { } task)
            Complain($"the run queue of CPU {cpu} has what is no task of the list, at 0x{address:x}");
        else if (!_onQueues.Add(address))
            Complain($"the run queue of CPU {cpu} has PID {task.Pid}, which is on a queue already");
        else
            return task;
        return null;
    }

    private List<KernelTask> List(int cpu, ulong head, ulong node)
    {
        var outcome = new WalkOutcome();
        int limit = _memory.Limits.QueuedTasks;
        List<KernelTask> tasks = [];
        foreach (ulong entry in ListWalk.Circular(_memory, head, limit, outcome))
        {
            if (OnQueue(cpu, unchecked(entry - node)) is not { } task)
                return tasks;
            tasks.Add(task);
        }

        if (WalkText.OfList(outcome, head, limit) is { } problem)
            Complain(problem);
        return tasks;
    }

    // Variables of the watchdog, where the kernel says of what type they are.
    private ulong? Variable(string name, ulong? address)
    {
        KernelType? type = address is null ? null : _types.VariableType(name, out _)?.Underlying();
        return type is not { Kind: KernelTypeKind.Integer, Size: 4 or 8 } ? null
            : type.Size == 8 ? _memory.TryReadUInt64(address!.Value, out ulong wide) ? wide : null
            : _memory.TryReadUInt32(address!.Value, out uint narrow) ? narrow : null;
    }

    private static ulong? Number(KernelObject queue, string member) =>
        queue.Type.FindMember(member) is null ? null : queue.Member(member).AsUInt64();

    private ulong? TaskOffset(string path) => _types.FindNamed(KernelTypeKind.Struct, "task_struct") is { } task ? Offset(task, path) : null;

    private static ulong? Offset(KernelType type, string path) => (ulong?)type.FindPath(path)?.ByteOffset;

    private void Complain(string problem) => _problems.Add(FindingCode.RunQueueIncomplete, problem);
}
