using System.CommandLine;
using System.Globalization;
using Vmcore.Cli.Code;
using Vmcore.Cli.Json;
using Vmcore.Kernel.Processes;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Vfs;

namespace Vmcore.Cli.Reader.Processes;

/// <summary><c>vmcore maps FILE PID</c></summary>
internal static class MapsCommand
{
    internal static Command Create()
    {
        var pid = new Argument<string>("PID") { Description = "The process." };
        return new ReaderCommand("maps", "Show the mappings of a process, as /proc/PID/maps does.",
            context => !CodeFeature.IsIncluded ? CodeFeature.Refuse("maps")
                : Run(context, context.TaskOf(context.Parsed.GetRequiredValue(pid))), hasWords: true) { pid };
    }

    private static int Run(ReaderContext context, KernelTask task)
    {
        var memory = ProcessMemory.Open(context.Dump.KernelView, task);
        KernelVfs vfs = context.Dump.OpenVfs();
        List<AreaInfo> areas = [.. memory.Areas.Select(a => AreaInfo.From(a, vfs))];
        context.Gap(memory.Problems);
        context.Gap(vfs.Problems);
        if (context.IsJson)
        {
            context.WriteJson(new MapsAnswer { Task = task, Areas = areas });
            return 0;
        }

        var table = new TextTable(context.Style, "START-END", "MODE", ">OFFSET", "DEVICE", ">INODE", "NAME");
        foreach (AreaInfo area in areas)
        {
            string[] cells =
            [
                string.Create(CultureInfo.InvariantCulture, $"{area.Area.Start:x12}-{area.Area.End:x12}"), area.Area.Permissions,
                area.Area.Offset.ToString("x8", CultureInfo.InvariantCulture), area.Device ?? "",
                area.Inode?.Number.ToString(CultureInfo.InvariantCulture) ?? "", area.Name ?? (area.Area.File != 0 ? "?" : ""),
            ];
            if (area.Inode is { IsDax: true })
                table.AddPainted(context.Style.Cyan, cells);
            else
                table.Add(cells);
        }

        ReaderContext.Write(TerminalText.Clean(table.ToString()));
        return 0;
    }
}

/// <summary>The answer of <c>vmcore maps --json</c>.</summary>
internal sealed record MapsAnswer : ReaderAnswer
{
    public required KernelTask Task { get; init; }

    public IReadOnlyList<AreaInfo> Areas { get; init; } = [];

    /// <inheritdoc/>
    protected override void WriteMembers(JsonText json)
    {
        json.Put(Task.Pid);
        json.Put(Task.Name);
        json.Put(Areas);
    }
}

/// <summary>An area of a process's memory.</summary>
internal sealed class AreaInfo(MemoryArea area, KernelPath path, KernelInode? inode) : IJsonItem
{
    internal MemoryArea Area => area;

    internal KernelInode? Inode => inode;

    internal string? Name => area.Name ?? (path.Text is { } text ? path.IsDeleted ? text + " (deleted)" : text : null);

    /// <summary>The device of the file system, as the kernel keeps it.</summary>
    internal string? Device => inode?.SuperBlock?.Device.ToString();

    internal static AreaInfo From(MemoryArea area, KernelVfs vfs) =>
        area.File == 0 ? new(area, default, null) : new(area, vfs.PathOfFile(area.File), vfs.InodeOfFile(area.File, out _));

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.PutAddress(area.Address);
        json.PutAddress(area.Start);
        json.PutAddress(area.End);
        json.Put(area.Permissions);
        json.Put(area.Flags);
        json.Put(area.Offset);
        json.Put(Name);
        json.Put(Device);
        json.Put(inode?.Number, "inode");
        json.Put(inode?.IsDax ?? false, "dax");
    }
}
