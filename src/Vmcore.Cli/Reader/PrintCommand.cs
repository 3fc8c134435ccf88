using System.CommandLine;
using Vmcore.Cli.Json;
using Vmcore.Kernel.Types;

namespace Vmcore.Cli.Reader;

/// <summary><c>vmcore print FILE TYPE ADDRESS</c> and <c>vmcore print FILE EXPRESSION</c></summary>
internal static class PrintCommand
{
    internal static Command Create()
    {
        var what = new Argument<string[]>("EXPRESSION")
        {
            Description = "TYPE ADDRESS ('struct page' 0xffffea0000000000), or one expression: a symbol, a member (init_task.comm), ->, [i], *, &, a cast ((struct page *)0x…), per_cpu(runqueues, 0).",
            Arity = new(1, 2),
        };
        var plain = new Option<bool>("--no-symbols") { Description = "Do not name the symbols that pointers point to." };
        var command = new ReaderCommand("print", "Print a structure or a variable as C knows it.", context => Run(context, context.Parsed.GetRequiredValue(what), context.Parsed.GetValue(plain)), hasWords: true) { what, plain };
        return command;
    }

    private static int Run(ReaderContext context, string[] what, bool noSymbols)
    {
        KernelObject item = what.Length == 2 ? Typed(context, what[0], what[1]) : context.Evaluate(what[0]);
        string text = new ValueFormatter(context.Memory, noSymbols ? _ => null : context.SymbolAt).Format(item);
        if (context.IsJson)
            context.WriteJson(new PrintAnswer { Expression = string.Join(' ', what), Type = item.Type.ToString(), Address = item.Address, Size = item.Type.Size, Text = text });
        else
            ReaderContext.Write(text + "\n");
        return 0;
    }

    private static KernelObject Typed(ReaderContext context, string name, string address)
    {
        KernelType type = context.NamedTypes.Find(name, out string? problem) ?? throw new KernelObjectException(problem ?? name);
        return KernelObject.At(context.Memory, type, context.AddressOf(address));
    }
}

/// <summary>The answer of <c>vmcore print --json</c>.</summary>
internal sealed record PrintAnswer : ReaderAnswer
{
    public required string Expression { get; init; }

    /// <summary>C's name of the type.</summary>
    public required string Type { get; init; }

    /// <summary>Where it is; null for a computed value.</summary>
    public ulong? Address { get; init; }

    /// <summary>Size in bytes.</summary>
    public long? Size { get; init; }

    /// <summary>What is printed without <c>--json</c>.</summary>
    public required string Text { get; init; }

    /// <inheritdoc/>
    protected override void WriteMembers(JsonText json)
    {
        json.Put(Expression);
        json.Put(Type);
        json.PutAddress(Address);
        json.Put(Size);
        json.Put(Text);
    }
}
