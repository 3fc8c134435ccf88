using System.Globalization;

namespace Vmcore.Kexec;

/// <summary>Numbers as the kernel prints them.</summary>
internal static class Numbers
{
    /// <summary>Reads a whole text: hexadecimal after <c>0x</c>, else decimal.</summary>
    public static ulong? TryParse(string? text)
    {
        if (text is null)
            return null;
        text = text.Trim();
        if (text.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
            return TryParseHex(text.AsSpan(2));
        return ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong value) ? value : null;
    }

    /// <summary>Reads a whole text as hexadecimal without a prefix.</summary>
    public static ulong? TryParseHex(ReadOnlySpan<char> text) =>
        ulong.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong value) ? value : null;

    /// <summary>Expands a list such as <c>0-3,8</c>; at most 65,536 numbers.</summary>
    public static IEnumerable<int> ParseList(string? text)
    {
        int budget = 65536;
        foreach (string part in (text ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            string[] ends = part.Split('-');
            if (ends.Length > 2
                || !int.TryParse(ends[0], NumberStyles.None, CultureInfo.InvariantCulture, out int first)
                || !int.TryParse(ends[^1], NumberStyles.None, CultureInfo.InvariantCulture, out int last))
            {
                continue;
            }

            for (int i = first; i <= last && budget > 0; i++, budget--)
                yield return i;
        }
    }

    /// <summary>Rounds down to a power of two.</summary>
    public static ulong AlignDown(ulong value, ulong alignment) => value & ~(alignment - 1);

    /// <summary>Rounds up to a power of two.</summary>
    /// <exception cref="OverflowException">The result does not fit.</exception>
    public static ulong AlignUp(ulong value, ulong alignment) => checked(value + (alignment - 1)) & ~(alignment - 1);

    /// <summary>A count of bytes as MiB, rounded up.</summary>
    public static string MiB(ulong bytes) => string.Create(CultureInfo.InvariantCulture, $"{(bytes >> 20) + ((bytes & 0xfffff) == 0 ? 0UL : 1UL)} MiB");
}
