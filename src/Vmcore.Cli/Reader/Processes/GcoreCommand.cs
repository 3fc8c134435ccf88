using System.CommandLine;
using Vmcore.Cli.Code;
using Vmcore.Cli.Json;
using Vmcore.IO;
using Vmcore.Kernel.Cores;
using Vmcore.Kernel.Tasks;

namespace Vmcore.Cli.Reader.Processes;

/// <summary><c>vmcore gcore FILE PID -o CORE</c></summary>
internal static class GcoreCommand
{
    internal static Command Create()
    {
        var pid = new Argument<string>("PID") { Description = "The process." };
        var output = new Option<string>("--output", "-o") { Description = "The core file.", HelpName = "CORE", Required = true };
        var force = new Option<bool>("--force", "-f") { Description = "Overwrite CORE." };
        return new ReaderCommand("gcore", "Write a core file of one process, for debuggers of programs: what of its memory is in the dump, holes elsewhere. "
            + "Exit status 1 if something is missing.", context => !CodeFeature.IsIncluded ? CodeFeature.Refuse("gcore")
            : Run(context, context.Parsed.GetRequiredValue(pid), context.Parsed.GetRequiredValue(output), context.Parsed.GetValue(force)), hasWords: true)
        {
            pid, output, force,
        };
    }

    private static int Run(ReaderContext context, string pid, string output, bool force)
    {
        if (output.Length == 0)
            throw new VmcoreException("gcore: -o wants the name of a file");
        OwnInput.Refuse(output, context.Inputs, "core file");
        KernelTask task = context.TaskOf(pid);
        var core = ProcessCore.Plan(context.Dump.KernelView, task);
        using (FileSink sink = FileSink.Create(output, force))
            core.Write(sink);
        context.Gap(core.Problems);
        if (core.Missing.Count > 0)
        {
            context.Gap(new Findings.Finding(Findings.FindingCode.ProcessMemoryMissing,
                $"{core.MissingBytes} bytes of the process's memory in {core.Missing.Count} places are not in the dump (--json lists them)"));
        }

        if (context.IsJson)
            context.WriteJson(new GcoreAnswer { Task = task, Output = output, Core = core });
        else
            ReaderContext.Write($"{TerminalText.Clean(output)}: process {task.Tgid} ({task.Name}), "
                + $"{core.Threads.Count} threads, {Sizes.Text(core.PresentBytes)}\n");
        foreach (CoreRange range in context.IsJson ? [] : core.Missing)
            ReaderContext.Write($"missing {range.Start:x12}-{range.End:x12}: {range.Reason}\n");
        return 0;
    }
}

/// <summary>The answer of <c>vmcore gcore --json</c>.</summary>
internal sealed record GcoreAnswer : ReaderAnswer
{
    public required KernelTask Task { get; init; }

    public required string Output { get; init; }

    public required ProcessCore Core { get; init; }

    /// <inheritdoc/>
    protected override void WriteMembers(JsonText json)
    {
        json.Put(Task.Tgid, "pid");
        json.Put(Task.Name);
        json.Put(Output);
        json.Put([.. Core.Threads.Select(static t => (ulong)t.Pid)], "threads");
        json.Put(Core.PresentBytes);
        json.Put(Core.MissingBytes);
        json.Put(Core.Missing, static (item, range) =>
        {
            item.PutAddress(range.Start);
            item.PutAddress(range.End);
            item.Put(range.Reason);
        }, "missing");
    }
}
