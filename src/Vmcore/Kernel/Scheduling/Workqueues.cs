using System.Numerics;
using Vmcore.Findings;
using Vmcore.Kernel.Lists;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Scheduling;

/// <summary>The pools of workers, what they did, and the work that waited.</summary>
/// <remarks>Source: kernel/workqueue.c, kernel/workqueue_internal.h.</remarks>
public sealed class Workqueues
{
    // WORK_STRUCT_PWQ: the word of a work that waits has the address of its pool_workqueue, and flags below.
    private const ulong HasQueue = 1 << 2;

    private readonly IVirtualMemory _memory;
    private readonly KernelTypes _types;
    private readonly ProblemList _problems = new();
    private readonly List<WorkerPool> _pools = [];
    private readonly List<Workqueue> _queues = [];
    private readonly Dictionary<ulong, KernelTask> _tasks = [];
    private readonly KernelType _worker, _pool, _work, _queue;
    private readonly ulong _entry;
    private readonly ulong? _barrier;
    private readonly ulong? _ticks, _tickLength;
    private int _works, _workers, _parts;

    private Workqueues(IVirtualMemory memory, KernelSymbols symbols, KernelTypes types, IEnumerable<KernelTask> tasks)
    {
        (_memory, _types) = (memory, types);
        (_worker, _pool, _work, _queue) = (Need("worker"), Need("worker_pool"), Need("work_struct"), Need("pool_workqueue"));
        _entry = (ulong)_work.OffsetOf("entry");
        foreach (KernelTask task in tasks)
            _tasks[task.Address] = task;
        ulong?[] found = symbols.FindInImage("wq_barrier_func", "jiffies_64", "tick_nsec");
        _barrier = found[0];
        _ticks = found[1] is { } jiffies && memory.TryReadUInt64(jiffies, out ulong now) ? now : null;
        _tickLength = RcuState.TickOf(memory, found[2]);
    }

    /// <summary>The pools, by number.</summary>
    public IReadOnlyList<WorkerPool> Pools => _pools;

    /// <summary>The workqueues that asked for help, hold work back, or whose rescuer had work.</summary>
    public IReadOnlyList<Workqueue> Queues => _queues;

    /// <summary>What cannot be told of them, or not all: one clause each; at most 100.</summary>
    public IReadOnlyList<Finding> Problems => _problems.Findings;

    /// <summary>Reads them.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <exception cref="MissingInformationException">The kernel's memory, symbols, types or tasks, or the workqueues, are not there.</exception>
    public static Workqueues Load(KernelView kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        try
        {
            KernelSymbols symbols = kernel.RequireSymbols();
            var result = new Workqueues(kernel.RequireMemory(), symbols, kernel.RequireTypes(), kernel.RequireTasks().Tasks);
            result.ReadPools(symbols);
            result.ReadQueues(symbols);
            return result;
        }
        catch (KernelObjectException e)
        {
            throw new MissingInformationException($"the workqueues cannot be read: {e.Message}");
        }
    }

    private KernelType Need(string name) =>
        _types.FindNamed(KernelTypeKind.Struct, name) ?? throw new MissingInformationException($"the kernel's types have no struct {name}");

    private void ReadPools(KernelSymbols symbols)
    {
        if (symbols.TryFindInImage("worker_pool_idr") is not { } tree || XArrayLayout.From(new(_types)) is not { } layout)
            throw new MissingInformationException($"the pools of workers cannot be found: {symbols.Lacks("worker_pool_idr")}");
        var outcome = new WalkOutcome();
        foreach (XArrayEntry entry in XArrayWalk.Run(_memory, tree + (ulong)Need("idr").OffsetOf("idr_rt"), layout, outcome))
        {
            if (_pools.Count >= _memory.Limits.WorkerPools)
                break;
            try
            {
                _pools.Add(ReadPool(KernelObject.At(_memory, _pool, entry.Entry)));
            }
            catch (KernelObjectException e)
            {
                Complain($"the pool of workers at 0x{entry.Entry:x}: {e.Message}");
            }
        }

        if (outcome.End == WalkEnd.Unfinished)
            Complain($"there are more than {_memory.Limits.WorkerPools} pools of workers; the rest is left out");
        else if (WalkText.OfAny(outcome, tree, _memory.Limits.XArrayNodes) is { } problem)
            Complain($"pools of workers: {problem}");
    }

    private WorkerPool ReadPool(KernelObject pool)
    {
        int cpu = (int)pool.Member("cpu").AsUInt64();
        ulong address = pool.Address ?? 0;
        List<PendingWork> pending = Works(pool.Member("worklist"), address);

        // The lower half of the clock is enough, and is what the pool notes.
        ulong since = unchecked((_ticks ?? 0) - pool.Member("watchdog_ts").AsUInt64());
        return new()
        {
            Id = (int)pool.Member("id").AsUInt64(),
            Address = address,
            Cpu = cpu >= 0 ? cpu : null,
            Nice = pool.Member("attrs").AsUInt64() == 0 ? null : (int)pool.Member("attrs").Member("nice").AsUInt64(),
            Workers = (int)pool.Member("nr_workers").AsUInt64(),
            Idle = (int)pool.Member("nr_idle").AsUInt64(),
            Busy = BusyOf(pool),
            Pending = pending,
            Stalled = pending.Count > 0 && _ticks is not null && since < 1UL << 40 ? since * _tickLength : null,
        };
    }

    private List<Worker> BusyOf(KernelObject pool)
    {
        List<Worker> busy = [];
        var outcome = new WalkOutcome();
        ulong head = pool.Member("workers").Address ?? 0, node = (ulong)_worker.OffsetOf("node");
        int limit = Math.Max(_memory.Limits.Workers - _workers, 0);
        foreach (ulong entry in ListWalk.CircularBothWays(_memory, head, limit, outcome))
        {
            KernelObject item = KernelObject.At(_memory, _worker, unchecked(entry - node));
            if (item.Member("current_func").AsUInt64() != 0)
                busy.Add(ReadWorker(item, pool.Address ?? 0));
        }

        _workers += (int)outcome.Count;
        if (WalkText.OfList(outcome, head, limit) is { } problem)
            Complain($"workers: {problem}");
        return busy;
    }

    private Worker ReadWorker(KernelObject item, ulong pool, bool isRescuer = false)
    {
        ulong function = item.Member("current_func").AsUInt64(), queue = function == 0 ? 0 : item.Member("current_pwq").AsUInt64();
        return new()
        {
            Address = item.Address ?? 0,
            Task = _tasks.GetValueOrDefault(item.Member("task").AsUInt64()),
            Function = function,
            LastFunction = item.Type.FindMember("last_func") is null ? 0 : item.Member("last_func").AsUInt64(),
            Workqueue = queue == 0 ? null : NameOf(queue, pool),
            IsRescuer = isRescuer,
            Scheduled = function == 0 ? [] : Works(item.Member("scheduled"), pool),
        };
    }

    private List<PendingWork> Works(KernelObject list, ulong pool)
    {
        List<PendingWork> works = [];
        var outcome = new WalkOutcome();
        ulong head = list.Address ?? 0;
        int limit = Math.Max(_memory.Limits.PendingWorks - _works, 0);
        foreach (ulong entry in ListWalk.Circular(_memory, head, limit, outcome))
        {
            ulong at = unchecked(entry - _entry);
            KernelObject work = KernelObject.At(_memory, _work, at);
            ulong function = work.Member("func").AsUInt64(), data = work.Member("data").Member("counter").AsUInt64();
            works.Add(new()
            {
                Address = at,
                Function = function,
                Workqueue = (data & HasQueue) != 0 ? NameOf(data & ~AlignmentOf(_queue), pool) : null,
                Waiter = function == _barrier ? WaiterOf(at) : null,
            });
        }

        _works += works.Count;
        if (WalkText.OfList(outcome, head, limit) is { } problem)
            Complain($"work that waits: {problem}");
        return works;
    }

    // As large as it is aligned, for the flags in the lowest bits of its address.
    private static ulong AlignmentOf(KernelType queue) => BitOperations.RoundUpToPowerOf2((ulong)(queue.Size ?? 256)) - 1;

    // Its name counts only if the queue names the pool that the work is in.
    private string? NameOf(ulong address, ulong pool)
    {
        try
        {
            KernelObject item = KernelObject.At(_memory, _queue, address);
            return item.Member("pool").AsUInt64() == pool ? TextOf(item.Member("wq").Member("name")) : null;
        }
        catch (KernelObjectException)
        {
            return null;
        }
    }

    // The work of a flush lies in a structure that says who waits.
    private KernelTask? WaiterOf(ulong work)
    {
        if (_types.FindNamed(KernelTypeKind.Struct, "wq_barrier") is not { } barrier || barrier.FindMember("task")?.ByteOffset is not { } place
            || barrier.FindMember("work")?.ByteOffset is not { } start)
            return null;
        return _memory.TryReadUInt64(unchecked(work - (ulong)start + (ulong)place), out ulong task) ? _tasks.GetValueOrDefault(task) : null;
    }

    private void ReadQueues(KernelSymbols symbols)
    {
        KernelType type = Need("workqueue_struct");
        if (symbols.TryFindInImage("workqueues") is not { } head)
        {
            Complain($"the workqueues cannot be found: {symbols.Lacks("workqueues")}");
            return;
        }

        var outcome = new WalkOutcome();
        ulong link = (ulong)type.OffsetOf("list");
        int limit = _memory.Limits.Workqueues;
        foreach (ulong entry in ListWalk.CircularBothWays(_memory, head, limit, outcome))
        {
            ulong at = unchecked(entry - link);
            try
            {
                ReadQueue(KernelObject.At(_memory, type, at));
            }
            catch (KernelObjectException e)
            {
                Complain($"the workqueue at 0x{at:x}: {e.Message}");
            }
        }

        if (WalkText.OfList(outcome, head, limit) is { } problem)
            Complain($"workqueues: {problem}");
    }

    private void ReadQueue(KernelObject item)
    {
        KernelObject maydays = item.Member("maydays");
        bool isMayday = maydays.Member("next").AsUInt64() != maydays.Address;
        List<PendingWork> held = [];
        var outcome = new WalkOutcome();
        ulong head = item.Member("pwqs").Address ?? 0, link = (ulong)_queue.OffsetOf("pwqs_node");
        string inactive = _queue.FindMember("inactive_works") is null ? "delayed_works" : "inactive_works"; // Up to 5.14.
        int limit = Math.Max(_memory.Limits.Workers - _parts, 0);
        foreach (ulong entry in ListWalk.Circular(_memory, head, limit, outcome))
        {
            KernelObject part = KernelObject.At(_memory, _queue, unchecked(entry - link));
            held.AddRange(Works(part.Member(inactive), part.Member("pool").AsUInt64()));
        }

        _parts += (int)outcome.Count;
        if (WalkText.OfList(outcome, head, limit) is { } problem)
            Complain($"parts of a workqueue: {problem}");
        KernelObject rescuer = item.Member("rescuer");
        Worker? helper = rescuer.AsUInt64() == 0 ? null : ReadWorker(rescuer.Dereference(), rescuer.Member("pool").AsUInt64(), isRescuer: true);
        if (isMayday || held.Count > 0 || helper?.Function > 0)
        {
            _queues.Add(new()
            {
                Name = TextOf(item.Member("name")),
                Address = item.Address ?? 0,
                IsMayday = isMayday,
                HeldBack = held,
                Rescuer = helper?.Function > 0 ? helper : null,
            });
        }
    }

    private static string TextOf(KernelObject name) => string.Concat(name.ReadString().Select(static c => c is >= ' ' and < (char)0x7f ? c : '?'));

    private void Complain(string problem) => _problems.Add(FindingCode.WorkqueuesIncomplete, problem);
}
