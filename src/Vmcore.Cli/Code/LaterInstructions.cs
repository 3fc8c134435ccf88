using System.Globalization;

namespace Vmcore.Cli.Code;

/// <summary>
/// Instructions of four-byte code that kernels are full of and libcapstone 4 does not know: atomics, accesses as a process, hints. Source: Arm Architecture
/// Reference Manual for A-profile, C4.1 (encodings) and C6.2.
/// </summary>
internal static class LaterInstructions
{
    private const int OperandColumn = 8;
    private const int Stack = 31;

    private static readonly string[] s_operations = ["add", "clr", "eor", "set", "smax", "smin", "umax", "umin"];

    /// <summary>The instruction as text; null if it is none of these.</summary>
    /// <param name="word">The instruction.</param>
    internal static string? TryDecode(uint word)
    {
        string? text = word <= ushort.MaxValue ? string.Create(CultureInfo.InvariantCulture, $"udf #0x{word:x}")
            : (word & 0xffff_f01f) == 0xd503_201f ? Hint((word >> 5) & 0x7f)
            : (word & 0x3f20_0c00) == 0x3820_0000 ? Atomic(word)
            : (word & 0x3fa0_7c00) == 0x08a0_7c00 ? Compare(word)
            : (word & 0xbfa0_7c00) == 0x0820_7c00 ? ComparePair(word)
            : (word & 0x3f20_0c00) == 0x3800_0800 ? Unprivileged(word)
            : null;
        int space = text?.IndexOf(' ', StringComparison.Ordinal) ?? -1;
        return space < 0 ? text : $"{text![..space].PadRight(OperandColumn - 1)} {text[(space + 1)..]}";
    }

    // To a machine that is older than they are, all of them are no-operations.
    private static string Hint(uint number)
    {
        string[] keys = ["pacia1716", "", "pacib1716", "", "autia1716", "", "autib1716"];
        string[] stack = ["paciaz", "paciasp", "pacibz", "pacibsp", "autiaz", "autiasp", "autibz", "autibsp"];
        string name = number switch
        {
            0 => "nop",
            1 => "yield",
            2 => "wfe",
            3 => "wfi",
            4 => "sev",
            5 => "sevl",
            6 => "dgh",
            7 => "xpaclri",
            16 => "esb",
            17 => "psb csync",
            18 => "tsb csync",
            20 => "csdb",
            22 => "clrbhb",
            32 => "bti",
            34 => "bti c",
            36 => "bti j",
            38 => "bti jc",
            >= 8 and < 15 => keys[number - 8],
            >= 24 and < 32 => stack[number - 24],
            _ => "",
        };
        return name.Length > 0 ? name : string.Create(CultureInfo.InvariantCulture, $"hint #0x{number:x}");
    }

    private static string? Atomic(uint word)
    {
        int size = (int)(word >> 30), code = At(word, 12) & 0xf;
        bool acquires = (word & 0x80_0000) != 0, releases = (word & 0x40_0000) != 0;
        int from = At(word, 16), to = At(word, 0);
        if (code > 8)
            return null;
        string order = (acquires ? "a" : "") + (releases ? "l" : "") + Width(size);
        bool isWide = size == 3;
        if (code == 8)
            return $"swp{order} {Name(from, isWide)}, {Name(to, isWide)}, {Place(word)}";
        return to == Stack && !acquires ? $"st{s_operations[code]}{order} {Name(from, isWide)}, {Place(word)}"
            : $"ld{s_operations[code]}{order} {Name(from, isWide)}, {Name(to, isWide)}, {Place(word)}";
    }

    private static string Compare(uint word)
    {
        int size = (int)(word >> 30);
        return $"cas{Order(word)}{Width(size)} {Name(At(word, 16), size == 3)}, {Name(At(word, 0), size == 3)}, {Place(word)}";
    }

    private static string? ComparePair(uint word)
    {
        int compared = At(word, 16), to = At(word, 0);
        bool isWide = (word & 0x4000_0000) != 0;
        return ((compared | to) & 1) != 0 ? null
            : $"casp{Order(word)} {Name(compared, isWide)}, {Name(compared + 1, isWide)}, {Name(to, isWide)}, {Name(to + 1, isWide)}, {Place(word)}";
    }

    private static string? Unprivileged(uint word)
    {
        int size = (int)(word >> 30), operation = (int)((word >> 22) & 3);
        if (operation + size > 4 || (size == 3 && operation > 1))
            return null;
        bool isSigned = operation > 1, isWide = size == 3 || operation == 2;
        int offset = (int)(word << 11) >> 23;
        string name = (operation == 0 ? "sttr" : "ldtr") + (isSigned ? "s" : "") + (size == 2 && isSigned ? "w" : Width(size));
        string place = offset == 0 ? Place(word) : string.Create(CultureInfo.InvariantCulture,
            $"{Place(word)[..^1]}, #{(offset < 0 ? "-" : "")}0x{Math.Abs(offset):x}]");
        return $"{name} {Name(At(word, 0), isWide)}, {place}";
    }

    private static string Order(uint word) => ((word & 0x40_0000) != 0 ? "a" : "") + ((word & 0x8000) != 0 ? "l" : "");

    private static string Width(int size) => size switch { 0 => "b", 1 => "h", _ => "" };

    private static int At(uint word, int bit) => (int)((word >> bit) & 0x1f);

    private static string Name(int register, bool isWide) => register == Stack ? isWide ? "xzr" : "wzr"
        : string.Create(CultureInfo.InvariantCulture, $"{(isWide ? 'x' : 'w')}{register}");

    private static string Place(uint word) => At(word, 5) == Stack ? "[sp]" : string.Create(CultureInfo.InvariantCulture, $"[x{At(word, 5)}]");
}
