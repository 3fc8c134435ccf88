using System.Globalization;
using System.Text;
using Vmcore.Architectures;
using Vmcore.Cli.Code;
using Vmcore.Cli.Reader.Code;

namespace Vmcore.Cli.Reader;

/// <summary>A stack for people.</summary>
internal static class StackText
{
    private const int InlinedColumns = 36; // Two addresses.

    /// <summary>Writes the frames.</summary>
    /// <param name="text">Where to.</param>
    /// <param name="stack">The stack.</param>
    /// <param name="style">Colours.</param>
    /// <param name="isBrief">True to leave out addresses and registers.</param>
    internal static void AppendFrames(StringBuilder text, StackInfo stack, TextStyle style, bool isBrief = false)
    {
        int number = 0;
        bool scanned = false;
        foreach (FrameInfo frame in stack.Frames)
        {
            if (!frame.Reliable && !scanned)
            {
                text.Append("   ").Append(style.Yellow("what follows was found on the stack; lines may be remains of earlier calls")).Append('\n');
                scanned = true;
            }

            bool isUser = frame.IsUser;
            if (frame.Registers is not null && number > 0)
                text.Append("    ").Append(style.Dim(isUser ? "--- user mode ---" : "--- interrupted ---")).Append('\n');
            string symbol = style.Cyan(isUser ? "" : frame.Symbol ?? "(no symbol)");
            if (CodeFeature.IsIncluded && frame.Source.Count > 0)
            {
                AppendInlined(text, frame.Source, style, isBrief);
                symbol += CodeText.At(frame.Source[^1]);
            }

            string mark = frame.Reliable ? string.Create(CultureInfo.InvariantCulture, $"#{number,-3}") : "  ? ";
            if (!isBrief)
                text.Append(string.Create(CultureInfo.InvariantCulture, $" {mark} {frame.StackPointer:x16}  {frame.Address:x16}  {symbol}").TrimEnd())
                    .Append('\n');
            else if (!isUser)
                text.Append(CultureInfo.InvariantCulture, $" {mark} {symbol}\n");
            if (!isBrief && frame.Registers is { } registers)
                AppendRegisters(text, registers);
            number++;
        }

        if (stack.Gone)
            text.Append("   ").Append(style.Dim("(no stack: the task has ended, and the kernel has taken it back)")).Append('\n');
        if (stack.Problem is { } problem)
            text.Append("   ").Append(style.Yellow($"({(stack.Frames.Count == 0 ? "no stack" : "incomplete")}: {problem})")).Append('\n');
    }

    // They have no frame of their own, and no address.
    private static void AppendInlined(StringBuilder text, IReadOnlyList<SourcePlaceInfo> places, TextStyle style, bool isBrief)
    {
        for (int i = 0; i < places.Count - 1; i++)
        {
            text.Append("      ").Append(isBrief ? "" : "(inlined)".PadRight(InlinedColumns)).Append(style.Cyan(places[i].Function ?? "?"))
                .Append(CodeText.At(places[i]))
                .Append(isBrief ? " (inlined)" : "").Append('\n');
        }
    }

    /// <summary>Writes registers, in the lines in which people know them.</summary>
    internal static void AppendRegisters(StringBuilder text, CpuRegisters registers)
    {
        foreach (IReadOnlyList<string> line in registers.Lines)
            text.Append("        ")
                .Append(string.Join("  ", line.Select(n => string.Create(CultureInfo.InvariantCulture, $"{n,8}: {registers[n]:x16}")))).Append('\n');
    }
}
