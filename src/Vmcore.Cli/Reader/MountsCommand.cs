using System.CommandLine;
using Vmcore.Cli.Json;
using Vmcore.Findings;
using Vmcore.Kernel.Vfs;

namespace Vmcore.Cli.Reader;

/// <summary><c>vmcore mounts FILE</c></summary>
internal static class MountsCommand
{
    internal static Command Create() =>
        new ReaderCommand("mounts", "Show what was mounted where, as the first process saw it.", Run);

    private static int Run(ReaderContext context)
    {
        // Without them the message says which options bring them.
        _ = context.Symbols;
        _ = context.NamedTypes;
        KernelVfs vfs = context.Dump.OpenVfs();
        IReadOnlyList<KernelMount> mounts = vfs.Mounts;
        context.Gap(vfs.Problems);
        if (context.IsJson)
        {
            context.WriteJson(new MountsAnswer { Mounts = [.. mounts.Select(MountInfo.From)], Problems = vfs.Problems });
            return 0;
        }

        var table = new TextTable(context.Style, "SOURCE", "MOUNT POINT", "TYPE", "OPTIONS", "DEVICE", "ROOT");
        foreach (KernelMount mount in mounts)
        {
            string[] cells =
            [
                mount.Source, mount.Target ?? "?", mount.Type, mount.Options + (mount.IsDax ? ",dax" : ""),
                mount.SuperBlock?.Device.ToString() ?? "?", mount.Root ?? "?",
            ];
            if (mount.IsDax)
                table.AddPainted(context.Style.Cyan, cells);
            else
                table.Add(cells);
        }

        ReaderContext.Write(table.ToString());
        return 0;
    }
}

/// <summary>The answer of <c>vmcore mounts --json</c>.</summary>
internal sealed record MountsAnswer : ReaderAnswer
{
    public IReadOnlyList<MountInfo> Mounts { get; init; } = [];

    public IReadOnlyList<Finding> Problems { get; init; } = [];

    /// <inheritdoc/>
    protected override void WriteMembers(JsonText json)
    {
        json.Put(Mounts);
        json.Put(Problems);
    }
}

/// <summary>A mount. <c>Options</c> are those that every file system has; <c>Dax</c>: it is on pmem, and a file of it is mapped directly.</summary>
internal sealed record MountInfo : IJsonItem
{
    public ulong Address { get; init; }

    public int? Id { get; init; }

    public required string Source { get; init; }

    public string? Target { get; init; }

    public string? Root { get; init; }

    public required string Type { get; init; }

    public required string Options { get; init; }

    public bool Dax { get; init; }

    public string? Device { get; init; }

    public SuperBlockInfo? SuperBlock { get; init; }

    internal static MountInfo From(KernelMount mount) => new()
    {
        Address = mount.Address,
        Id = mount.Id >= 0 ? mount.Id : null,
        Source = mount.Source,
        Target = mount.Target,
        Root = mount.Root,
        Type = mount.Type,
        Options = mount.Options,
        Dax = mount.IsDax,
        Device = mount.SuperBlock?.Device.ToString(),
        SuperBlock = mount.SuperBlock is { } block ? new(block.Address, block.Id) : null,
    };

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.PutAddress(Address);
        json.Put(Id);
        json.Put(Source);
        json.Put(Target);
        json.Put(Root);
        json.Put(Type);
        json.Put(Options);
        json.Put(Dax);
        json.Put(Device);
        json.Put(SuperBlock);
    }
}

/// <summary>A file system as the kernel names it.</summary>
internal sealed record SuperBlockInfo(ulong Address, string Id) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.PutAddress(Address);
        json.Put(Id);
    }
}
