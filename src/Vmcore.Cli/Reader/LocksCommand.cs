using System.CommandLine;
using System.Globalization;
using System.Text;
using Vmcore.Cli.Json;
using Vmcore.Kernel.Locks;
using Vmcore.Kernel.Tasks;

namespace Vmcore.Cli.Reader;

/// <summary><c>vmcore locks FILE</c></summary>
internal static class LocksCommand
{
    internal static Command Create()
    {
        var all = new Option<bool>("--all", "-a") { Description = "Also wait queues and completions in which tasks only sleep, as idle ones do." };
        return new ReaderCommand("locks", "Show the locks that tasks waited for, with owners, waiters and deadlocks: what the stacks and the locks prove.",
            context => Run(context, context.Parsed.GetValue(all))) { all };
    }

    private static int Run(ReaderContext context, bool all)
    {
        _ = context.Symbols;
        _ = context.NamedTypes;
        var waits = LockWaits.Load(context.Dump.KernelView);
        context.Gap(context.Dump.KernelView.RequireTasks().Problems);
        context.Gap(waits.Problems);
        List<KernelLock> locks = [.. waits.Locks.Where(l => all || IsOfInterest(l))];
        if (context.IsJson)
            context.WriteJson(LocksAnswer.From(context, waits, locks));
        else
            ReaderContext.Write(TextOf(context, waits, locks) is { Length: > 0 } text ? text : context.NothingFound("no task slept for a lock"));
        return 0;
    }

    /// <summary>Deadlocks, then locks, for people; empty if there are neither.</summary>
    internal static string TextOf(ReaderContext context, LockWaits waits, IEnumerable<KernelLock> locks)
    {
        var text = new StringBuilder();
        foreach (IReadOnlyList<LockWait> cycle in waits.Cycles)
            AppendCycle(text, context, cycle);
        foreach (KernelLock item in locks)
            Append(text, context, waits, item);
        return text.ToString();
    }

    // Most tasks sleep in some wait queue until there is work; a lock is waited for because somebody has it.
    internal static bool IsOfInterest(KernelLock item) =>
        item.Kind is not (LockKind.WaitQueue or LockKind.SimpleWaitQueue or LockKind.Completion) || item.Waits.Any(static w => w.Task.State == 'D');

    private static void AppendCycle(StringBuilder text, ReaderContext context, IReadOnlyList<LockWait> cycle)
    {
        string what = cycle.Count == 1 ? "deadlock: a task waits for what it holds" : $"deadlock: {cycle.Count} tasks wait for each other";
        text.Append(context.Style.Red(what)).Append('\n');
        foreach (LockWait wait in cycle)
        {
            text.Append(CultureInfo.InvariantCulture, $"   PID {wait.Task.Pid} \"{wait.Task.Name}\" waits for {NameOf(context, wait.Lock)}")
                .Append(CultureInfo.InvariantCulture, $", which PID {wait.Lock.Owner!.Pid} holds\n");
        }

        text.Append('\n');
    }

    private static void Append(StringBuilder text, ReaderContext context, LockWaits waits, KernelLock item)
    {
        text.Append(context.Style.Bold(NameOf(context, item))).Append('\n');
        string owner = item switch
        {
            { Owner: { } task } => TaskText(context, task) + (waits.Of(task) is { } wait ? $", waits for {NameOf(context, wait.Lock)}" : ""),
            { Successor: { } task } => $"a task at {Sizes.Hex(item.OwnerAddress)} that ended while it held the lock: what is there now, PID {task.Pid} "
                + $"\"{task.Name}\", was made when the first waiter slept already",
            { OwnerAddress: not 0 } => $"{Sizes.Hex(item.OwnerAddress)}, which is no task of the list: it ended while it held the lock, or memory is damaged",
            { Readers: > 0 } => $"{Sizes.Count(item.Readers.Value, "reader")}; who they are is not noted",
            { Kind: LockKind.Mutex or LockKind.RtMutex or LockKind.ReadWriteSemaphore } => "nobody: it had just been let go",
            _ => "",
        };
        if (owner.Length > 0)
            text.Append("   held by ").Append(owner).Append('\n');
        foreach (LockWait wait in item.Waits)
        {
            text.Append(item.Kind == LockKind.ReadWriteSemaphore ? wait.Mode == LockMode.Read ? "   reader  " : "   writer  " : "   waiter  ")
                .Append(TaskText(context, wait.Task)).Append('\n');
        }
    }

    private static string TaskText(ReaderContext context, KernelTask task) => string.Create(CultureInfo.InvariantCulture,
        $"PID {task.Pid}  TASK {task.Address:x16}  STATE {task.State}  \"{task.Name}\"  {Durations.StateText(context, task)}");

    private static string NameOf(ReaderContext context, KernelLock item)
    {
        string? symbol = SymbolOf(context, item);
        string place = symbol is not null ? " " + symbol : item.OnStackOf is { } task ? $" on the stack of PID {task.Pid}" : "";
        return string.Create(CultureInfo.InvariantCulture, $"{KindOf(item).Replace('_', ' ')} {item.Address:x16}{place}");
    }

    internal static string? SymbolOf(ReaderContext context, KernelLock item) =>
        context.SymbolAt(item.Address)?.Replace("+0x0", "", StringComparison.Ordinal);

    internal static string KindOf(KernelLock item) => item.Kind switch
    {
        LockKind.Mutex => "mutex",
        LockKind.ReadWriteSemaphore => "rw_semaphore",
        LockKind.Semaphore => "semaphore",
        LockKind.RtMutex => "rt_mutex",
        LockKind.Completion => "completion",
        LockKind.WaitQueue => "wait_queue",
        _ => "simple_wait_queue",
    };
}

/// <summary>The answer of <c>vmcore locks --json</c>.</summary>
internal sealed record LocksAnswer : ReaderAnswer
{
    public IReadOnlyList<LockInfo> Locks { get; init; } = [];

    /// <summary>Deadlocks.</summary>
    public IReadOnlyList<LockCycleInfo> Cycles { get; init; } = [];

    internal static LocksAnswer From(ReaderContext context, LockWaits waits, IEnumerable<KernelLock> locks) => new()
    {
        Locks = [.. locks.Select(l => LockInfo.From(context, waits, l))],
        Cycles = [.. waits.Cycles.Select(static c => new LockCycleInfo([.. c.Select(LockLinkInfo.From)]))],
    };

    /// <inheritdoc/>
    protected override void WriteMembers(JsonText json)
    {
        json.Put(Locks);
        json.Put(Cycles);
    }
}

/// <summary>A lock that tasks waited for.</summary>
internal sealed record LockInfo(
    string Kind, ulong Address, string? Symbol, int? OnStackOf, TaskInfo? Owner, ulong? OwnerAddress, TaskInfo? Successor, ulong? Readers,
    IReadOnlyList<LockWaitInfo> Waits) : IJsonItem
{
    private const int ToldLinks = 100;

    internal static LockInfo From(ReaderContext context, LockWaits waits, KernelLock item) => new(
        LocksCommand.KindOf(item), item.Address, LocksCommand.SymbolOf(context, item), item.OnStackOf?.Pid,
        item.Owner is { } owner ? TaskInfo.From(context, owner) : null, item.OwnerAddress == 0 ? null : item.OwnerAddress,
        item.Successor is { } successor ? TaskInfo.From(context, successor) : null, item.Readers,
        [.. item.Waits.Select(w => new LockWaitInfo(
            TaskInfo.From(context, w.Task), w.Mode, w.Waiter, [.. waits.ChainOf(w.Task, ToldLinks).Select(LockLinkInfo.From)]))]);

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Kind);
        json.PutAddress(Address);
        json.Put(Symbol);
        json.Put(OnStackOf);
        json.Put(Owner);
        json.PutAddress(OwnerAddress);
        json.Put(Successor);
        json.Put(Readers);
        json.Put(Waits);
    }
}

/// <summary>A task that waited for a lock; the chain leads from its own wait to what keeps it in the end.</summary>
internal sealed record LockWaitInfo(TaskInfo Task, LockMode Mode, ulong Waiter, IReadOnlyList<LockLinkInfo> Chain) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Task);
        json.Put(Mode == LockMode.Read ? "read" : "exclusive", "Mode");
        json.PutAddress(Waiter);
        json.Put(Chain);
    }
}

/// <summary>Tasks that waited for each other.</summary>
internal sealed record LockCycleInfo(IReadOnlyList<LockLinkInfo> Links) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json) => json.Put(Links);
}

/// <summary>A step of a chain: this task waited for this lock, which that task held.</summary>
internal sealed record LockLinkInfo(int Pid, string Name, ulong Lock, int? OwnerPid) : IJsonItem
{
    internal static LockLinkInfo From(LockWait wait) => new(wait.Task.Pid, wait.Task.Name, wait.Lock.Address, wait.Lock.Owner?.Pid);

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Pid);
        json.Put(Name);
        json.PutAddress(Lock);
        json.Put(OwnerPid);
    }
}
