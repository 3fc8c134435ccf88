using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Vmcore.Cli.Json;
using Vmcore.Findings;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Types;

namespace Vmcore.Cli.Reader;

/// <summary><c>vmcore print FILE TYPE ADDRESS</c> and <c>vmcore print FILE EXPRESSION</c></summary>
internal static class PrintCommand
{
    internal static Command Create()
    {
        var what = new Argument<string[]>("EXPRESSION")
        {
            Description = "TYPE ADDRESS ('struct page' 0xffffea0000000000), or one expression: "
                + "a symbol, a member (init_task.comm), ->, [i], *, &, a cast ((struct page *)0x...), per_cpu(runqueues, 0).",
            Arity = new(1, 2),
        };
        var plain = new Option<bool>("--no-symbols") { Description = "Do not name the symbols that pointers point to." };
        var physical = new Option<bool>("--physical", "-p") { Description = "The ADDRESS of TYPE ADDRESS is a physical one." };
        return new ReaderCommand(
            "print",
            "Print a structure or a variable as C knows it.",
            context => Run(context, context.Parsed.GetRequiredValue(what), context.Parsed.GetValue(plain), context.Parsed.GetValue(physical)),
            hasWords: true) { what, plain, physical };
    }

    private static int Run(ReaderContext context, string[] what, bool noSymbols, bool isPhysical)
    {
        if (isPhysical && what.Length != 2)
            throw new KernelObjectException("--physical: only of TYPE ADDRESS can the address be a physical one");
        if (what.Length == 1 && what[0].Contains(' ', StringComparison.Ordinal) && context.NamedTypes.Find(what[0]) is not null)
            throw new KernelObjectException($"'{what[0]}' is a type: give the address of one as well; its declaration is shown by vmcore type");
        KernelObject item = what.Length == 2 ? Typed(context, what[0], what[1], isPhysical) : context.Evaluate(what[0]);
        Func<ulong, string?> symbol = noSymbols ? _ => null : context.SymbolAt;
        var formatter = new ValueFormatter(context.Memory, symbol, context.Dump.Limits);
        if (context.IsJson)
        {
            var tree = new ValueJson(context.Memory, symbol, context.Dump.Limits);
            context.WriteJson(new PrintAnswer
            {
                Expression = string.Join(' ', what),
                Item = item,
                Tree = tree,
                Text = formatter,
                Written = () => CheckWhole(context, formatter.IsTruncated || tree.IsTruncated),
            });
        }
        else
        {
            formatter.Format(item, Console.Out);
            ReaderContext.Write("\n");
            CheckWhole(context, formatter.IsTruncated);
        }

        // Else the address looks as if it were the value. Of a function it is all there is.
        if (what.Length == 1 && context.Dump.Symbols is { } symbols && symbols.TryFind(what[0], out ulong address)
            && context.NamedTypes.VariableType(what[0], out _) is null
            && !(symbols.TryResolve(address, out KernelSymbol found, out _) && found.Type is 'T' or 't' or 'W' or 'w'))
        {
            ReaderContext.Warn($"the dump does not say what type '{what[0]}' has, so this is its address: a cast, TYPE ADDRESS or --vmlinux brings its value");
        }

        return 0;
    }

    private static void CheckWhole(ReaderContext context, bool isTruncated) => context.Gap(isTruncated ? new Finding(FindingCode.ValueTooLarge) : null);

    private static KernelObject Typed(ReaderContext context, string name, string address, bool isPhysical)
    {
        KernelType type = context.NamedTypes.Find(name, out string? problem) ?? throw new KernelObjectException(problem ?? name);
        if (!isPhysical)
            return KernelObject.At(context.Memory, type, context.AddressOf(address));
        ulong start = ReaderContext.TryNumber(address, out ulong number) ? number
            : throw new KernelObjectException($"'{address}' is no physical address: expected a number, decimal or 0x...");
        return KernelObject.At(new PhysicalObjectMemory(context.Dump.Memory, context.Memory, start, (ulong)(type.Size ?? 0)), type, start);
    }
}

/// <summary>The answer of <c>vmcore print --json</c>.</summary>
internal sealed record PrintAnswer : ReaderAnswer
{
    public required string Expression { get; init; }

    public required KernelObject Item { get; init; }

    public required ValueJson Tree { get; init; }

    /// <summary>What is printed without <c>--json</c>.</summary>
    public required ValueFormatter Text { get; init; }

    /// <summary>Is called when all of the value is written.</summary>
    public required Action Written { get; init; }

    /// <inheritdoc/>
    protected override void WriteMembers(JsonText json)
    {
        json.Put(Expression);
        string type = Item.Type.ToString();
        json.Put(type);
        json.PutAddress(Item.Address);
        json.Put(Item.Type.Size);
        json.Put("value", writer => Tree.Write(writer, Item));
        json.Put("target", writer =>
        {
            if (!Tree.TryWriteTarget(writer, Item))
                writer.WriteNullValue();
        });
        json.Put("symbols", writer => Write(writer, Tree.Symbols));
        json.Put("strings", writer => Write(writer, Tree.Strings));
        json.Put(Tree.IsTruncated, "truncated");
        json.Put("text", writer =>
        {
            using var text = new JsonStringWriter(writer);
            Text.Format(Item, text);
        });
        Written();
    }

    private static string Hex(ulong address) => "0x" + address.ToString("x", CultureInfo.InvariantCulture);

    private static void Write(Utf8JsonWriter writer, IReadOnlyDictionary<ulong, string> names)
    {
        writer.WriteStartObject();
        foreach ((ulong address, string name) in names)
            writer.WriteString(Hex(address), name);
        writer.WriteEndObject();
    }
}
