using System.Globalization;
using Vmcore.Memmap;
using Vmcore.Ranges;

namespace Vmcore.Cli.Makedumpfile;

/// <summary>Reads the values of options. What is no such value is refused: guessing at it would dump something else than what was asked for.</summary>
internal static class OptionValues
{
    /// <summary>A number in a range, both ends included.</summary>
    /// <exception cref="UsageException">It is none.</exception>
    internal static int Integer(string option, string value, int min, int max) =>
        int.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number) && number >= min && number <= max ? number
            : throw new UsageException($"{option}: found '{value}', expected a number from {min} to {max}.");

    /// <summary>Bytes, with K, M, G or T behind the number.</summary>
    /// <exception cref="UsageException">It is no such number, or 0.</exception>
    internal static long Size(string option, string value)
    {
        int shift = value.Length == 0 ? 0 : char.ToUpperInvariant(value[^1]) switch { 'K' => 10, 'M' => 20, 'G' => 30, 'T' => 40, _ => 0 };
        string digits = shift > 0 ? value[..^1] : value;
        return long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number > 0 && number <= long.MaxValue >> shift
            ? number << shift
            : throw new UsageException($"{option}: found '{value}', expected a size in bytes greater than 0, with K, M, G or T behind it if wanted.");
    }

    /// <summary>START-END in hexadecimal.</summary>
    /// <exception cref="UsageException">It is no range of physical addresses.</exception>
    internal static PhysicalRange Range(string option, string value)
    {
        string[] parts = value.Split('-');
        return parts.Length == 2 && Hex(parts[0], out ulong start) && Hex(parts[1], out ulong end) && end > start && end <= 1UL << 56
            ? new(start, end)
            : throw new UsageException($"{option}: found '{value}', expected START-END: physical addresses in hexadecimal, END exclusive.");
    }

    /// <summary>One dump level, or several with commas between them.</summary>
    /// <exception cref="UsageException">One is no dump level, or there are too many.</exception>
    internal static List<DumpLevel> Levels(string value)
    {
        const int Most = 32;
        string[] parts = value.Split(',');
        if (parts.Length > Most)
            throw new UsageException($"-d: found {parts.Length} dump levels, expected at most {Most}.");
        List<DumpLevel> levels = [];
        foreach (string part in parts)
        {
            // The tool of today takes what is no number for 0 and dumps everything: dangerous enough to refuse.
            if (!int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int level) || level > (int)DumpLevel.All)
                throw new UsageException($"Dump_level({part}) is invalid.\nIt should be 0 to {(int)DumpLevel.All}.");
            levels.Add((DumpLevel)level);
        }

        return levels;
    }

    /// <summary>An address: hexadecimal, unless it has only decimal digits and no 0x.</summary>
    /// <exception cref="UsageException">It is none.</exception>
    internal static ulong Address(string option, string value) =>
        ulong.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number) || Hex(value, out number) ? number
            : throw new UsageException($"{option}: found '{value}', expected an address, hexadecimal with 0x in front.");

    /// <summary>A number in hexadecimal, with or without 0x.</summary>
    internal static bool Hex(string text, out ulong value) =>
        ulong.TryParse(text.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? text.AsSpan(2) : text,
            NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
}
