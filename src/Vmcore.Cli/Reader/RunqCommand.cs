using System.CommandLine;
using System.Globalization;
using System.Text;
using Vmcore.Cli.Code;
using Vmcore.Cli.Json;
using Vmcore.Kernel.Scheduling;
using Vmcore.Kernel.Tasks;

namespace Vmcore.Cli.Reader;

/// <summary><c>vmcore runq FILE</c></summary>
internal static class RunqCommand
{
    internal static Command Create() => new ReaderCommand("runq",
        "Show for each CPU what ran and what waited to run, its clock, the soft lockup watchdog, and what RCU waited for.",
        static context => !CodeFeature.IsIncluded ? CodeFeature.Refuse("runq") : Run(context));

    private static int Run(ReaderContext context)
    {
        _ = context.Symbols;
        _ = context.NamedTypes;
        var queues = RunQueues.Load(context.Dump.KernelView);
        var rcu = RcuState.TryRead(context.Dump.KernelView);
        ulong? now = context.Dump.KernelView.Times?.Now;
        context.Gap(context.Dump.KernelView.RequireTasks().Problems);
        context.Gap(queues.Problems);
        if (context.IsJson)
        {
            context.WriteJson(new RunqAnswer
            {
                Now = now,
                RunQueues = [.. queues.Queues.Select(q => RunQueueInfo.From(context, q))],
                Rcu = rcu is null ? null : RcuInfo.From(context, rcu),
            });
            return 0;
        }

        var text = new StringBuilder();
        foreach (RunQueue queue in queues.Queues)
            Append(text, context, queue, now);
        if (rcu is not null)
            text.Append(context.Style.Bold("RCU")).Append("  ").Append(TextOf(rcu)).Append('\n');
        foreach (KernelTask task in rcu?.Tasks ?? [])
            text.Append("   preempted reader ").Append(TaskText(context, task)).Append('\n');
        if (rcu is { IsRunning: true, Cpus: [], Tasks: [], Thread: { } thread })
            text.Append("   its thread ").Append(TaskText(context, thread)).Append('\n');
        ReaderContext.Write(text.ToString());
        return 0;
    }

    private static void Append(StringBuilder text, ReaderContext context, RunQueue queue, ulong? now)
    {
        text.Append(context.Style.Bold(string.Create(CultureInfo.InvariantCulture, $"CPU {queue.Cpu}")))
            .Append(CultureInfo.InvariantCulture, $"  {queue.Running} to run");
        if (queue.Clock is { } clock)
            text.Append("  clock ").Append(Durations.Seconds(clock));
        if (queue.ClockBehind is { } behind and not 0)
            text.Append(", ").Append(Durations.Text(behind)).Append(" behind");
        if (queue.WatchdogTouched is { } touched && touched <= now)
            text.Append("  watchdog saw it at most ").Append(Durations.Text(now.Value - touched)).Append(" ago");
        text.Append('\n').Append(" > ").Append(queue.Current is { } current ? context.Style.Green(TaskText(context, current)) : "unknown").Append('\n');
        foreach (QueuedTask queued in queue.Queued)
        {
            text.Append("   ").Append(TaskText(context, queued.Task));
            if (queued.Class != SchedulingClass.Fair)
                text.Append("  ").Append(ClassOf(queued.Class).Replace('_', ' ')).Append(CultureInfo.InvariantCulture, $" {queued.Priority}");
            text.Append('\n');
        }
    }

    private static string TextOf(RcuState rcu)
    {
        if (!rcu.IsRunning)
            return "no grace period";
        string since = rcu.Age is { } age ? $" for {Durations.Text(age)}" : rcu.Ticks is { } ticks ? $" for {ticks} ticks" : "";
        return $"a grace period runs{since}; it waits for " + (rcu.Cpus.Count > 0 ? "CPU " + string.Join(", ", rcu.Cpus)
            : rcu.Tasks.Count > 0 ? "no CPU" : "no CPU and no task: its own thread has to go on");
    }

    private static string TaskText(ReaderContext context, KernelTask task) => string.Create(CultureInfo.InvariantCulture,
        $"PID {task.Pid}  TASK {task.Address:x16}  \"{task.Name}\"  {Durations.StateText(context, task)}");

    internal static string ClassOf(SchedulingClass how) => how switch
    {
        SchedulingClass.RealTime => "real_time",
        SchedulingClass.Deadline => "deadline",
        SchedulingClass.Stop => "stop",
        _ => "fair",
    };
}

/// <summary>The answer of <c>vmcore runq --json</c>; times in nanoseconds of the scheduler's clock.</summary>
internal sealed record RunqAnswer : ReaderAnswer
{
    /// <summary>The latest clock of a run queue.</summary>
    public ulong? Now { get; init; }

    public IReadOnlyList<RunQueueInfo> RunQueues { get; init; } = [];

    public RcuInfo? Rcu { get; init; }

    /// <inheritdoc/>
    protected override void WriteMembers(JsonText json)
    {
        json.Put(Now, "NowNs");
        json.Put(RunQueues);
        json.Put(Rcu);
    }
}

/// <summary>What a CPU had to do.</summary>
internal sealed record RunQueueInfo(RunQueue Queue, TaskInfo? Current, IReadOnlyList<QueuedTaskInfo> Queued) : IJsonItem
{
    internal static RunQueueInfo From(ReaderContext context, RunQueue queue) => new(
        queue, queue.Current is { } task ? TaskInfo.From(context, task) : null,
        [.. queue.Queued.Select(q => new QueuedTaskInfo(TaskInfo.From(context, q.Task), RunqCommand.ClassOf(q.Class), q.Priority))]);

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Queue.Cpu);
        json.PutAddress(Queue.Address);
        json.Put(Queue.Running);
        json.Put(Current);
        json.Put(Queued);
        json.Put(Queue.Clock, "ClockNs");
        json.Put(Queue.ClockBehind, "ClockBehindNs");
        json.Put(Queue.Switches);
        json.Put(Queue.WatchdogTouched, "WatchdogTouchedNs");
        json.Put(Queue.WatchdogTicks);
    }
}

/// <summary>A task that waited for a CPU.</summary>
internal sealed record QueuedTaskInfo(TaskInfo Task, string Class, int? Priority) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Task);
        json.Put(Class);
        json.Put(Priority);
    }
}

/// <summary>What RCU waited for.</summary>
internal sealed record RcuInfo(RcuState State, IReadOnlyList<TaskInfo> Tasks, TaskInfo? Thread) : IJsonItem
{
    internal static RcuInfo From(ReaderContext context, RcuState state) => new(
        state, [.. state.Tasks.Select(t => TaskInfo.From(context, t))], state.Thread is { } thread ? TaskInfo.From(context, thread) : null);

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(State.Sequence);
        json.Put(State.IsRunning, "Running");
        json.Put(State.Ticks);
        json.Put(State.Age, "AgeNs");
        json.Put([.. State.Cpus.Select(static c => (ulong)c)], "Cpus");
        json.Put(Tasks);
        json.Put(Thread);
    }
}
