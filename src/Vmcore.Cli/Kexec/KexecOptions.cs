namespace Vmcore.Cli.Kexec;

/// <summary>The command's options, and what the command line says of them.</summary>
internal sealed class KexecOptions
{
    /// <summary>Short options, as kexec-tools has them.</summary>
    public const string ShortOptions = "hvdfixyluet:pscaS";

    /// <summary>Long options. Their keys are the short option's letter, or the name.</summary>
    public static readonly LongOption[] LongOptions =
    [
        new("help", "h"),
        new("version", "v"),
        new("debug", "d"),
        new("force", "f"),
        new("no-checks", "i"),
        new("no-ifdown", "x"),
        new("no-sync", "y"),
        new("load", "l"),
        new("unload", "u"),
        new("exec", "e"),
        new("type", "t", true),
        new("load-panic", "p"),
        new("kexec-file-syscall", "s"),
        new("kexec-syscall", "c"),
        new("kexec-syscall-auto", "a"),
        new("status", "S"),
        new("load-preserve-context", "reboot"),
        new("load-jump-back-helper", "reboot"),
        new("load-live-update", "reboot"),
        new("exec-live-update", "reboot"),
        new("entry", "reboot-value", true),
        new("mem-min", "mem-min", true),
        new("mem-max", "mem-max", true),
        new("command-line", "append", true),
        new("append", "append", true),
        new("reuse-cmdline", "reuse-cmdline"),
        new("initrd", "initrd", true),
        new("ramdisk", "initrd", true),
        new("reuseinitrd", "reuseinitrd"),
        new("print-ckr-size", "print-ckr-size"),
        new("hotplug", "hotplug"),
        new("pass-memmap-cmdline", "pass-memmap-cmdline"),
        new("serial", "serial", true),
        new("noefi", "noefi"),

        // Taken for the sake of services; they change nothing here.
        new("no-cma", "ignored"),
        new("args-linux", "ignored"),
        new("elf64-core-headers", "ignored"),
        new("reset-vga", "ignored"),
        new("console-vga", "ignored"),
        new("console-serial", "ignored"),
        new("serial-baud", "ignored-value", true),
        new("reuse-video-type", "ignored"),
        new("elf32-core-headers", "elf32"),
        new("real-mode", "entry"),
        new("entry-32bit", "entry"),
        new("dtb", "dtb", true),
        new("force-dtb", "force-dtb"),
        new("module", "module", true),

        // Vmcore's own.
        new("pmem", "pmem", true),
        new("keep-pmem-drivers", "keep-pmem-drivers"),
        new("dump-target", "dump-target", true),
        new("dry-run", "dry-run"),
        new("json", "json"),
        new("sysroot", "sysroot", true),
    ];

    private readonly List<ParsedOption> _options;

    private KexecOptions(List<ParsedOption> options, List<string> operands)
    {
        _options = options;
        Operands = operands;
    }

    /// <summary>The operands: the kernel.</summary>
    public IReadOnlyList<string> Operands { get; }

    /// <summary>Parses the arguments.</summary>
    /// <param name="args">The arguments.</param>
    /// <param name="parsed">Receives the answer.</param>
    /// <returns>Null, or what is wrong.</returns>
    public static string? Parse(string[] args, out KexecOptions parsed)
    {
        List<ParsedOption> options = [];
        List<string> operands = [];
        string? error = new GetOpt(ShortOptions, LongOptions).Parse(args, options, operands);
        parsed = new(options, operands);
        return error;
    }

    /// <summary>True if an option with this key was given.</summary>
    public bool Has(string key) => _options.Exists(o => o.Key == key);

    /// <summary>The last value given for this key; null if there is none.</summary>
    public string? Value(string key) => _options.FindLast(o => o.Key == key)?.Value;

    /// <summary>All values given for this key.</summary>
    public IEnumerable<string> Values(string key) => _options.Where(o => o.Key == key).Select(static o => o.Value).OfType<string>();

    /// <summary>The last of these keys that was given; null if none was.</summary>
    public string? LastOf(params ReadOnlySpan<string> keys)
    {
        for (int i = _options.Count - 1; i >= 0; i--)
        {
            if (keys.Contains(_options[i].Key))
                return _options[i].Key;
        }

        return null;
    }
}
