using System.CommandLine;
using System.Globalization;
using System.Text;
using Vmcore.Architectures;
using Vmcore.Cli.Json;
using Vmcore.Findings;
using Vmcore.Kernel.Stacks;
using Vmcore.Kernel.Symbols;
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
        return new ReaderCommand("bt", "Show registers and stack of the task that panicked, or of others.", context =>
            Run(context, context.Parsed.GetValue(wanted) ?? [], context.Parsed.GetValue(all), context.Parsed.GetValue(cpus), context.Parsed.GetValue(cpu)),
            hasWords: true) { wanted, all, cpus, cpu };
    }

    private static int Run(ReaderContext context, string[] wanted, bool all, bool cpus, int? cpu)
    {
        if ((all ? 1 : 0) + (cpus ? 1 : 0) + (cpu is null ? 0 : 1) + (wanted.Length > 0 ? 1 : 0) > 1)
            throw new VmcoreException("bt: --all, --cpus, --cpu and tasks that are named are four questions: ask one at a time");
        _ = context.Symbols;
        _ = context.NamedTypes;
        var stacks = KernelStacks.Load(context.Dump.KernelView);
        List<(KernelTask? Task, CpuState? Cpu)> chosen = Choose(context, stacks, wanted, all, cpus, cpu);
        if (all)
            context.Gap(context.Dump.KernelView.RequireTasks().Problems);
        var text = new StringBuilder();
        List<StackInfo> answer = [];
        int incomplete = 0;
        foreach ((KernelTask? task, CpuState? state) in chosen)
        {
            TaskStack trace = state is not null ? stacks.Trace(state) : stacks.Trace(task!);
            if (trace.Problem is { } problem)
                context.Gap(new Finding(problem.Code, $"the stack of {(task is null ? $"CPU {state!.Number}" : $"PID {task.Pid}")}: {problem}"));
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

        string? missing = all ? context.Dump.KernelView.RequireTasks().Problem?.ToString() : null;
        if (context.IsJson)
            context.WriteJson(new BtAnswer { Stacks = answer, OfflineCpus = [.. stacks.OfflineCpus.Select(static c => (ulong)c)], Problem = missing });
        else
            ReaderContext.Write(text.ToString());
        Warn(stacks, cpus, incomplete, chosen.Count);
        return incomplete > 0 || missing is not null ? 1 : 0;
    }

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

    private static List<(KernelTask? Task, CpuState? Cpu)> Choose(ReaderContext context, KernelStacks stacks, string[] wanted, bool all, bool cpus, int? cpu)
    {
        IReadOnlyList<KernelTask> tasks = context.Dump.KernelView.RequireTasks().Tasks;
        if (all)
            return [.. tasks.Select(t => (t, (CpuState?)null))];
        if (cpus)
        {
            return stacks.Cpus.Count > 0 ? [.. stacks.Cpus.Select(c => (c.Task, c))]
                : throw new VmcoreException($"{context.Dump.Name}: which CPUs there were is not in the dump");
        }

        if (cpu is { } number)
        {
            CpuState one = stacks.Cpus.FirstOrDefault(c => c.Number == number)
                ?? throw new VmcoreException(
                    $"{context.Dump.Name}: {(stacks.OfflineCpus.Contains(number) ? $"CPU {number} was offline" : $"there is no CPU {number}")}");
            return [(one.Task, one)];
        }

        List<(KernelTask? Task, CpuState? Cpu)> found = [];
        foreach (string word in wanted)
        {
            bool isNumber = ReaderContext.TryNumber(word, out ulong value);
            List<KernelTask> matches = [.. tasks.Where(t => isNumber ? t.Address == value || (ulong)t.Pid == value : t.Name == word)];
            if (matches.Count == 0)
                throw new VmcoreException($"{context.Dump.Name}: there is no task {word}");
            found.AddRange(matches.Select(t => ((KernelTask?)t, (CpuState?)null)));
        }

        if (wanted.Length > 0)
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
        string name = task is not null ? $"PID {task.Pid}  TASK {task.Address:x16}  CPU {task.Cpu}  STATE {task.State}  \"{task.Name}\""
            : cpu is not null ? $"CPU {cpu.Number}  unknown task" : "unknown task";
        text.Append(style.Bold(name))
            .Append(cpu is { IsCrashing: true } ? "  " + style.Red("panicked here") : cpu is not null ? "  was running" : "").Append('\n');
        int number = 0;
        bool scanned = false;
        foreach (StackFrame frame in trace.Frames)
        {
            if (!frame.IsReliable && !scanned)
            {
                text.Append("   ").Append(style.Yellow("what follows was found on the stack; lines may be remains of earlier calls")).Append('\n');
                scanned = true;
            }

            bool isUser = frame.Registers is { IsUser: true };
            if (frame.Registers is not null && number > 0)
                text.Append("    ").Append(style.Dim(isUser ? "--- user mode ---" : "--- interrupted ---")).Append('\n');
            string symbol = isUser ? "" : Symbol(context, frame) ?? "(no symbol)";
            string mark = frame.IsReliable ? string.Create(CultureInfo.InvariantCulture, $"#{number,-3}") : "  ? ";
            text.Append(string.Create(CultureInfo.InvariantCulture, $" {mark} {frame.StackPointer:x16}  {frame.Address:x16}  {style.Cyan(symbol)}")
                .TrimEnd()).Append('\n');
            if (frame.Registers is { } registers)
                AppendRegisters(text, registers);
            number++;
        }

        if (trace.Problem is { } problem)
            text.Append("   ").Append(style.Yellow($"({(trace.Frames.Count == 0 ? "no stack" : "incomplete")}: {problem})")).Append('\n');
    }

    private static void AppendRegisters(StringBuilder text, CpuRegisters registers)
    {
        foreach (IReadOnlyList<string> line in registers.Lines)
            text.Append("        ")
                .Append(string.Join("  ", line.Select(n => string.Create(CultureInfo.InvariantCulture, $"{n,8}: {registers[n]:x16}")))).Append('\n');
    }

    // As the kernel's own traces: offset and size of the function.
    private static string? Symbol(ReaderContext context, StackFrame frame)
    {
        if (!context.Symbols.TryResolve(frame.SymbolAddress, out KernelSymbol symbol, out ulong offset, out ulong? size))
            return null;
        if (!frame.IsInterrupted)
            offset++;
        return string.Create(CultureInfo.InvariantCulture,
            $"{symbol.Name}+0x{offset:x}{(size is { } s ? $"/0x{s:x}" : "")}{(symbol.Module is { } module ? $" [{module}]" : "")}");
    }

    private static StackInfo Describe(ReaderContext context, KernelTask? task, CpuState? cpu, TaskStack trace) => new()
    {
        Task = task is null ? null : TaskInfo.From(task),
        Cpu = cpu?.Number,
        Panicked = cpu is { IsCrashing: true },
        Method = trace.Method switch { StackMethod.Orc => "orc", StackMethod.FramePointers => "frame_pointers", _ => "scan" },
        Frames = [.. trace.Frames.Select(f =>
            new FrameInfo(f.Address, f.StackPointer, f.Registers is { IsUser: true } ? null : Symbol(context, f), f.IsInterrupted, f.IsReliable, f.Registers))],
        Problem = trace.Problem?.ToString(),
        ProblemCode = JsonText.NameOf(trace.Problem),
    };
}

/// <summary>The answer of <c>vmcore bt --json</c>.</summary>
internal sealed record BtAnswer : ReaderAnswer
{
    public IReadOnlyList<StackInfo> Stacks { get; init; } = [];

    /// <summary>Numbers of the CPUs that were offline.</summary>
    public IReadOnlyList<ulong> OfflineCpus { get; init; } = [];

    /// <summary>With <c>--all</c>: what is missing of the list of tasks; null if it is whole.</summary>
    public string? Problem { get; init; }

    /// <inheritdoc/>
    protected override void WriteMembers(JsonText json)
    {
        json.Put(Stacks);
        json.Put(OfflineCpus);
        json.Put(Problem);
    }
}

/// <summary>A stack.</summary>
internal sealed record StackInfo : IJsonItem
{
    public TaskInfo? Task { get; init; }

    /// <summary>The CPU that it ran on, from whose registers the stack starts if there are any; null for a task that slept.</summary>
    public int? Cpu { get; init; }

    public bool Panicked { get; init; }

    /// <summary><c>orc</c>, <c>frame_pointers</c> or <c>scan</c>.</summary>
    public required string Method { get; init; }

    public IReadOnlyList<FrameInfo> Frames { get; init; } = [];

    /// <summary>What ended the walk early; null if it is whole.</summary>
    public string? Problem { get; init; }

    /// <summary>The code of it (<see cref="FindingCode"/>); null if it is whole.</summary>
    public string? ProblemCode { get; init; }

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Task);
        json.Put(Cpu);
        json.Put(Panicked);
        json.Put(Method);
        json.Put(Frames);
        json.Put(Problem);
        json.Put(ProblemCode);
    }
}

/// <summary>A frame, innermost first; registers where they were saved.</summary>
internal sealed record FrameInfo(
    ulong Address,
    ulong StackPointer,
    string? Symbol,
    bool Interrupted,
    bool Reliable,
    CpuRegisters? Registers) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.PutAddress(Address);
        json.PutAddress(StackPointer);
        json.Put(Symbol);
        json.Put(Interrupted);
        json.Put(Reliable);
        json.Put(Registers?.Names, key => $"0x{Registers![key]:x}", "registers");
    }
}
