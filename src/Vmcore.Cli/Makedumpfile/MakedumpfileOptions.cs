using System.Globalization;
using Vmcore.Compression;
using Vmcore.Memmap;
using Vmcore.Memory;

namespace Vmcore.Cli.Makedumpfile;

/// <summary>A command line that cannot be carried out. The message may be empty: then the generic lines say enough.</summary>
internal sealed class UsageException(string message) : Exception(message);

/// <summary>The command line of <c>makedumpfile</c>.</summary>
internal sealed class MakedumpfileOptions
{
    private const string ShortOptions = "b:cDd:eEFfg:hi:lL:pRvXx:z";

    /// <summary>Options of the tool of today that this build does not have. They are known by name, so that abbreviations mean what they always meant.</summary>
    private static readonly string[] s_missing =
    [
        "split", "reassemble", "xen-syms=", "xen-vmcoreinfo=", "xen_phys_start=", "vtop=", "dump-dmesg", "partial-dmesg", "config=", "diskset=",
        "eppic=", "mem-usage", "splitblock-size=", "work-dir=", "extension=",
    ];

    private static readonly LongOption[] s_long =
    [
        new("message-level", "message-level", true), new("help", "h"), new("cyclic-buffer", "cyclic-buffer", true), new("non-mmap", "non-mmap"),
        new("num-threads", "num-threads", true), new("check-params", "check-params"), new("dry-run", "dry-run"), new("show-stats", "show-stats"),
        new("pmem-range", "pmem-range", true), new("include-pmem-userdata", "include-pmem-userdata"),
        .. s_missing.Select(m => new LongOption(m.TrimEnd('='), "missing:" + m.TrimEnd('='), m.EndsWith('='))),
    ];

    private readonly List<string> _operands = [];
    private MessageKind _alsoShown;

    /// <summary>Dump levels: the first is used, the next where the target is too small for it.</summary>
    internal List<DumpLevel> Levels { get; private set; } = [DumpLevel.None];

    internal PageCodec Codec { get; private set; }

    internal bool Elf { get; private set; }

    internal bool Flattened { get; private set; }

    internal bool Overwrite { get; private set; }

    internal bool Help { get; private set; }

    internal bool Version { get; private set; }

    internal bool DryRun { get; private set; }

    internal bool CheckParams { get; private set; }

    internal bool IncludePmemUserData { get; private set; }

    internal int? Threads { get; private set; }

    internal long? SizeLimit { get; private set; }

    internal string? VmcoreInfoFile { get; private set; }

    internal List<PhysicalRange> PmemRanges { get; } = [];

    internal MessageKind MessageLevel { get; private set; } = MessageKind.Progress | MessageKind.Common | MessageKind.Error;

    internal string Input => _operands[0];

    internal string? Output => _operands.Count > 1 ? _operands[1] : null;

    /// <summary>Reads the command line; <see cref="Validate"/> comes later, since help and version need nothing else to be right.</summary>
    /// <exception cref="UsageException">An option is unknown, lacks its value, or has an impossible one.</exception>
    internal void Parse(IReadOnlyList<string> args)
    {
        List<ParsedOption> options = [];
        string? error = new GetOpt(ShortOptions, s_long).Parse(args, options, _operands);

        // Known first: a wrong parameter is reported differently under --check-params.
        CheckParams = options.Exists(o => o.Key == "check-params");
        if (error is not null)
            throw new UsageException("makedumpfile: " + error);
        foreach (ParsedOption option in options)
            Apply(option);
        MessageLevel |= _alsoShown;
    }

    /// <summary>Checks that the options go together.</summary>
    /// <exception cref="UsageException">They do not.</exception>
    internal void Validate()
    {
        if (Elf && Codec != PageCodec.None)
            throw new UsageException("-E cannot be used with -c, -l, -p or -z: an ELF file is not compressed.");
        if (Elf && Threads > 0)
            throw new UsageException("--num-threads cannot used with ELF format.");
        if (_operands.Count != (Flattened ? 1 : 2) || _operands.Contains("") || VmcoreInfoFile is "")
            throw new UsageException("");
    }

    private static int Integer(string option, string value, int min, int max) =>
        int.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number) && number >= min && number <= max ? number
            : throw new UsageException($"{option}: found '{value}', expected a number from {min} to {max}.");

    private static UsageException Missing(string option, string alternative = "") =>
        new($"{option} is not part of this build yet.{alternative}");

    private static long Size(string value)
    {
        int shift = value.Length == 0 ? 0 : char.ToUpperInvariant(value[^1]) switch { 'K' => 10, 'M' => 20, 'G' => 30, 'T' => 40, _ => 0 };
        string digits = shift > 0 ? value[..^1] : value;
        return long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number > 0 && number <= long.MaxValue >> shift
            ? number << shift
            : throw new UsageException($"-L: found '{value}', expected a size in bytes greater than 0, with K, M, G or T behind it if wanted.");
    }

    private static PhysicalRange Range(string value)
    {
        string[] parts = value.Split('-');
        return parts.Length == 2 && Hex(parts[0], out ulong start) && Hex(parts[1], out ulong end) && end > start && end <= 1UL << 56
            ? new(start, end)
            : throw new UsageException($"--pmem-range: found '{value}', expected START-END: physical addresses in hexadecimal, END exclusive.");
    }

    private static bool Hex(string text, out ulong value) =>
        ulong.TryParse(text.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? text.AsSpan(2) : text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);

    private void Apply(ParsedOption option)
    {
        string value = option.Value ?? "";
        switch (option.Key)
        {
            case "c": Codec = PageCodec.Zlib; break;
            case "l": Codec = PageCodec.Lzo; break;
            case "p": Codec = PageCodec.Snappy; break;
            case "z": Codec = PageCodec.Zstd; break;
            case "d": Levels = ParseLevels(value); break;
            case "E": Elf = true; break;
            case "F": Flattened = true; break;
            case "f": Overwrite = true; break;
            case "h": Help = true; break;
            case "v": Version = true; break;
            case "D": _alsoShown |= MessageKind.Debug; break;
            case "show-stats": _alsoShown |= MessageKind.Report; break;
            case "message-level":
                MessageLevel = (MessageKind)Integer("--message-level", value, 0, 31);
                break;
            case "i": VmcoreInfoFile = value; break;
            case "b": Integer("-b", value, 0, 20); break;
            case "L": SizeLimit = Size(value); break;
            case "cyclic-buffer": Integer("--cyclic-buffer", value, 0, int.MaxValue); break;
            case "num-threads": Threads = Math.Max(0, Integer("--num-threads", value, int.MinValue, 1024)); break;
            case "dry-run": DryRun = true; break;
            case "check-params" or "non-mmap": break;
            case "pmem-range": PmemRanges.Add(Range(value)); break;
            case "include-pmem-userdata": IncludePmemUserData = true; break;
            case "x": throw Missing("-x", " vmcoreinfo in the core is enough for every kernel since 4.19; -i gives it where the core has none.");
            default: throw Missing(option.Key.StartsWith("missing:", StringComparison.Ordinal) ? "--" + option.Key[8..] : "-" + option.Key);
        }
    }

    private static List<DumpLevel> ParseLevels(string value)
    {
        string[] parts = value.Split(',');
        if (parts.Length > 32)
            throw new UsageException($"-d: found {parts.Length} dump levels, expected at most 32.");
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
}
