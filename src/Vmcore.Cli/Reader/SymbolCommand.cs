using System.CommandLine;
using System.Globalization;
using Vmcore.Cli.Json;
using Vmcore.Kernel.Symbols;

namespace Vmcore.Cli.Reader;

/// <summary><c>vmcore symbol FILE NAME|ADDRESS…</c></summary>
internal static class SymbolCommand
{
    internal static Command Create()
    {
        var names = new Argument<string[]>("NAME|ADDRESS")
        {
            Description = "Symbols by name, or addresses (0x...) to be named.",
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
            SymbolInfo? info = name.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
                && ulong.TryParse(name.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong address)
                ? ByAddress(context.Symbols, address)
                : ByName(context.Symbols, name);
            if (info is null)
            {
                missing++;
                ReaderContext.Warn($"no symbol {name}");
            }
            else
            {
                found.Add(info);
            }
        }

        if (context.IsJson)
            context.WriteJson(new SymbolAnswer { Symbols = found });
        else
            ReaderContext.Write(string.Concat(found.Select(s =>
                string.Create(CultureInfo.InvariantCulture, $"{s.Address:x16} {s.Type} {s.Name}{(s.Offset is { } o and > 0 ? $"+0x{o:x}" : "")}\n"))));
        return missing == 0 ? 0 : 1;
    }

    private static SymbolInfo? ByAddress(KernelSymbols symbols, ulong address) =>
        symbols.TryResolve(address, out KernelSymbol symbol, out ulong offset) ? new(symbol.Name, symbol.Type, address, offset) : null;

    private static SymbolInfo? ByName(KernelSymbols symbols, string name)
    {
        foreach (KernelSymbol symbol in symbols.All())
        {
            if (symbol.Name == name)
                return new(symbol.Name, symbol.Type, symbol.Address, null);
        }

        return null;
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

/// <summary>A symbol, and with an address that was asked for its distance from the symbol in bytes.</summary>
internal sealed record SymbolInfo(
    string Name,
    char Type,
    ulong Address,
    ulong? Offset) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Name);
        json.Put(Type);
        json.PutAddress(Address);
        json.Put(Offset);
    }
}
