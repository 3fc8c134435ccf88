using System.CommandLine;
using System.Globalization;
using Vmcore.Cli.Json;
using Vmcore.Findings;
using Vmcore.Kernel.Modules;

namespace Vmcore.Cli.Reader;

/// <summary><c>vmcore modules FILE</c></summary>
internal static class ModulesCommand
{
    internal static Command Create() => new ReaderCommand("modules", "Show the modules that were loaded, with size, users, taints and address.", Run);

    private static int Run(ReaderContext context)
    {
        _ = context.NamedTypes;
        _ = context.Symbols;
        ModuleList list = context.Dump.Modules ?? throw new MissingInformationException($"{context.Dump.Name}: the modules cannot be found");
        context.Gap(list.Problem);
        context.Gap(list.Modules.Where(static m => m.UsersProblem is not null)
            .Select(static m => new Finding(FindingCode.ModuleUsersUnknown, $"users of the module {m.Name}: {m.UsersProblem}")));
        if (context.IsJson)
        {
            context.WriteJson(new ModulesAnswer { Modules = [.. list.Modules.Select(ModuleInfo.From)], Problem = list.Problem?.ToString() });
            return 0;
        }

        var table = new TextTable(context.Style, "MODULE", ">SIZE", ">USES", "ADDRESS", "STATE", "USED BY");
        foreach (KernelModule module in list.Modules)
        {
            string[] cells =
            [
                module.Name,
                module.Size.ToString(CultureInfo.InvariantCulture),
                module.References?.ToString(CultureInfo.InvariantCulture) ?? "-",
                module.Ranges.Count > 0 ? module.Ranges[0].Start.ToString("x16", CultureInfo.InvariantCulture) : "-",
                module.State + (module.Taints.Length > 0 ? $" ({module.Taints})" : ""),
                string.Join(',', module.UsersProblem is null ? module.UsedBy : [.. module.UsedBy, "?"]),
            ];
            if (module.Taints.Length > 0)
                table.AddPainted(context.Style.Yellow, cells);
            else
                table.Add(cells);
        }

        ReaderContext.Write(table.ToString());
        return 0;
    }
}

/// <summary>The answer of <c>vmcore modules --json</c>.</summary>
internal sealed record ModulesAnswer : ReaderAnswer
{
    public IReadOnlyList<ModuleInfo> Modules { get; init; } = [];

    /// <summary>What is missing; null if the list is whole.</summary>
    public string? Problem { get; init; }

    /// <inheritdoc/>
    protected override void WriteMembers(JsonText json)
    {
        json.Put(Modules);
        json.Put(Problem);
    }
}

/// <summary>A module; size in bytes.</summary>
internal sealed record ModuleInfo(string Name, ulong Size, int? References, IReadOnlyList<string> UsedBy, bool UsersKnown,
    string State, string Taints, IReadOnlyList<VirtualRangeInfo> Ranges) : IJsonItem
{
    internal static ModuleInfo From(KernelModule module) =>
        new(module.Name, module.Size, module.References, module.UsedBy, module.UsersProblem is null, module.State,
            module.Taints, [.. module.Ranges.Select(r => new VirtualRangeInfo(r.Start, r.End))]);

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Name);
        json.Put(Size);
        json.Put(References);
        json.Put(UsedBy);
        json.Put(UsersKnown);
        json.Put(State);
        json.Put(Taints);
        json.Put(Ranges);
    }
}

/// <summary>Virtual addresses, half-open.</summary>
internal sealed record VirtualRangeInfo(
    ulong Start,
    ulong End) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.PutAddress(Start);
        json.PutAddress(End);
    }
}
