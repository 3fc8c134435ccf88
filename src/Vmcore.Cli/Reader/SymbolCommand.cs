using System.CommandLine;
using System.Globalization;
using System.IO.Enumeration;
using Vmcore.Cli.Json;
using Vmcore.Findings;
using Vmcore.Kernel.Symbols;

namespace Vmcore.Cli.Reader;

/// <summary><c>vmcore symbol FILE NAME|ADDRESS…</c></summary>
internal static class SymbolCommand
{
    internal static Command Create()
    {
        var names = new Argument<string[]>("NAME|ADDRESS")
        {
            Description = "Symbols by name or by pattern ('sched_*'), those of modules too, all of a name; or addresses (0x...) to be named.",
            Arity = ArgumentArity.OneOrMore,
        };
        var command = new ReaderCommand("symbol", "Find symbols by name, or the symbol that an address belongs to.",
            context => Run(context, context.Parsed.GetRequiredValue(names)), hasWords: true);
        command.Add(names);
        return command;
    }

    private static int Run(ReaderContext context, string[] wanted)
    {
        List<SymbolInfo> found = [];
        int missing = 0;
        foreach (string name in wanted)
        {
            int before = found.Count;
            found.AddRange(name.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
                && ulong.TryParse(name.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong address)
                ? ByAddress(context.Symbols, address)
                : ByName(context.Symbols, name));
            if (found.Count == before || name.AsSpan().IndexOfAny('*', '?') >= 0)
                SayMissing(context);
            if (found.Count == before)
            {
                missing++;
                if (context.IsJson)
                    context.Gap(new Finding(FindingCode.SymbolNotFound, name));
                ReaderContext.Warn($"no symbol {name}{(context.Dump.Modules is null ? " of the kernel's image; those of modules cannot be read" : "")}");
            }
        }

        if (context.IsJson)
            context.WriteJson(new SymbolAnswer { Symbols = found });
        else
            ReaderContext.Write(string.Concat(found.Select(Line)));
        return missing == 0 ? 0 : 1;
    }

    // One that is not found may be of a module whose symbols are not there; so may more that fit a pattern.
    private static void SayMissing(ReaderContext context)
    {
        context.Gap(context.Dump.Modules is { } list ? list.Problem : new(FindingCode.AllModuleSymbolsMissing));
        context.Gap(context.Modules.Where(static m => !m.SymbolsAreComplete).Select(static m => new Finding(FindingCode.ModuleSymbolsMissing, m.Name)));
    }

    private static string Line(SymbolInfo symbol)
    {
        string offset = symbol.Offset is { } distance and > 0 ? $"+0x{distance:x}" : "", module = symbol.Module is { } name ? $" [{name}]" : "";
        return string.Create(CultureInfo.InvariantCulture, $"{symbol.Address:x16} {symbol.Type} {symbol.Name}{offset}{module}\n");
    }

    private static SymbolInfo[] ByAddress(KernelSymbols symbols, ulong address) =>
        symbols.TryResolve(address, out KernelSymbol symbol, out ulong offset) ? [new(symbol.Name, symbol.Type, address, offset, symbol.Module)] : [];

    // Static functions of different files may have one name: which is meant only the asker knows.
    private static IEnumerable<SymbolInfo> ByName(KernelSymbols symbols, string name)
    {
        IEnumerable<KernelSymbol> all = name.AsSpan().IndexOfAny('*', '?') < 0 ? symbols.FindAll(name)
            : symbols.AllWithModules().Where(s => FileSystemName.MatchesSimpleExpression(name, s.Name, ignoreCase: false));
        return all.Select(static s => new SymbolInfo(s.Name, s.Type, s.Address, null, s.Module));
    }
}

/// <summary>The answer of <c>vmcore symbol --json</c>.</summary>
internal sealed record SymbolAnswer : ReaderAnswer
{
    public IReadOnlyList<SymbolInfo> Symbols { get; init; } = [];

    /// <inheritdoc/>
    protected override void WriteMembers(JsonText json)
    {
        json.Put(Symbols);
    }
}

/// <summary>A symbol, with an address that was asked for its distance from the symbol in bytes, and the module that it is of.</summary>
internal sealed record SymbolInfo(
    string Name,
    char Type,
    ulong Address,
    ulong? Offset,
    string? Module) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Name);
        json.Put(Type);
        json.PutAddress(Address);
        json.Put(Offset);
        json.Put(Module);
    }
}
