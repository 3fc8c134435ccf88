using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Vmcore.Architectures;
using Vmcore.Cli.Code;
using Vmcore.Cli.Json;
using Vmcore.Findings;
using Vmcore.Kernel.Expressions;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Types;

namespace Vmcore.Cli.Reader;

/// <summary><c>vmcore print FILE TYPE ADDRESS</c> and <c>vmcore print FILE EXPRESSION…</c></summary>
internal static class PrintCommand
{
    internal static Command Create()
    {
        var what = new Argument<string[]>("EXPRESSION")
        {
            Description = "TYPE ADDRESS ('struct page' 0xffffea0000000000), or expressions: "
                + "a symbol, a member (init_task.comm), ->, [i], *, &, a cast ((struct page *)0x...), arithmetic and comparisons, "
                + "sizeof, offsetof, container_of, per_cpu(runqueues, 0), lists and trees (list_for_each(modules, struct module, list)->name).",
            Arity = ArgumentArity.OneOrMore,
        };
        var plain = new Option<bool>("--no-symbols") { Description = "Do not name the symbols that pointers point to." };
        var physical = new Option<bool>("--physical", "-p") { Description = "The ADDRESS of TYPE ADDRESS is a physical one." };
        var type = new Option<string?>("--type") { Description = "The type of variables of which the dump does not say it.", HelpName = "TYPE" };
        var pid = NumberOption.Create("--pid", "PID", "Read in the memory of this process, not in the kernel's.", int.MaxValue);
        return new ReaderCommand(
            "print",
            "Print structures, variables and what is calculated of them, as C knows them.",
            context => !CodeFeature.IsIncluded ? CodeFeature.Refuse("print") : Run(context, context.Parsed.GetRequiredValue(what),
                context.Parsed.GetValue(plain), context.Parsed.GetValue(physical), context.Parsed.GetValue(type),
                context.MemoryOf(context.Parsed.GetValue(pid))),
            hasWords: true) { what, plain, physical, type, pid };
    }

    // No expression begins so: where there is no such type, that is what is to be said.
    private static bool IsType(string word) => word.StartsWith("struct ", StringComparison.Ordinal) || word.StartsWith("union ", StringComparison.Ordinal)
        || word.StartsWith("enum ", StringComparison.Ordinal);

    private static int Run(ReaderContext context, string[] what, bool noSymbols, bool isPhysical, string? typeName, KernelAddressSpace memory)
    {
        Func<ulong, string?> symbol = noSymbols ? _ => null : context.SymbolAt;
        if (typeName is null && what.Length == 2 && (isPhysical || IsType(what[0]) || context.NamedTypes.Find(what[0]) is not null))
            return Show(context, what, Typed(context, what[0], what[1], isPhysical, memory), symbol, memory);
        if (isPhysical)
            throw new KernelObjectException("--physical: only of TYPE ADDRESS can the address be a physical one");
        if (what.Length == 1 && what[0].Contains(' ', StringComparison.Ordinal) && context.NamedTypes.Find(what[0]) is not null)
            throw new KernelObjectException($"'{what[0]}' is a type: give the address of one as well; its declaration is shown by vmcore type");
        string? problem = null;
        KernelType? type = typeName is null ? null : context.NamedTypes.Find(typeName, out problem) ?? throw new KernelObjectException($"--type: {problem}");
        if (what.Length > 1)
            return PrintValues.Show(context, what, text => Parse(context, text, type, memory), symbol, memory);
        try
        {
            return ShowOne(context, what, type, symbol, memory);
        }
        catch (KernelObjectException e) when (context.IsJson)
        {
            // Why there is no value belongs into the answer, as it does beside others.
            return PrintValues.Show(context, what, _ => throw new KernelObjectException(e.Message), symbol, memory);
        }
    }

    private static int ShowOne(ReaderContext context, string[] what, KernelType? type, Func<ulong, string?> symbol, KernelAddressSpace memory)
    {
        KernelExpression expression = Parse(context, what[0], type, memory);
        if (type is not null && !expression.HasUntyped)
            throw new KernelObjectException($"--type: there is no variable in '{what[0]}' whose type the dump does not say");
        if (expression.IsSequence)
            return PrintValues.Show(context, what, _ => expression, symbol, memory);
        int status = Show(context, what, expression.Value(), symbol, memory);

        // Else the address looks as if it were the value. Of a function it is all there is.
        if (type is null && context.Dump.Symbols is { } symbols && symbols.TryFind(what[0], out ulong address)
            && context.NamedTypes.VariableType(what[0], out _) is null
            && !(symbols.TryResolve(address, out KernelSymbol found, out _) && found.Type is 'T' or 't' or 'W' or 'w'))
        {
            ReaderContext.Warn($"the dump does not say what type '{what[0]}' has, so this is its address: --type TYPE, a cast or --vmlinux brings its value");
        }

        return status;
    }

    private static KernelExpression Parse(ReaderContext context, string text, KernelType? type, KernelAddressSpace memory)
    {
        // Without types the message says which options bring them.
        _ = context.NamedTypes;
        return context.Dump.KernelView.ParseExpression(text, type, memory);
    }

    private static int Show(ReaderContext context, string[] what, KernelObject item, Func<ulong, string?> symbol, KernelAddressSpace memory)
    {
        var formatter = new ValueFormatter(memory, symbol, context.Dump.Limits);
        try
        {
            if (context.IsJson)
            {
                var tree = new ValueJson(memory, symbol, context.Dump.Limits);
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
        }
        catch (KernelObjectException e) when (what.Length == 1)
        {
            throw new KernelObjectException($"'{what[0]}': {e.Message}");
        }

        return 0;
    }

    private static void CheckWhole(ReaderContext context, bool isTruncated) => context.Gap(isTruncated ? new Finding(FindingCode.ValueTooLarge) : null);

    private static KernelObject Typed(ReaderContext context, string name, string address, bool isPhysical, KernelAddressSpace memory)
    {
        KernelType type = context.NamedTypes.Find(name, out string? problem) ?? throw new KernelObjectException(problem ?? name);
        if (!isPhysical)
            return KernelObject.At(memory, type, context.AddressOf(address));
        ulong start = ReaderContext.TryNumber(address, out ulong number) ? number
            : throw new KernelObjectException($"'{address}' is no physical address: expected a number, decimal or 0x...");
        return KernelObject.At(new PhysicalObjectMemory(context.Dump.Memory, context.Memory, start, (ulong)(type.Size ?? 0)), type, start);
    }
}

/// <summary>The answer of <c>vmcore print --json</c>.</summary>
internal sealed record PrintAnswer : ReaderAnswer
{
    public required string Expression { get; init; }

    /// <summary>The value; null if there are several.</summary>
    public KernelObject? Item { get; init; }

    /// <summary>The values of several expressions, or of a list; null if there is one.</summary>
    public PrintValues? Values { get; init; }

    public required ValueJson Tree { get; init; }

    /// <summary>What is printed without <c>--json</c>.</summary>
    public ValueFormatter? Text { get; init; }

    /// <summary>Is called when all of the value is written.</summary>
    public Action? Written { get; init; }

    /// <inheritdoc/>
    protected override void WriteMembers(JsonText json)
    {
        json.Put(Expression);
        string? type = Item?.Type.ToString();
        json.Put(type);
        json.PutAddress(Item?.Address);
        json.Put(Item?.Type.Size, "size");
        json.Put("value", writer =>
        {
            if (Item is null)
                writer.WriteNullValue();
            else
                Tree.Write(writer, Item);
        });
        json.Put("target", writer =>
        {
            if (Item is null || !Tree.TryWriteTarget(writer, Item))
                writer.WriteNullValue();
        });
        json.Put("values", writer =>
        {
            if (Values is null)
                writer.WriteNullValue();
            else
                Values.Write(writer, Tree);
        });
        json.Put("symbols", writer => Write(writer, Tree.Symbols));
        json.Put("strings", writer => Write(writer, Tree.Strings));
        json.Put(Tree.IsTruncated, "truncated");
        json.Put("text", writer =>
        {
            if (Text is null || Item is null)
            {
                writer.WriteNullValue();
                return;
            }

            using var text = new JsonStringWriter(writer);
            Text.Format(Item, text);
        });
        Written?.Invoke();
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
