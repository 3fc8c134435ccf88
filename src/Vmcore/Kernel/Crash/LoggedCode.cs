using System.Globalization;
using Vmcore.Memory;

namespace Vmcore.Kernel.Crash;

/// <summary>The line of the log that begins with <c>Code:</c>: bytes around the instruction that the kernel died at, as it saw them.</summary>
/// <remarks>Source: show_opcodes() in arch/x86/kernel/dumpstack.c, dump_kernel_instr() in arch/arm64/kernel/traps.c.</remarks>
public sealed class LoggedCode
{
    private const int LineBytes = 256;

    private LoggedCode(byte[] bytes, int mark)
    {
        Bytes = bytes;
        Mark = mark;
    }

    /// <summary>The bytes, in the order of memory.</summary>
    public ReadOnlyMemory<byte> Bytes { get; }

    /// <summary>Offset in <see cref="Bytes"/> of the instruction.</summary>
    public int Mark { get; }

    /// <summary>The function that the instruction is in, as the log names it.</summary>
    public string Function { get; private init; } = "";

    /// <summary>Its module; null for the kernel's image.</summary>
    public string? Module { get; private init; }

    /// <summary>Distance of the instruction from the function's start, in bytes.</summary>
    public ulong Offset { get; private init; }

    /// <summary>Reads a line: bytes, or words of as many digits as an instruction has, the one at the instruction pointer in brackets.</summary>
    /// <param name="line">The line.</param>
    /// <param name="place">The function that the log names before it.</param>
    /// <param name="order">Order of the bytes of a word.</param>
    /// <returns>Null if it is none, or a part of it could not be read when it was written.</returns>
    internal static LoggedCode? TryParse(string line, LoggedFunction place, ByteOrder order)
    {
        const string Start = "Code: ";
        if (!line.StartsWith(Start, StringComparison.Ordinal))
            return null;
        List<byte> bytes = [];
        int mark = -1;
        foreach (string word in line[Start.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            string digits = word;
            if (digits is ['<' or '(', .., '>' or ')'])
            {
                mark = mark < 0 ? bytes.Count : mark;
                digits = digits[1..^1];
            }

            if (digits.Length is not (2 or 4 or 8) || bytes.Count >= LineBytes
                || !uint.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint value))
                return null;
            int size = digits.Length / 2;
            for (int i = 0; i < size; i++)
                bytes.Add((byte)(value >> (8 * (order == ByteOrder.LittleEndian ? i : size - 1 - i))));
        }

        return mark < 0 ? null : new([.. bytes], mark) { Function = place.Name, Module = place.Module, Offset = place.Offset };
    }
}
