using System.CommandLine;
using System.Globalization;
using System.Text;
using Vmcore.Cli.Json;
using Vmcore.Kernel.Scheduling;

namespace Vmcore.Cli.Reader;

/// <summary><c>vmcore workqueues FILE</c></summary>
internal static class WorkqueuesCommand
{
    internal static Command Create()
    {
        var all = new Option<bool>("--all", "-a") { Description = "Also pools without work." };
        return new ReaderCommand("workqueues", "Show the pools of workers: what their workers were doing, and the work that waited.",
            context => Run(context, context.Parsed.GetValue(all))) { all };
    }

    private static int Run(ReaderContext context, bool all)
    {
        _ = context.Symbols;
        _ = context.NamedTypes;
        var queues = Workqueues.Load(context.Dump.KernelView);
        context.Gap(context.Dump.KernelView.RequireTasks().Problems);
        context.Gap(queues.Problems);
        if (context.IsJson)
            context.WriteJson(WorkqueuesAnswer.From(context, queues, all));
        else
            ReaderContext.Write(TextOf(context, queues, all) is { Length: > 0 } text ? text : context.NothingFound("no worker had work"));

        return 0;
    }

    /// <summary>The pools that have work, for people; empty if none has.</summary>
    /// <param name="context">The dump.</param>
    /// <param name="queues">The workqueues.</param>
    /// <param name="all">True for those without work too.</param>
    /// <param name="isBrief">True for those only whose workers are busy, or stalled for a second, and without the work that waits.</param>
    internal static string TextOf(ReaderContext context, Workqueues queues, bool all, bool isBrief = false)
    {
        const ulong Second = 1_000_000_000;
        var text = new StringBuilder();
        foreach (WorkerPool pool in queues.Pools.Where(p => all || p.IsBusy))
        {
            if (isBrief && pool is { Busy.Count: 0, Stalled: null or < Second })
                continue;
            string where = pool.Cpu is { } cpu ? string.Create(CultureInfo.InvariantCulture, $"CPU {cpu}") : "unbound";
            text.Append(context.Style.Bold(string.Create(CultureInfo.InvariantCulture, $"pool {pool.Id}")))
                .Append(CultureInfo.InvariantCulture, $"  {where}{(pool.Nice is { } nice ? $", nice {nice}" : "")}")
                .Append(CultureInfo.InvariantCulture, $"  {Sizes.Count((ulong)pool.Workers, "worker")}, {pool.Idle} idle");
            if (pool.Pending.Count > 0)
                text.Append(CultureInfo.InvariantCulture, $"  {pool.Pending.Count} waiting");
            if (pool.Stalled is { } stalled)
                text.Append(", none taken for ").Append(Durations.Text(stalled));
            text.Append('\n');
            foreach (Worker worker in pool.Busy)
                Append(text, context, worker);
            foreach (PendingWork work in isBrief ? [] : pool.Pending)
                Append(text, context, work, "waits");
        }

        foreach (Workqueue queue in queues.Queues)
        {
            text.Append(context.Style.Bold(queue.Name)).Append(queue.IsMayday ? "  waits for its rescuer" : "")
                .Append(queue.HeldBack.Count > 0 ? string.Create(CultureInfo.InvariantCulture, $"  holds {queue.HeldBack.Count} back") : "").Append('\n');
            if (queue.Rescuer is { } rescuer)
                Append(text, context, rescuer);
            foreach (PendingWork work in isBrief ? [] : queue.HeldBack)
                Append(text, context, work, "held back");
        }

        return text.ToString();
    }

    private static void Append(StringBuilder text, ReaderContext context, Worker worker)
    {
        text.Append(CultureInfo.InvariantCulture, $" > {NameOf(context, worker.Function)}");
        if (worker.Workqueue is { } queue)
            text.Append(CultureInfo.InvariantCulture, $" of {queue}");
        text.Append(worker.IsRescuer ? "  rescuer" : "");
        if (worker.Task is { } task)
            text.Append(CultureInfo.InvariantCulture, $"  PID {task.Pid}  \"{task.Name}\"  {Durations.StateText(context, task)}");
        text.Append('\n');
        foreach (PendingWork work in worker.Scheduled)
            Append(text, context, work, "then");
    }

    private static void Append(StringBuilder text, ReaderContext context, PendingWork work, string how)
    {
        text.Append(CultureInfo.InvariantCulture, $"   {work.Address:x16}  {how}  {NameOf(context, work.Function)}");
        if (work.Workqueue is { } queue)
            text.Append(CultureInfo.InvariantCulture, $" of {queue}");
        if (work.Waiter is { } task)
            text.Append(CultureInfo.InvariantCulture, $"  for which PID {task.Pid} \"{task.Name}\" waits");
        text.Append('\n');
    }

    /// <summary>A function by its name; its address if no symbol has it.</summary>
    internal static string NameOf(ReaderContext context, ulong function)
    {
        string? name = context.SymbolAt(function);
        int offset = name?.IndexOf("+0x0", StringComparison.Ordinal) ?? -1;
        return offset < 0 ? name ?? Sizes.Hex(function) : name!.Remove(offset, "+0x0".Length);
    }
}

/// <summary>The answer of <c>vmcore workqueues --json</c>; times in nanoseconds.</summary>
internal sealed record WorkqueuesAnswer : ReaderAnswer
{
    public IReadOnlyList<WorkerPoolInfo> Pools { get; init; } = [];

    public IReadOnlyList<WorkqueueInfo> Workqueues { get; init; } = [];

    internal static WorkqueuesAnswer From(ReaderContext context, Workqueues queues, bool all) => new()
    {
        Pools = [.. queues.Pools.Where(p => all || p.IsBusy).Select(p => new WorkerPoolInfo(context, p))],
        Workqueues = [.. queues.Queues.Select(q => new WorkqueueInfo(context, q))],
    };

    /// <inheritdoc/>
    protected override void WriteMembers(JsonText json)
    {
        json.Put(Pools);
        json.Put(Workqueues);
    }
}

/// <summary>A pool of workers.</summary>
internal sealed class WorkerPoolInfo(ReaderContext context, WorkerPool pool) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(pool.Id);
        json.PutAddress(pool.Address);
        json.Put(pool.Cpu);
        json.Put(pool.Nice);
        json.Put(pool.Workers);
        json.Put(pool.Idle);
        json.Put(pool.Stalled, "StalledNs");
        json.Put(pool.Busy, (writer, worker) => WriteWorker(writer, context, worker));
        json.Put(pool.Pending, (writer, work) => WriteWork(writer, context, work));
    }

    internal static void WriteWorker(JsonText json, ReaderContext context, Worker worker)
    {
        json.PutAddress(worker.Address);
        json.Put(worker.Task is { } task ? TaskInfo.From(context, task) : null, "Task");
        json.PutAddress(worker.Function);
        json.Put(WorkqueuesCommand.NameOf(context, worker.Function), "FunctionName");
        json.Put(worker.Workqueue);
        json.Put(worker.IsRescuer, "Rescuer");
        json.Put(worker.Scheduled, (writer, work) => WriteWork(writer, context, work));
    }

    internal static void WriteWork(JsonText json, ReaderContext context, PendingWork work)
    {
        json.PutAddress(work.Address);
        json.PutAddress(work.Function);
        json.Put(WorkqueuesCommand.NameOf(context, work.Function), "FunctionName");
        json.Put(work.Workqueue);
        json.Put(work.Waiter?.Pid, "WaiterPid");
    }
}

/// <summary>A workqueue that asked for help, or holds work back.</summary>
internal sealed class WorkqueueInfo(ReaderContext context, Workqueue queue) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(queue.Name);
        json.PutAddress(queue.Address);
        json.Put(queue.IsMayday, "Mayday");
        json.Put(queue.HeldBack, (writer, work) => WorkerPoolInfo.WriteWork(writer, context, work));
        List<Worker> rescuers = queue.Rescuer is { } rescuer ? [rescuer] : [];
        json.Put(rescuers, (writer, worker) => WorkerPoolInfo.WriteWorker(writer, context, worker));
    }
}
