using System.Globalization;

namespace Vmcore.Kdump.Configuration;

/// <summary>One key of the configuration. The parser, the commented file that <c>install</c> writes and the manual go by this table.</summary>
internal sealed class ConfigurationKey(string name, string standard, string expected, string text, Func<KdumpConfiguration, string, KdumpConfiguration?> apply)
{
    /// <summary>The key.</summary>
    public string Name => name;

    /// <summary>Its value where the file has none, as it would stand there; empty for nothing.</summary>
    public string Default => standard;

    /// <summary>What its value may be, for messages.</summary>
    public string Expected => expected;

    /// <summary>What it means.</summary>
    public string Text => text;

    /// <summary>Sets it; null if the value is none.</summary>
    public Func<KdumpConfiguration, string, KdumpConfiguration?> Apply => apply;

    private const string Duration = "a number of seconds, or of minutes or hours with m or h behind it";

    /// <summary>True if the key may stand in the file several times.</summary>
    public bool MayRepeat => Name == "fallback";

    /// <summary>All keys, in the order of the manual.</summary>
    internal static IReadOnlyList<ConfigurationKey> All { get; } =
    [
        new("target", "/var/crash", KdumpTarget.Expected,
            "Where the dump goes: a folder of a mounted file system; a device (/dev/NAME, UUID=… or LABEL=…) and a folder on it; raw and a partition "
            + "that 'vmcore kdump prepare' made ours; or console, which gets the log as text. File systems: ext4, xfs, btrfs, vfat.",
            static (c, v) => KdumpTarget.Parse(v, out _) is { } target ? c with { Target = target } : null),
        new("fallback", "", KdumpTarget.Expected, "Where the dump goes if the target fails. May stand several times: they are tried in this order.",
            static (c, v) => KdumpTarget.Parse(v, out _) is { } target && c.Fallbacks.Count < 8 ? c with { Fallbacks = [.. c.Fallbacks, target] } : null),
        new("keep", "5", "a number from 0 to 1000",
            "How many of our dumps stay in the folder, the newest included; older ones are deleted after a dump. 0: all.",
            static (c, v) => Number(v, 1000) is { } number ? c with { Keep = number } : null),
        new("max-size", "0", "a size in bytes, with K, M, G or T behind it if wanted",
            "How much space our dumps may take together: older ones are deleted after a dump, the newest always stays. 0: no limit.",
            static (c, v) => Size(v) is { } size ? c with { MaxSize = size } : null),
        new("level", "31", "a dump level from 0 to 63, or several with commas between them",
            "What is left out, as in makedumpfile -d. Several: where there is no room for the first, the next is tried.",
            static (c, v) => IsLevels(v) ? c with { Level = v } : null),
        new("codec", "lzo", "lzo, zlib, snappy, zstd or none", "How pages are compressed.",
            static (c, v) => Codec(v) is { } option ? c with { CodecOption = option } : null),
        new("time-limit", "0", Duration,
            "Time that a dump may take. The dumper leaves out what is worth least to keep to it, and is ended if it does not. 0: no limit.",
            static (c, v) => Seconds(v) is { } time ? c with { TimeLimit = time } : null),
        new("stall-limit", "10m", Duration, "A dumper that makes no step for so long is ended, and the next target is tried. 0: never.",
            static (c, v) => Seconds(v) is { } time ? c with { StallLimit = time } : null),
        new("device-wait", "60", Duration, "How long to wait for the device of a target.",
            static (c, v) => Seconds(v) is { } time ? c with { DeviceWait = time } : null),
        new("final", "reboot", "reboot, poweroff or halt", "What the machine does when all is saved, or nothing can be.",
            static (c, v) => Final(v) is { } final ? c with { Final = final } : null),
        new("delay", "5", Duration, "How long it waits before that.", static (c, v) => Seconds(v) is { } time ? c with { Delay = time } : null),
        new("report", "yes", "yes or no", "Write the first report of the crash, report.txt, beside the dump.",
            static (c, v) => YesNo(v) is { } yes ? c with { Report = yes } : null),
        new("watchdog", "yes", "yes or no", "Feed the machine's watchdog while the capture kernel works; if it hangs, the watchdog resets the machine.",
            static (c, v) => YesNo(v) is { } yes ? c with { Watchdog = yes } : null),
        new("modules", "", "names of kernel modules with blanks between them", "Kernel modules besides those that the targets need.",
            static (c, v) => Names(v) is { } names ? c with { Modules = names } : null),
        new("append", "", "words for a kernel's command line", "Words for the end of the capture kernel's command line.",
            static (c, v) => v.AsSpan().ContainsAnyInRange('\0', '\u001f') ? null : c with { Append = v }),
        new("kernel", "", "an absolute path", "The capture kernel. Not given: the file of the running kernel.",
            static (c, v) => v.Length == 0 || v.StartsWith('/') ? c with { Kernel = v } : null),
    ];

    private static int? Number(string text, int most) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number <= most ? number : null;

    private static long? Size(string text)
    {
        int shift = text.Length == 0 ? 0 : char.ToUpperInvariant(text[^1]) switch { 'K' => 10, 'M' => 20, 'G' => 30, 'T' => 40, _ => 0 };
        string digits = shift > 0 ? text[..^1] : text;
        return long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number <= long.MaxValue >> shift
            ? number << shift : null;
    }

    private static TimeSpan? Seconds(string text)
    {
        int unit = text.Length == 0 ? 1 : text[^1] switch { 's' => 1, 'm' => 60, 'h' => 3600, _ => 0 };
        string digits = unit == 0 ? text : text[..^Math.Min(1, text.Length)];
        return Number(digits, 1_000_000) is { } number ? TimeSpan.FromSeconds((long)number * Math.Max(1, unit)) : null;
    }

    private static bool IsLevels(string text)
    {
        string[] parts = text.Split(',');
        return parts.Length <= 32 && parts.All(static p => Number(p, 63) is not null);
    }

    private static string? Codec(string text) => text switch
    {
        "lzo" => "-l",
        "zlib" => "-c",
        "snappy" => "-p",
        "zstd" => "-z",
        "none" => "",
        _ => null,
    };

    private static FinalAction? Final(string text) => text switch
    {
        "reboot" => FinalAction.Reboot,
        "poweroff" => FinalAction.PowerOff,
        "halt" => FinalAction.Halt,
        _ => null,
    };

    private static bool? YesNo(string text) => text switch
    {
        "yes" => true,
        "no" => false,
        _ => null,
    };

    private static string[]? Names(string text)
    {
        string[] names = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        return names.All(static n => n.All(static c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-')) ? names : null;
    }
}
