using Vmcore.Cli.Json;
using Vmcore.Findings;
using Vmcore.Kernel.Processes;
using Vmcore.Kernel.Tasks;

namespace Vmcore.Cli.Reader.Processes;

/// <summary>Command lines and environments of processes: only where they are asked for, since they are the processes' own memory.</summary>
/// <param name="context">The run.</param>
/// <param name="arguments">True for command lines.</param>
/// <param name="environment">True for environments.</param>
internal sealed class ProcessStrings(ReaderContext context, bool arguments, bool environment)
{
    private readonly List<ProcessLine> _lines = [];

    /// <summary>What was found, a line for each task with memory of its own.</summary>
    internal IReadOnlyList<ProcessLine> Lines => _lines;

    /// <summary>Reads them; how many cannot be read is a gap.</summary>
    internal void Read(IReadOnlyList<KernelTask> tasks)
    {
        int missing = 0;
        foreach (KernelTask task in tasks.Where(static t => !t.IsKernelThread && t.VirtualSize is not null))
        {
            ProcessMemory? memory = null;
            try
            {
                memory = ProcessMemory.Open(context.Dump.KernelView, task);
            }
            catch (MissingInformationException)
            {
                // Counted below.
            }

            var line = new ProcessLine(task, arguments ? memory?.TryReadArguments() : null, environment ? memory?.TryReadEnvironment() : null);
            missing += (arguments && line.Arguments is null) || (environment && line.Environment is null) ? 1 : 0;
            _lines.Add(line);
        }

        if (missing > 0)
            context.Gap(new Finding(FindingCode.ProcessMemoryMissing,
                $"command lines or environments of {missing} of {_lines.Count} processes are not in the dump"));
    }

    /// <summary>The command line of a task as one text; null if it is not there.</summary>
    internal string? CommandOf(KernelTask task) =>
        _lines.FirstOrDefault(l => l.Task == task)?.Arguments is { Count: > 0 } words ? Shown(string.Join(' ', words)) : null;

    /// <summary>Writes the environments, a process after the other.</summary>
    internal void WriteEnvironments()
    {
        foreach (ProcessLine line in _lines.Where(static l => l.Environment is not null))
        {
            ReaderContext.Write($"{line.Task.Pid} {line.Task.Name}\n");
            foreach (string variable in line.Environment!)
                ReaderContext.Write($"  {Shown(variable)}\n");
        }
    }

    private static string Shown(string text) => TerminalText.Clean(text.Replace('\n', ' ').Replace('\t', ' ').Replace('\r', ' '));
}

/// <summary>Strings of a process.</summary>
internal sealed class ProcessLine(KernelTask task, IReadOnlyList<string>? arguments, IReadOnlyList<string>? environment) : IJsonItem
{
    internal KernelTask Task => task;

    internal IReadOnlyList<string>? Arguments => arguments;

    internal IReadOnlyList<string>? Environment => environment;

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(task.Pid);
        json.Put(arguments);
        json.Put(environment);
    }
}
