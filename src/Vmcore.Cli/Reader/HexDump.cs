using System.Globalization;
using System.Text;

namespace Vmcore.Cli.Reader;

/// <summary>Bytes for people.</summary>
internal static class HexDump
{
    private const int LineLength = 16;

    /// <summary>Sixteen bytes a line, with the text that they would be; <c>??</c> for those that are not known.</summary>
    internal static void Append(StringBuilder text, ulong start, ReadOnlySpan<byte> bytes, ReadOnlySpan<bool> known)
    {
        for (int at = 0; at < bytes.Length; at += LineLength)
        {
            text.Append(CultureInfo.InvariantCulture, $"{start + (ulong)at:x16} ");
            for (int i = at; i < at + LineLength; i++)
            {
                text.Append(i % (LineLength / 2) == 0 ? "  " : " ");
                if (i >= bytes.Length)
                    text.Append("  ");
                else if (known[i])
                    text.Append(CultureInfo.InvariantCulture, $"{bytes[i]:x2}");
                else
                    text.Append("??");
            }

            text.Append("  |");
            for (int i = at; i < Math.Min(at + LineLength, bytes.Length); i++)
                text.Append(known[i] && bytes[i] is >= 0x20 and < 0x7f ? (char)bytes[i] : '.');
            text.Append("|\n");
        }
    }

    /// <summary>Words of 1, 2, 4 or 8 bytes, little-endian; with symbols one a line.</summary>
    internal static void AppendWords(StringBuilder text, ulong start, ReadOnlySpan<byte> bytes,
        ReadOnlySpan<bool> known, int size, Func<ulong, string?>? symbol)
    {
        int perLine = symbol is null ? LineLength / size : 1;
        for (int at = 0, word = 0; at + size <= bytes.Length; at += size, word++)
        {
            if (word % perLine == 0)
                text.Append(CultureInfo.InvariantCulture, $"{(word == 0 ? "" : "\n")}{start + (ulong)at:x16}:");
            ulong value = 0;
            for (int i = size - 1; i >= 0; i--)
                value = value << 8 | bytes[at + i];
            bool isWhole = !known.Slice(at, size).Contains(false);
            text.Append(' ').Append(isWhole
                ? value.ToString("x" + (size * 2).ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture)
                : new string('?', size * 2));
            if (isWhole && symbol?.Invoke(value) is { } name)
                text.Append("  ").Append(name);
        }

        text.Append('\n');
    }
}
