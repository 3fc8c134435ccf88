using System.CommandLine;
using System.Globalization;
using System.Text;
using Vmcore.Architectures;
using Vmcore.Findings;
using Vmcore.Kernel.Stacks;
using Vmcore.Kernel.Tasks;

namespace Vmcore.Cli.Reader;

/// <summary><c>vmcore bt FILE [PID|TASK|NAME…]</c></summary>
internal static class BtCommand
{
    internal static Command Create()
    {
        var wanted = new Argument<string[]>("PID|TASK|NAME")
        {
            Description = "Tasks by number, address of task_struct, or name; without it the task that panicked.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var all = new Option<bool>("--all", "-a") { Description = "All tasks and all their threads." };
        var cpus = new Option<bool>("--cpus", "-c") { Description = "The task of each CPU." };
        var cpu = NumberOption.Create("--cpu", "N", "The task of this CPU.", int.MaxValue);
        Option<string?> state = StateOption.Create("All tasks and threads in these states: letters as ps has them, for example D or D,R.");
        var group = new Option<bool>("--group", "-g")
        {
            Description = "Show equal stacks once, with the tasks that have them, the most frequent first; of all tasks, if none are chosen.",
        };
        return new ReaderCommand("bt", "Show registers and stack of the task that panicked, or of others.", context =>
        {
            ParseResult parsed = context.Parsed;
            return Run(context, new()
            {
                Words = parsed.GetValue(wanted) ?? [],
                All = parsed.GetValue(all),
                Cpus = parsed.GetValue(cpus),
                Cpu = parsed.GetValue(cpu),
                States = parsed.GetValue(state),
                Group = parsed.GetValue(group),
            });
        }, hasWords: true) { wanted, all, cpus, cpu, state, group };
    }

    private static int Run(ReaderContext context, BtRequest request)
    {
        request.Check();
        _ = context.Symbols;
        _ = context.NamedTypes;
        var stacks = KernelStacks.Load(context.Dump.KernelView);
        List<(KernelTask? Task, CpuState? Cpu)> chosen = Choose(context, stacks, request);
        TaskList list = context.Dump.KernelView.RequireTasks();
        if (request.IsOfAll)
            context.Gap(list.Problems);
        if (chosen.Count == 0)
            ReaderContext.Warn($"no task is in state {request.States}");
        var text = new StringBuilder();
        List<StackInfo> answer = [];
        List<StackGroupInfo> groups = [];
        int incomplete = 0;
        if (request.Group)
        {
            foreach (StackGroup group in stacks.Group(chosen.ConvertAll(static c => c.Task!)))
            {
                context.Gap(ProblemOf(group.Tasks[0], null, group.Stack));
                incomplete += group.Stack.Problem is null ? 0 : group.Tasks.Count;
                groups.Add(new([.. group.Tasks.Select(t => TaskInfo.From(context, t))], Describe(context, null, null, group.Stack)));
                text.Append(text.Length > 0 ? "\n" : "");
                AppendTasks(text, context, group.Tasks);
                AppendFrames(text, context, group.Stack);
            }
        }

        foreach ((KernelTask? task, CpuState? state) in request.Group ? [] : chosen)
        {
            TaskStack trace = state is not null ? stacks.Trace(state) : stacks.Trace(task!);
            context.Gap(ProblemOf(task, state, trace));
            CpuState? ran = state ?? stacks.Cpus.FirstOrDefault(c => c.Task?.Address == task!.Address);
            incomplete += trace.Problem is null ? 0 : 1;
            if (context.IsJson)
            {
                answer.Add(Describe(context, task, ran, trace));
                continue;
            }

            if (text.Length > 0)
                text.Append('\n');
            Append(text, context, task, ran, trace);
        }

        string? missing = request.IsOfAll ? list.Problem?.ToString() : null;
        if (context.IsJson)
        {
            context.WriteJson(new BtAnswer
            {
                Stacks = answer,
                Groups = request.Group ? groups : null,
                OfflineCpus = [.. stacks.OfflineCpus.Select(static c => (ulong)c)],
                Problem = missing,
            });
        }
        else
        {
            ReaderContext.Write(text.ToString());
        }

        Warn(stacks, request.Cpus, incomplete, chosen.Count);
        return incomplete > 0 || missing is not null ? 1 : 0;
    }

    private static Finding? ProblemOf(KernelTask? task, CpuState? cpu, TaskStack trace) => trace.Problem is not { } problem ? null
        : new(problem.Code, $"the stack of {(task is null ? $"CPU {cpu!.Number}" : $"PID {task.Pid}")}: {problem}");

    // Each gap is said by itself: here is what only the whole shows.
    private static void Warn(KernelStacks stacks, bool cpus, int incomplete, int count)
    {
        if (incomplete > 0 && count > 1)
            ReaderContext.Warn($"{incomplete} of {count} stacks are not complete");
        if (cpus && stacks.OfflineCpus.Count > 0)
            ReaderContext.Warn($"offline: CPU {string.Join(", ", stacks.OfflineCpus)}");
        if (stacks.UnassignedNotes > 0)
            ReaderContext.Warn($"notes with registers of no CPU that was up, or of one that is not known: {stacks.UnassignedNotes}");
    }

    private static List<(KernelTask? Task, CpuState? Cpu)> Choose(ReaderContext context, KernelStacks stacks, BtRequest request)
    {
        IReadOnlyList<KernelTask> tasks = context.Dump.KernelView.RequireTasks().Tasks;
        if (request.IsOfAll)
            return [.. tasks.Where(t => StateOption.Includes(request.States, t)).Select(t => (t, (CpuState?)null))];
        if (request.Cpus)
        {
            return stacks.Cpus.Count > 0 ? [.. stacks.Cpus.Select(c => (c.Task, c))]
                : throw new VmcoreException($"{context.Dump.Name}: which CPUs there were is not in the dump");
        }

        if (request.Cpu is { } number)
        {
            CpuState one = stacks.Cpus.FirstOrDefault(c => c.Number == number)
                ?? throw new VmcoreException(
                    $"{context.Dump.Name}: {(stacks.OfflineCpus.Contains(number) ? $"CPU {number} was offline" : $"there is no CPU {number}")}");
            return [(one.Task, one)];
        }

        List<(KernelTask? Task, CpuState? Cpu)> found = [];
        foreach (string word in request.Words)
        {
            bool isNumber = ReaderContext.TryNumber(word, out ulong value);
            List<KernelTask> matches = [.. tasks.Where(t => isNumber ? t.Address == value || (ulong)t.Pid == value : t.Name == word)];
            if (matches.Count == 0)
                throw new VmcoreException($"{context.Dump.Name}: there is no task {word}");
            found.AddRange(matches.Select(t => ((KernelTask?)t, (CpuState?)null)));
        }

        if (request.Words.Length > 0)
            return found;
        if (stacks.Crashing is { } crashing)
            return [(crashing.Task, crashing)];
        string why = stacks.DidPanic switch
        {
            false => "the kernel did not panic",
            true => "the kernel panicked on a CPU that is not known",
            null => "which CPU panicked is not in the dump",
        };
        CpuState first = stacks.Cpus.FirstOrDefault(c => c.Registers is not null)
            ?? throw new VmcoreException($"{context.Dump.Name}: {why}, and the dump has no registers of any CPU; name a task");
        ReaderContext.Warn($"{why}; this is CPU {first.Number}");
        return [(first.Task, first)];
    }

    private static void Append(StringBuilder text, ReaderContext context, KernelTask? task, CpuState? cpu, TaskStack trace)
    {
        TextStyle style = context.Style;
        string name = task is not null
            ? $"PID {task.Pid}  TASK {task.Address:x16}  CPU {task.Cpu}  STATE {task.State}  \"{task.Name}\"  {Durations.StateText(context, task)}"
            : cpu is not null ? $"CPU {cpu.Number}  unknown task" : "unknown task";
        text.Append(style.Bold(name))
            .Append(cpu is { IsCrashing: true } ? "  " + style.Red("panicked here") : cpu is not null ? "  was running" : "").Append('\n');
        AppendFrames(text, context, trace);
    }

    // Of a group: its size, and the first tasks with their states.
    private static void AppendTasks(StringBuilder text, ReaderContext context, IReadOnlyList<KernelTask> tasks)
    {
        const int MostNamed = 12;
        text.Append(context.Style.Bold(tasks.Count == 1 ? "1 task" : $"{tasks.Count} tasks with this stack")).Append('\n');
        foreach (KernelTask task in tasks.Take(MostNamed))
        {
            text.Append(CultureInfo.InvariantCulture, $"   PID {task.Pid}  TASK {task.Address:x16}  CPU {task.Cpu}  STATE {task.State}  \"{task.Name}\"")
                .Append("  ").Append(Durations.StateText(context, task)).Append('\n');
        }

        if (tasks.Count > MostNamed)
            text.Append(CultureInfo.InvariantCulture, $"   and {tasks.Count - MostNamed} more (--json has them)\n");
    }

    private static void AppendFrames(StringBuilder text, ReaderContext context, TaskStack trace) =>
        StackText.AppendFrames(text, Describe(context, null, null, trace), context.Style);

    private static StackInfo Describe(ReaderContext context, KernelTask? task, CpuState? cpu, TaskStack trace) =>
        StackInfo.From(context.Dump.KernelView, task, cpu, trace, context.Lines);
}
