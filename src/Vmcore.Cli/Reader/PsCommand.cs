using System.CommandLine;
using System.Globalization;
using Vmcore.Cli.Json;
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
        return new ReaderCommand("ps", "Show the tasks: numbers, state, CPU, memory, name; > marks those that were running.", context =>
            Run(context, context.Parsed.GetValue(wanted) ?? [], context.Parsed.GetValue(threads), context.Parsed.GetValue(running)),
            hasWords: true) { wanted, threads, running };
    }

    private static int Run(ReaderContext context, string[] wanted, bool threads, bool running)
    {
        TaskList list = context.Dump.KernelView.RequireTasks();
        List<KernelTask> tasks = [.. list.Tasks.Where(t =>
            (threads || t.Pid == t.Tgid || (running && t.IsOnCpu))
            && (!running || t.IsOnCpu)
            && (wanted.Length == 0 || wanted.Contains(t.Name, StringComparer.Ordinal)
                || wanted.Contains(t.Pid.ToString(CultureInfo.InvariantCulture), StringComparer.Ordinal)))];
        context.Gap(list.Problems);
        if (context.IsJson)
        {
            context.WriteJson(new PsAnswer { Tasks = [.. tasks.Select(TaskInfo.From)], Problem = list.Problem?.ToString() });
        }
        else
        {
            var table = new TextTable(context.Style, " ", ">PID", ">PPID", ">CPU", "TASK", "ST", ">VSZ", ">RSS", "COMMAND");
            foreach (KernelTask task in tasks)
            {
                string[] cells =
                [
                    task.IsOnCpu ? ">" : "",
                    task.Pid.ToString(CultureInfo.InvariantCulture),
                    task.ParentPid.ToString(CultureInfo.InvariantCulture),
                    task.Cpu.ToString(CultureInfo.InvariantCulture),
                    task.Address.ToString("x16", CultureInfo.InvariantCulture),
                    task.State.ToString(),
                    Kibibytes(task.VirtualSize),
                    Kibibytes(task.ResidentSize),
                    task.IsKernelThread || task.Pid == 0 ? $"[{task.Name}]" : task.Name,
                ];
                if (task.IsOnCpu)
                    table.AddPainted(context.Style.Green, cells);
                else if (task.State == 'D')
                    table.AddPainted(context.Style.Yellow, cells);
                else
                    table.Add(cells);
            }

            ReaderContext.Write(table.ToString());
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

    /// <summary>What is missing; null if the list is whole.</summary>
    public string? Problem { get; init; }

    /// <inheritdoc/>
    protected override void WriteMembers(JsonText json)
    {
        json.Put(Tasks);
        json.Put(Problem);
    }
}

/// <summary>A task; sizes in bytes.</summary>
internal sealed record TaskInfo(
    int Pid,
    int Tgid,
    int Ppid,
    string Name,
    char State,
    int Cpu,
    bool OnCpu,
    bool KernelThread,
    ulong Address,
    ulong? VirtualSize,
    ulong? ResidentSize) : IJsonItem
{
    internal static TaskInfo From(KernelTask task) =>
        new(task.Pid, task.Tgid, task.ParentPid, task.Name, task.State, task.Cpu, task.IsOnCpu,
            task.IsKernelThread, task.Address, task.VirtualSize, task.ResidentSize);

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Pid);
        json.Put(Tgid);
        json.Put(Ppid);
        json.Put(Name);
        json.Put(State);
        json.Put(Cpu);
        json.Put(OnCpu);
        json.Put(KernelThread);
        json.PutAddress(Address);
        json.Put(VirtualSize);
        json.Put(ResidentSize);
    }
}
