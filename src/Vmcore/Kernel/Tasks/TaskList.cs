using System.Text;
using Vmcore.Findings;
using Vmcore.Kernel.Cpus;
using Vmcore.Kernel.Lists;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Tasks;

/// <summary>All tasks: the idle tasks of the CPUs first, then the processes in the kernel's order, each followed by its threads.</summary>
public sealed class TaskList
{
    private readonly IVirtualMemory _memory;
    private readonly KernelType _type;
    private readonly int _pageShift;
    private readonly HashSet<ulong> _running = [];
    private readonly List<int> _online = [];
    private readonly List<int> _offline = [];
    private readonly List<KernelTask> _tasks = [];
    private readonly HashSet<ulong> _seen = [];
    private readonly ProblemList _problems = new();
    private readonly ResidentMemory _resident;
    private int _withoutParent;

    private TaskList(IVirtualMemory memory, KernelType type, PerCpuAreas? perCpu, int pageShift)
    {
        _resident = new(memory, perCpu, pageShift);
        _memory = memory;
        _type = type;
        _pageShift = pageShift;
    }

    /// <summary>The tasks.</summary>
    public IReadOnlyList<KernelTask> Tasks => _tasks;

    /// <summary>The first of <see cref="Problems"/>; null if the list is whole.</summary>
    public Finding? Problem => _problems.Findings.Count > 0 ? _problems.Findings[0] : null;

    /// <summary>What is missing of the list, or of what is said of the tasks in it: one clause each; at most 100.</summary>
    public IReadOnlyList<Finding> Problems => _problems.Findings;

    /// <summary>Reads the list.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="symbols">The kernel's symbols.</param>
    /// <param name="types">The kernel's types.</param>
    /// <param name="perCpu">The CPUs' areas; null to leave out what they say (which task ran where, the idle tasks of all but the first CPU).</param>
    /// <param name="pageShift">log2 of the page size in bytes.</param>
    /// <exception cref="MissingInformationException">There is no <c>init_task</c>, or no type of it.</exception>
    internal static TaskList Load(IVirtualMemory memory, KernelSymbols symbols, KernelTypes types, PerCpuAreas? perCpu, int pageShift)
    {
        ArgumentNullException.ThrowIfNull(symbols);
        ArgumentNullException.ThrowIfNull(types);
        KernelType type = types.FindNamed(KernelTypeKind.Struct, "task_struct")
            ?? throw new MissingInformationException("the kernel's types have no struct task_struct");
        ulong init = symbols.TryFindInImage("init_task")
            ?? throw new MissingInformationException(symbols.Lacks("init_task"));
        var list = new TaskList(memory, type, perCpu, pageShift);
        list.ReadRunQueues(symbols, types, perCpu, init);
        list.ReadProcesses(init);
        list.SumUp(perCpu);
        return list;
    }

    /// <summary>Tells whether a CPU was online, as the scheduler knows it; null if it does not.</summary>
    internal bool? IsOnline(int cpu) => _online.Contains(cpu) ? true : _offline.Contains(cpu) ? false : null;

    private void Complain(string problem) => _problems.Add(FindingCode.TasksIncomplete, problem);

    // What is missing of single tasks.
    private void SumUp(PerCpuAreas? perCpu)
    {
        if (perCpu is null)
            Complain("the CPUs' own areas cannot be found: which tasks were running, and the idle tasks of all CPUs but the first, are not known");
        if (_resident.Unknown > 0)
            Complain($"the resident memory of {_resident.Unknown} processes cannot be read");
        if (_resident.Partly > 0)
            Complain($"the CPUs' own counters of resident memory cannot be read for {_resident.Partly} processes: their resident size is too low or too high");
        if (_withoutParent > 0)
            Complain($"the parents of {_withoutParent} tasks cannot be read: 0 stands for them");
    }

    // Each CPU's run queue knows its idle task and the one that runs.
    private void ReadRunQueues(KernelSymbols symbols, KernelTypes types, PerCpuAreas? perCpu, ulong init)
    {
        KernelType? queue = types.FindNamed(KernelTypeKind.Struct, "rq");
        ulong? symbol = symbols.TryFindInImage("runqueues");
        List<ulong> idle = [];
        foreach (int cpu in queue is not null && symbol is not null && perCpu is not null ? perCpu.Possible : [])
        {
            try
            {
                KernelObject item = KernelObject.At(_memory, queue!, unchecked(symbol!.Value + perCpu!.OffsetOf(cpu).GetValueOrDefault()));

                // Set and cleared when a CPU comes and goes; a panic leaves it as it was. What an offline CPU ran last runs no more.
                if (queue!.FindMember("online") is not null)
                    (item.Member("online").AsUInt64() != 0 ? _online : _offline).Add(cpu);
                if (IsOnline(cpu) != false || perCpu.Online.Contains(cpu))
                    _running.Add(item.Member("curr").AsUInt64());
                idle.Add(item.Member("idle").AsUInt64());
            }
            catch (KernelObjectException e)
            {
                Complain($"the run queue of CPU {cpu}: {e.Message}");
            }
        }

        Add(init);
        foreach (ulong task in idle.Where(t => t != 0))
            Add(task);
    }

    private void ReadProcesses(ulong init)
    {
        ulong tasks = Offset("tasks") ?? throw new MissingInformationException("struct task_struct has no member tasks");
        ulong? node = Offset("thread_node");
        foreach (ulong entry in List(init + tasks, _memory.Limits.Processes))
        {
            ulong leader = entry - tasks;
            Add(leader);
            if (node is null || KernelObject.At(_memory, _type, leader) is not { } item)
                continue;
            try
            {
                ulong head = item.Member("signal").Member("thread_head").Address ?? 0;
                foreach (ulong thread in List(head, _memory.Limits.Threads))
                    Add(thread - node.Value);
            }
            catch (KernelObjectException e)
            {
                Complain($"threads of the task at 0x{leader:x}: {e.Message}");
            }
        }
    }

    private List<ulong> List(ulong head, int limit)
    {
        var outcome = new WalkOutcome();
        List<ulong> entries = ListWalk.CircularBothWays(_memory, head, limit, outcome);
        if (WalkText.OfList(outcome, head, limit) is { } problem)
            Complain(problem);
        return entries;
    }

    private ulong? Offset(string member) => _type.FindMember(member)?.BitOffset is { } bits ? (ulong)(bits / 8) : null;

    private void Add(ulong address)
    {
        if (!_seen.Add(address))
            return;
        try
        {
            _tasks.Add(Read(KernelObject.At(_memory, _type, address)));
        }
        catch (KernelObjectException e)
        {
            Complain($"the task at 0x{address:x}: {e.Message}");
        }
    }

    private KernelTask Read(KernelObject item)
    {
        ulong state = item.Member(Has("__state") ? "__state" : "state").AsUInt64(), exit = item.Member("exit_state").AsUInt64();
        ulong mm = item.Member("mm").AsUInt64();
        ulong address = item.Address ?? 0;
        bool isRunning = _running.Contains(address) || (_running.Count == 0 && Flag(item, "on_cpu"));
        return new()
        {
            Object = item,
            Pid = (int)item.Member("pid").AsUInt64(),
            Tgid = (int)item.Member("tgid").AsUInt64(),
            ParentPid = ParentOf(item),
            Name = Text(item.Member("comm").ReadBytes()),
            State = TaskStates.Letter(state, exit),
            StateText = TaskStates.Text(state, exit, isRunning, Flag(item, "on_rq"), Flag(item, "in_iowait")),
            IsHung = TaskStates.IsHung(state, exit),
            Cpu = (int)(Has("cpu") ? item.Member("cpu") : item.Member("thread_info").Member("cpu")).AsUInt64(),
            IsOnCpu = isRunning,
            IsKernelThread = mm == 0 && (item.Member("flags").AsUInt64() & 0x200000) != 0, // PF_KTHREAD
            VirtualSize = mm == 0 ? null : TryNumber(() => item.Member("mm").Member("total_vm")) << _pageShift,
            ResidentSize = mm == 0 ? null : _resident.Of(item),
        };
    }

    private int ParentOf(KernelObject item)
    {
        if (TryNumber(() => item.Member("real_parent").Member("tgid")) is { } parent)
            return (int)parent;
        _withoutParent++;
        return 0;
    }

    private bool Flag(KernelObject item, string member) => Has(member) && item.Member(member).AsUInt64() != 0;

    private bool Has(string member) => _type.FindMember(member) is not null;

    private static ulong? TryNumber(Func<KernelObject> item)
    {
        try
        {
            return item().AsUInt64();
        }
        catch (KernelObjectException)
        {
            return null;
        }
    }

    private static string Text(ReadOnlySpan<byte> bytes)
    {
        int nul = bytes.IndexOf((byte)0);
        return string.Concat(Encoding.Latin1.GetString(nul >= 0 ? bytes[..nul] : bytes).Select(c => c is >= ' ' and < (char)0x7f ? c : '?'));
    }
}
