using System.CommandLine;
using System.Globalization;
using Vmcore.Cli.Code;
using Vmcore.Cli.Json;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Vfs;

namespace Vmcore.Cli.Reader.Processes;

/// <summary><c>vmcore files FILE [PID…]</c></summary>
internal static class FilesCommand
{
    internal static Command Create()
    {
        var wanted = new Argument<string[]>("PID") { Description = "Only these tasks; without them all processes.", Arity = ArgumentArity.ZeroOrMore };
        return new ReaderCommand("files", "Show the files that processes had open: descriptor, how, position, kind, name.",
            context => !CodeFeature.IsIncluded ? CodeFeature.Refuse("files") : Run(context, context.Parsed.GetValue(wanted) ?? []), hasWords: true) { wanted };
    }

    private static int Run(ReaderContext context, string[] wanted)
    {
        // Without them the message says which options bring them.
        _ = context.Symbols;
        _ = context.NamedTypes;
        TaskList list = context.Dump.KernelView.RequireTasks();
        List<KernelTask> tasks = wanted.Length > 0 ? [.. wanted.Select(context.TaskOf)]
            : [.. list.Tasks.Where(static t => t.Pid == t.Tgid && !t.IsKernelThread && t.Pid != 0)];
        context.Gap(list.Problems);
        KernelVfs vfs = context.Dump.OpenVfs();
        List<ProcessFiles> all = [.. tasks.Select(t => new ProcessFiles(t,
            [.. vfs.FilesOf(t).Select(f => new OpenFileInfo(f, OpenFileDetails.Read(context.Dump.KernelView, f)))]))];
        context.Gap(vfs.Problems);
        if (context.IsJson)
        {
            context.WriteJson(new FilesAnswer { Processes = all });
            return 0;
        }

        var table = new TextTable(context.Style, ">PID", "COMMAND", ">FD", "MODE", ">POSITION", "KIND", "FILE", "NAME");
        foreach (ProcessFiles process in all)
        {
            foreach (OpenFileInfo file in process.Files)
            {
                string name = file.Details.Name ?? "?";
                table.Add(
                    process.Task.Pid.ToString(CultureInfo.InvariantCulture), process.Task.Name, file.File.Descriptor.ToString(CultureInfo.InvariantCulture),
                    file.Details.Access ?? "?", file.Details.Position?.ToString(CultureInfo.InvariantCulture) ?? "?", OpenFileInfo.KindOf(file.Details.Kind),
                    file.File.Address.ToString("x16", CultureInfo.InvariantCulture), file.Details.Socket is { } socket ? $"{name} {socket}" : name);
            }
        }

        ReaderContext.Write(TerminalText.Clean(table.ToString()));
        return 0;
    }
}

/// <summary>The answer of <c>vmcore files --json</c>.</summary>
internal sealed record FilesAnswer : ReaderAnswer
{
    public IReadOnlyList<ProcessFiles> Processes { get; init; } = [];

    /// <inheritdoc/>
    protected override void WriteMembers(JsonText json) => json.Put(Processes);
}

/// <summary>The files of a process.</summary>
internal sealed class ProcessFiles(KernelTask task, IReadOnlyList<OpenFileInfo> files) : IJsonItem
{
    internal KernelTask Task => task;

    internal IReadOnlyList<OpenFileInfo> Files => files;

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(task.Pid);
        json.Put(task.Name);
        json.Put(files);
    }
}

/// <summary>An open file.</summary>
internal sealed class OpenFileInfo(OpenFile file, OpenFileDetails details) : IJsonItem
{
    internal OpenFile File => file;

    internal OpenFileDetails Details => details;

    /// <summary>The kind in a word.</summary>
    internal static string KindOf(OpenFileKind kind) => kind switch
    {
        OpenFileKind.CharacterDevice => "character",
        OpenFileKind.BlockDevice => "block",
        OpenFileKind.File => "file",
        OpenFileKind.Directory => "directory",
        OpenFileKind.Pipe => "pipe",
        OpenFileKind.Socket => "socket",
        OpenFileKind.Anonymous => "anonymous",
        _ => "unknown",
    };

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(file.Descriptor);
        json.PutAddress(file.Address);
        json.Put(KindOf(details.Kind), "kind");
        json.Put(details.Name);
        json.Put(file.Path.Text, "path");
        json.Put(details.Access);
        json.Put(details.Flags);
        json.Put(details.Position);
        json.Put(details.Socket);
        json.Put(file.Inode?.Number, "inode");
        json.Put(file.Inode?.SuperBlock?.Type, "type");
    }
}
