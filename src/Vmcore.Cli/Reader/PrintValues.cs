using System.Globalization;
using System.Text.Json;
using Vmcore.Findings;
using Vmcore.Kernel.Expressions;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Cli.Reader;

/// <summary>
/// The values of several expressions, or of one that stands for several: one after the other. One that cannot be had is a gap, and the others are
/// shown all the same.
/// </summary>
internal sealed class PrintValues
{
    private readonly ReaderContext _context;
    private readonly IReadOnlyList<string> _texts;
    private readonly Func<string, KernelExpression> _parse;
    private readonly AnswerBudget _budget;
    private readonly ValueFormatter _formatter;

    private PrintValues(
        ReaderContext context, IReadOnlyList<string> texts, Func<string, KernelExpression> parse, Func<ulong, string?> symbol, IVirtualMemory memory)
    {
        (_context, _texts, _parse, _budget) = (context, texts, parse, new(context.Dump.Limits));
        _formatter = new(memory, symbol, context.Dump.Limits, _budget);
    }

    /// <summary>Shows them.</summary>
    /// <param name="context">The run.</param>
    /// <param name="texts">The expressions.</param>
    /// <param name="parse">Reads one.</param>
    /// <param name="symbol">Names an address.</param>
    /// <param name="memory">Where pointers lead to.</param>
    internal static int Show(
        ReaderContext context, IReadOnlyList<string> texts, Func<string, KernelExpression> parse, Func<ulong, string?> symbol, IVirtualMemory memory)
    {
        var values = new PrintValues(context, texts, parse, symbol, memory);
        if (context.IsJson)
            context.WriteJson(new PrintAnswer { Expression = string.Join(' ', texts), Tree = new(memory, symbol, context.Dump.Limits), Values = values });
        else
            values.Each(values.Write);
        return 0;
    }

    /// <summary>Writes the list of JSON.</summary>
    internal void Write(Utf8JsonWriter writer, ValueJson tree)
    {
        writer.WriteStartArray();
        Each((text, value, problem) => Write(writer, tree, text, value, problem));
        writer.WriteEndArray();
        if (tree.IsTruncated)
            _context.Gap(new Finding(FindingCode.ValueTooLarge));
    }

    private void Each(Action<string, ExpressionValue?, string?> show)
    {
        foreach (string text in _texts)
        {
            KernelExpression expression;
            try
            {
                expression = _parse(text);
            }
            catch (KernelObjectException e)
            {
                Fail(text, null, e.Message, show);
                continue;
            }

            foreach (ExpressionValue value in expression.Values())
            {
                if (!_budget.TryVisit() || _formatter.IsTruncated)
                {
                    _context.Gap(new Finding(FindingCode.ValueTooLarge));
                    return;
                }

                if (value.Problem is { } problem)
                    Fail(text, value, problem, show);
                else
                    show(text, value, null);
            }
        }
    }

    private void Fail(string text, ExpressionValue? value, string problem, Action<string, ExpressionValue?, string?> show)
    {
        string where = value?.Cpu is { } cpu ? string.Create(CultureInfo.InvariantCulture, $" (CPU {cpu})")
            : value?.Element is { } element ? $" (of 0x{AddressOf(element):x})" : "";
        _context.Gap(new Finding(FindingCode.ExpressionFailed, problem + where));
        show(text, value, problem);
    }

    private void Write(string text, ExpressionValue? value, string? problem)
    {
        if (problem is not null)
            return;
        string formatted;
        try
        {
            formatted = _formatter.Format(value!.Item!);
        }
        catch (KernelObjectException e)
        {
            Fail(text, value, $"'{text}': {e.Message}", Write);
            return;
        }

        if (_texts.Count > 1)
            ReaderContext.Write(TerminalText.Clean(text) + " = ");
        if (value.Cpu is { } cpu)
            ReaderContext.Write(string.Create(CultureInfo.InvariantCulture, $"CPU {cpu}: "));
        ReaderContext.Write(formatted + "\n");
    }

    private void Write(Utf8JsonWriter writer, ValueJson tree, string text, ExpressionValue? value, string? problem)
    {
        // What cannot be read must be known before anything is written of it.
        string? formatted = null;
        KernelObject? item = value?.Item;
        try
        {
            formatted = item is null ? null : _formatter.Format(item);
        }
        catch (KernelObjectException e)
        {
            Fail(text, value, $"'{text}': {e.Message}", (_, _, why) => problem = why);
            item = null;
        }

        writer.WriteStartObject();
        writer.WriteString("expression", text);
        writer.WriteString("element", value?.Element is { } element ? Hex(AddressOf(element)) : null);
        if (value?.Cpu is { } cpu)
            writer.WriteNumber("cpu", cpu);
        else
            writer.WriteNull("cpu");
        writer.WriteString("type", item?.Type.ToString(_budget));
        writer.WriteString("address", item?.Address is { } address ? Hex(address) : null);
        if (item?.Type.Size is { } size)
            writer.WriteNumber("size", size);
        else
            writer.WriteNull("size");
        writer.WritePropertyName("value");
        if (item is null)
            writer.WriteNullValue();
        else
            tree.Write(writer, item);
        writer.WritePropertyName("target");
        if (item is null || !tree.TryWriteTarget(writer, item))
            writer.WriteNullValue();
        writer.WriteString("text", formatted);
        writer.WriteString("error", problem);
        writer.WriteEndObject();
    }

    // A variable of a CPU is where it is; of a list there are pointers.
    private static ulong AddressOf(KernelObject element) => element.Address ?? element.AsUInt64();

    private static string Hex(ulong address) => "0x" + address.ToString("x", CultureInfo.InvariantCulture);
}
