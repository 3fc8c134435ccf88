using System.CommandLine;
using System.Globalization;
using Vmcore.Cli.Json;
using Vmcore.Kernel;
using Vmcore.Kernel.Tasks;

namespace Vmcore.Cli.Reader;

/// <summary><c>vmcore ps FILE [NAME|PID…]</c></summary>
internal static class PsCommand
{
    internal static Command Create()
    {
        var wanted = new Argument<string[]>("NAME|PID") { Description = "Only tasks with such a name or number.", Arity = ArgumentArity.ZeroOrMore };
        var threads = new Option<bool>("--threads", "-T") { Description = "Show all threads of each process." };
        var running = new Option<bool>("--running", "-r") { Description = "Only the tasks that were running on a CPU." };
        Option<string?> state = StateOption.Create("Only tasks and threads in these states: letters as in the column ST, for example D or D,R.");
        var arguments = new Option<bool>("--args", "-a")
        {
            Description = "Show command lines, which lie in the memory of the processes: most dumps leave it out.",
        };
        var environment = new Option<bool>("--environment", "-e") { Description = "Show environments, which lie there too." };
        return new ReaderCommand("ps", "Show the tasks: numbers, state, how long they were in it, start (seconds after boot), CPU time of the thread, memory, "
            + "name; > marks those that were running.", context =>
        {
            ParseResult parsed = context.Parsed;
            return Run(context, parsed.GetValue(wanted) ?? [], parsed.GetValue(threads), parsed.GetValue(running), parsed.GetValue(state),
                parsed.GetValue(arguments) || parsed.GetValue(environment) ? new(context, parsed.GetValue(arguments), parsed.GetValue(environment)) : null);
        },
            hasWords: true) { wanted, threads, running, state, arguments, environment };
    }

    private static int Run(ReaderContext context, string[] wanted, bool threads, bool running, string? states, Processes.ProcessStrings? strings)
    {
        TaskList list = context.Dump.KernelView.RequireTasks();
        List<KernelTask> tasks = [.. list.Tasks.Where(t =>
            (threads || t.Pid == t.Tgid || (running && t.IsOnCpu) || states is not null)
            && (!running || t.IsOnCpu)
            && StateOption.Includes(states, t)
            && (wanted.Length == 0 || wanted.Contains(t.Name, StringComparer.Ordinal)
                || wanted.Contains(t.Pid.ToString(CultureInfo.InvariantCulture), StringComparer.Ordinal)))];
        context.Gap(list.Problems);
        context.Gap(context.Dump.KernelView.Times?.Problem);
        strings?.Read(tasks);
        if (context.IsJson)
        {
            context.WriteJson(new PsAnswer
            {
                Strings = strings,
                Tasks = [.. tasks.Select(t => TaskInfo.From(context, t))],
                Problem = list.Problem?.ToString(),
            });
        }
        else
        {
            var table = new TextTable(context.Style, " ", ">PID", ">PPID", ">CPU", "TASK", "ST", ">SINCE", ">START", ">TIME", ">VSZ", ">RSS", "COMMAND");
            foreach (KernelTask task in tasks)
            {
                TaskTime? time = context.TimeOf(task);
                string[] cells =
                [
                    task.IsOnCpu ? ">" : "",
                    task.Pid.ToString(CultureInfo.InvariantCulture),
                    task.ParentPid.ToString(CultureInfo.InvariantCulture),
                    task.Cpu.ToString(CultureInfo.InvariantCulture),
                    task.Address.ToString("x16", CultureInfo.InvariantCulture),
                    task.State.ToString(),
                    Durations.InState(time),
                    time?.Started is { } started ? Durations.Seconds(started) : "",
                    time is { UserTime: { } user, SystemTime: { } system } ? Durations.Text(user + system) : "",
                    Kibibytes(task.VirtualSize),
                    Kibibytes(task.ResidentSize),
                    strings?.CommandOf(task) ?? (task.IsKernelThread || task.Pid == 0 ? $"[{task.Name}]" : task.Name),
                ];
                if (task.IsOnCpu)
                    table.AddPainted(context.Style.Green, cells);
                else if (task.State == 'D')
                    table.AddPainted(context.Style.Yellow, cells);
                else
                    table.Add(cells);
            }

            ReaderContext.Write(table.ToString());
            strings?.WriteEnvironments();
        }

        if (tasks.Count == 0 && wanted.Length > 0)
            ReaderContext.Warn($"{context.Dump.Name}: there is no {(running ? "running " : "")}task {string.Join(", ", wanted)}");
        return tasks.Count == 0 && wanted.Length > 0 ? 1 : 0;
    }

    private static string Kibibytes(ulong? bytes) => bytes is { } b ? (b >> 10).ToString(CultureInfo.InvariantCulture) : "";
}

/// <summary>The answer of <c>vmcore ps --json</c>.</summary>
internal sealed record PsAnswer : ReaderAnswer
{
    public IReadOnlyList<TaskInfo> Tasks { get; init; } = [];

    /// <summary>Command lines and environments; null if they are not asked for.</summary>
    public Processes.ProcessStrings? Strings { get; init; }

    /// <summary>What is missing; null if the list is whole.</summary>
    public string? Problem { get; init; }

    /// <inheritdoc/>
    protected override void WriteMembers(JsonText json)
    {
        json.Put(Tasks);
        json.Put(Problem);
        json.Put(Strings?.Lines, "processes");
    }
}

/// <summary>A task; sizes in bytes, times in nanoseconds.</summary>
internal sealed record TaskInfo(
    int Pid,
    int Tgid,
    int Ppid,
    string Name,
    char State,
    string StateText,
    bool Hung,
    int Cpu,
    bool OnCpu,
    bool KernelThread,
    ulong Address,
    ulong? VirtualSize,
    ulong? ResidentSize,
    TaskTime? Time) : IJsonItem
{
    internal static TaskInfo From(ReaderContext context, KernelTask task) => From(context.Dump.KernelView, task);

    /// <summary>Describes a task.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="task">The task.</param>
    internal static TaskInfo From(KernelView kernel, KernelTask task) =>
        new(task.Pid, task.Tgid, task.ParentPid, task.Name, task.State, task.StateText, task.IsHung, task.Cpu, task.IsOnCpu,
            task.IsKernelThread, task.Address, task.VirtualSize, task.ResidentSize, kernel.Times?.Of(task));

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Pid);
        json.Put(Tgid);
        json.Put(Ppid);
        json.Put(Name);
        json.Put(State);
        json.Put(StateText);
        json.Put(Hung);
        json.Put(Cpu);
        json.Put(OnCpu);
        json.Put(KernelThread);
        json.PutAddress(Address);
        json.Put(VirtualSize);
        json.Put(ResidentSize);
        json.Put(Time?.InStateAtLeast, "InStateAtLeastNs");
        json.Put(Time?.InStateAtMost, "InStateAtMostNs");
        json.Put(Time?.Started, "StartedNs");
        json.Put(Time?.UserTime, "UserNs");
        json.Put(Time?.SystemTime, "SystemNs");
        json.Put(Time?.RunTime, "RunNs");
    }
}
