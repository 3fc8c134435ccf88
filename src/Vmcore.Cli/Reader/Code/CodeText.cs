using System.Globalization;
using System.Text;

namespace Vmcore.Cli.Reader.Code;

/// <summary>Code for people.</summary>
internal static class CodeText
{
    private const int FewBytes = 8;
    private const int UnknownDigits = 2;

    /// <summary>Writes a listing.</summary>
    /// <param name="text">Where to.</param>
    /// <param name="listing">The listing.</param>
    /// <param name="style">Colours.</param>
    internal static void Append(StringBuilder text, CodeListingInfo listing, TextStyle style)
    {
        int symbols = 0, bytes = FewBytes;
        foreach (CodeLineInfo line in listing.Lines)
        {
            symbols = Math.Max(symbols, line.Symbol?.Length ?? 0);
            bytes = Math.Max(bytes, line.Bytes?.Length / 2 ?? 0);
        }

        string? place = null;
        foreach (CodeLineInfo line in listing.Lines)
        {
            if (line.Places.Count > 0 && PlaceOf(line.Places) is var now && now != place)
            {
                place = now;
                text.Append(style.Dim(now)).Append('\n');
            }

            text.Append(line.Current ? style.Red("=> ") : "   ");
            if (listing.Address is not null)
                text.Append(CultureInfo.InvariantCulture, $"{line.Address:x16} ");
            if (symbols > 0)
                text.Append(style.Cyan((line.Symbol ?? "").PadRight(symbols))).Append("  ");
            if (line.Missing is { } missing)
                text.Append(style.Yellow($"({Sizes.Count((ulong)line.Length, "byte")}: {missing})"));
            else
                text.Append(Spaced(line.Bytes ?? "").PadRight((bytes * 3) - 1)).Append("  ").Append(Instruction(line));
            text.Append('\n');
        }
    }

    /// <summary>An instruction with the names of what it refers to.</summary>
    /// <param name="line">The line.</param>
    internal static string Instruction(CodeLineInfo line)
    {
        string text = line.Text ?? (line.Length > UnknownDigits / 2 ? $".inst   0x{Reversed(line.Bytes ?? "")}" : $".byte  0x{line.Bytes}") + " (unknown)";
        if (line.Target is { } to)
            text = text.Replace($"#0x{to:x}", $"0x{to:x}", StringComparison.Ordinal);
        if (line.TargetSymbol is { } target)
            text += $" <{target}>";
        if (line.Operand is { } operand)
            text += line.OperandSymbol is { } name ? $"  # 0x{operand:x} <{name}>" : $"  # 0x{operand:x}";
        return text;
    }

    /// <summary>A place behind a function's name: <c> at kernel/panic.c:123</c>; nothing if it is not known.</summary>
    internal static string At(SourcePlaceInfo place) => place.SourceFile is not { } file ? ""
        : $" at {file}{(place.Line is { } line ? string.Create(CultureInfo.InvariantCulture, $":{line}") : "")}";

    private static string PlaceOf(IReadOnlyList<SourcePlaceInfo> places)
    {
        var text = new StringBuilder();
        foreach (SourcePlaceInfo place in places)
        {
            text.Append(text.Length > 0 ? ", inlined at " : "").Append(place.SourceFile ?? "?").Append(':')
                .Append(place.Line?.ToString(CultureInfo.InvariantCulture) ?? "?");
            if (place.Function is { } function)
                text.Append(" (").Append(function).Append(')');
        }

        return text.ToString();
    }

    private static string Spaced(string digits)
    {
        var text = new StringBuilder();
        for (int i = 0; i + 1 < digits.Length; i += 2)
            text.Append(i > 0 ? " " : "").Append(digits, i, 2);
        return text.ToString();
    }

    // A word of a little-endian machine as people read it.
    private static string Reversed(string digits)
    {
        var text = new StringBuilder();
        for (int i = digits.Length - 2; i >= 0; i -= 2)
            text.Append(digits, i, 2);
        return text.ToString();
    }
}
