using Vmcore.Architectures;
using Vmcore.Findings;
using Vmcore.Kernel.Lists;
using Vmcore.Kernel.Stacks;
using Vmcore.Kernel.Summary;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Tasks;
using Vmcore.Memory;

namespace Vmcore.Kernel.Locks;

/// <summary>Who waited for which lock, and who held it. Only what the machine's memory proves is told: see <see cref="LockWait"/>.</summary>
public sealed class LockWaits
{
    private const ulong OwnerFlags = 7;

    private readonly LockSurroundings _around;
    private readonly Dictionary<ulong, KernelLock> _locks = [];
    private readonly Dictionary<ulong, LockWait> _waits = [];
    private readonly ProblemList _problems = new();

    private LockWaits(LockSurroundings around) => _around = around;

    /// <summary>The locks, those first that most tasks waited for.</summary>
    public IReadOnlyList<KernelLock> Locks { get; private set; } = [];

    /// <summary>Circles of tasks that waited for each other, each once: the owner of the lock of each wait is the task of the next, that of the last the task
    /// of the first. None of them can go on: a deadlock.</summary>
    public IReadOnlyList<IReadOnlyList<LockWait>> Cycles { get; private set; } = [];

    /// <summary>What tasks waited for by their stacks, and could not be proven: one clause each; at most 100.</summary>
    public IReadOnlyList<Finding> Problems => _problems.Findings;

    /// <summary>Looks at all tasks that slept.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="stacks">Its stacks; null to get ready for them.</param>
    /// <param name="trace">Gives the stack of a task, for whoever has walked it before; null to walk it.</param>
    /// <exception cref="MissingInformationException">The kernel's memory, symbols, types or tasks are not there.</exception>
    public static LockWaits Load(KernelView kernel, KernelStacks? stacks = null, Func<KernelTask, TaskStack>? trace = null)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        stacks ??= KernelStacks.Load(kernel);
        KernelSymbols symbols = kernel.RequireSymbols();
        var clock = KernelClock.TryRead(kernel);
        Dictionary<ulong, KernelTask> tasks = [];
        foreach (KernelTask task in kernel.RequireTasks().Tasks)
            tasks[task.Address] = task;
        var around = new LockSurroundings
        {
            Memory = kernel.RequireMemory(),
            TaskAt = tasks.GetValueOrDefault,
            StackOf = stacks.StackOf,
            IsCode = stacks.IsCode,
            FunctionAt = address => symbols.TryResolve(address, out KernelSymbol symbol, out _) ? symbol.Name : null,
            IsYounger = (task, sleeper) =>
                IsYounger(kernel.Times?.Of(task).Started, kernel.Times?.Of(sleeper).InStateAtLeast, clock?.Monotonic, kernel.Times?.Now),
        };
        return Of(around, kernel.RequireTypes(), kernel.RequireTasks().Tasks, trace ?? stacks.Trace);
    }

    /// <summary>What a task waited for; null if nothing is proven.</summary>
    /// <param name="task">The task.</param>
    public LockWait? Of(KernelTask task)
    {
        ArgumentNullException.ThrowIfNull(task);
        return _waits.GetValueOrDefault(task.Address);
    }

    /// <summary>What keeps a task: its wait, that of the owner of the lock, and so on, until an owner does not wait for a lock, none is noted, or the chain
    /// comes back to one of its tasks.</summary>
    /// <param name="task">The task.</param>
    /// <param name="most">The most waits that are told.</param>
    public IReadOnlyList<LockWait> ChainOf(KernelTask task, int most = int.MaxValue)
    {
        List<LockWait> chain = [];
        HashSet<ulong> seen = [];
        LockWait? wait = Of(task);
        for (; wait is not null && chain.Count < most && seen.Add(wait.Task.Address); wait = wait.Lock.Owner is { } owner ? Of(owner) : null)
            chain.Add(wait);
        return chain;
    }

    /// <summary>Looks at tasks that slept.</summary>
    internal static LockWaits Of(LockSurroundings around, Types.KernelTypes types, IEnumerable<KernelTask> tasks, Func<KernelTask, TaskStack> trace)
    {
        var waits = new LockWaits(around);
        waits.Search(tasks, new(around, types), new(around, new(types)), trace);
        return waits;
    }

    // Starts are noted by a clock that is kept right, sleep by another. They began at about the same time, and have come apart since by as much as they differ
    // now at most, or by what NTP allows in the time that is compared; the first is read once a tick.
    internal static bool IsYounger(ulong? started, ulong? slept, ulong? monotonic, ulong? now)
    {
        const ulong Apart = 1000, Tick = 50_000_000;
        if (started is not { } start || slept is not { } sleep || monotonic is not { } right || now is not { } other || start > right)
            return false;
        ulong age = right - start, difference = right > other ? right - other : other - right;
        return sleep > age && sleep - age > (age / Apart) + difference + Tick;
    }

    private void Search(IEnumerable<KernelTask> tasks, WaiterSearch search, RtWaiters rt, Func<KernelTask, TaskStack> trace)
    {
        int incomplete = 0;
        Dictionary<ulong, string> unproven = [];
        foreach (KernelTask task in tasks)
        {
            // Who waits in the list of a lock that another led to is known.
            if (task.IsOnCpu || task.State is not ('S' or 'D' or 'I') || _waits.ContainsKey(task.Address))
                continue;
            TaskStack stack = trace(task);
            incomplete += stack.Problem is null ? 0 : 1;
            if (search.Find(task, stack) is { } found)
                Add(task, found, rt);
            else if (search.Problem is { } problem)
                unproven[task.Address] = problem;
        }

        // Another one's waiter may have led to the lock.
        foreach (ulong task in unproven.Keys)
        {
            if (!_waits.ContainsKey(task))
                _problems.Add(FindingCode.LocksUnproven, unproven[task]);
        }

        if (incomplete > 0)
            _problems.Add(FindingCode.LocksUnproven, $"the stacks of {incomplete} tasks that slept are not complete: what they waited for may be missing");
        Locks = [.. _locks.Values.OrderByDescending(static l => l.Waits.Count)];
        Cycles = FindCycles();
    }

    private void Add(KernelTask task, FoundWait found, RtWaiters rt)
    {
        if (!_locks.TryGetValue(found.Lock, out KernelLock? known))
        {
            _locks.Add(found.Lock, known = new(found.Layout?.Kind ?? LockKind.RtMutex, found.Lock));
            ReadOwner(known, found.Layout, rt);
        }

        // Of a wait queue a task may be in several, and sleep for something else.
        if (found is { Layout: { Kind: not (LockKind.WaitQueue or LockKind.SimpleWaitQueue) } layout, Ring: { } ring })
        {
            foreach (ulong node in ring.Nodes)
            {
                if (ring.TaskOf(node) is { } waiting)
                    Add(waiting, known, layout, unchecked(node - (ulong)layout.Node));
            }
        }

        Add(task, known, found.Layout, found.Waiter);
        foreach (LockWait wait in known.Waits)
        {
            if (_around.StackOf(wait.Task)?.Contains(known.Address) == true)
                known.OnStackOf = wait.Task;
        }

        // Who unlocks wakes the first waiter, so while that one sleeps the lock has not gone to anybody else. Of an rt_mutex the first is not known.
        if (found.Layout is not null && known is { Owner: { } owner, Waits: [{ Task: { } first }, ..] } && _around.IsYounger(owner, first))
            (known.Owner, known.Successor) = (null, owner);
    }

    private void Add(KernelTask task, KernelLock known, WaiterLayout? layout, ulong waiter)
    {
        if (_waits.ContainsKey(task.Address))
            return;

        // RWSEM_WAITING_FOR_WRITE is 0, RWSEM_WAITING_FOR_READ 1.
        bool isReader = layout is { Type: >= 0 } && _around.Memory.TryReadUInt32(waiter + (ulong)layout.Type, out uint type) && type == 1;
        var wait = new LockWait(task, known, isReader ? LockMode.Read : LockMode.Exclusive, waiter);
        _waits.Add(task.Address, wait);
        known.Add(wait);
    }

    private void ReadOwner(KernelLock known, WaiterLayout? layout, RtWaiters rt)
    {
        const ulong WriterLocked = 1, ReaderOwned = 1;
        const int ReaderShift = 8;
        IVirtualMemory memory = _around.Memory;
        ulong owner = 0;
        if (layout is null)
        {
            owner = rt.OwnerOf(known.Address) ?? 0;
        }
        else if (layout.Owner >= 0 && memory.TryReadUInt64(known.Address + (ulong)layout.Owner, out ulong word))
        {
            if (known.Kind == LockKind.ReadWriteSemaphore)
            {
                if (layout.Count < 0 || !memory.TryReadUInt64(known.Address + (ulong)layout.Count, out ulong count))
                    return;

                // The owner is left as it was when readers hold it, and when nobody does.
                if ((count & WriterLocked) == 0)
                    known.Readers = (count & long.MaxValue) >> ReaderShift;
                if ((count & WriterLocked) == 0 || (word & ReaderOwned) != 0)
                    return;
            }

            owner = word & ~OwnerFlags;
        }

        known.OwnerAddress = owner;
        known.Owner = owner == 0 ? null : _around.TaskAt(owner);
    }

    // From each wait one way leads on at most, so each circle is met by walking on until a wait is met again.
    private List<IReadOnlyList<LockWait>> FindCycles()
    {
        List<IReadOnlyList<LockWait>> cycles = [];
        HashSet<ulong> done = [];
        foreach (LockWait start in _waits.Values)
        {
            List<LockWait> path = [];
            HashSet<ulong> onPath = [];
            LockWait? wait = start;
            while (wait is not null && !done.Contains(wait.Task.Address) && onPath.Add(wait.Task.Address))
            {
                path.Add(wait);
                wait = wait.Lock.Owner is { } owner ? Of(owner) : null;
            }

            if (wait is not null && onPath.Contains(wait.Task.Address))
                cycles.Add(path.GetRange(path.IndexOf(wait), path.Count - path.IndexOf(wait)));
            done.UnionWith(onPath);
        }

        return cycles;
    }
}
