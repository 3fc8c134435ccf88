using System.Globalization;
using Vmcore.Kexec;

namespace Vmcore.Cli.Kexec;

/// <summary>Turns options into what the library takes.</summary>
internal static class KexecRequest
{
    /// <summary>Reads the options of a load.</summary>
    /// <exception cref="KexecException">A value makes no sense.</exception>
    public static LoadOptions Read(KexecOptions options, string? sysroot, bool isDryRun, TextWriter error)
    {
        if (options.Operands.Count > 1)
            throw new KexecException($"More than one kernel: {string.Join(' ', options.Operands)}; give one, and quote the value of --command-line.", 1);
        if (options.Value("t") is { } type && !Platform.All.Any(p => p.KernelTypes.Contains(type, StringComparer.Ordinal)))
            throw new KexecException($"Unsupported type {type}: this kexec loads {Formats()}, compressed or in a unified kernel image too.");
        if (options.Has("module"))
            throw new KexecException("--module is for multiboot kernels, which this kexec does not load: leave it out.", 1);
        if (options.Has("elf32"))
            error.WriteLine("kexec: warning: --elf32-core-headers is ignored: a 64-bit kernel's ELF core header is ELF64.");
        if (options.Has("entry"))
            error.WriteLine("kexec: warning: --real-mode and --entry-32bit are ignored: the kernel's 64-bit entry is used.");

        string? initrd = options.Value("initrd");
        if (options.Has("reuseinitrd"))
        {
            if (initrd is not null)
                throw new KexecException("--initrd and --reuseinitrd exclude each other: give one.", 1);
            initrd = $"{sysroot?.TrimEnd('/')}/sys/firmware/initrd";
            if (!File.Exists(initrd))
                throw new KexecException("--reuseinitrd needs a kernel that kept its initramfs: boot it with retain_initrd, or give --initrd.", 1);
        }

        string commandLine = options.Value("append") ?? "";
        bool reuse = options.Has("reuse-cmdline");
        string? root = BlockDevices.RootOf(reuse ? $"{RunningSystemReader.ReadCommandLine(sysroot)} {commandLine}" : commandLine);
        return new()
        {
            CommandLine = commandLine,
            ReuseCommandLine = reuse,
            Syscall = KexecCommand.Syscall(options),
            Pmem = Pmem(options.Value("pmem")),
            KeepPmemDrivers = options.Has("keep-pmem-drivers"),
            DumpTargets = DumpTargets(options, sysroot, error),
            RootDevices = root is null ? [] : BlockDevices.Resolve(sysroot, root),
            ServiceTargets = options.Has("dump-target") ? [] : KdumpSettings.FindTargets(sysroot),
            SkipChecks = options.Has("i"),
            Hotplug = options.Has("hotplug"),
            PassMemmap = options.Has("pass-memmap-cmdline"),
            NoEfi = options.Has("noefi"),
            Debug = options.Has("d"),
            MemoryMin = Number(options, "mem-min") ?? 0,
            MemoryMax = Number(options, "mem-max") ?? ulong.MaxValue,
            Serial = options.Value("serial"),
            DeviceTreeFile = options.Value("dtb"),
            ForceDeviceTree = options.Has("force-dtb"),
            InitrdFile = initrd,
            // A dry run shows the same each time.
            RandomSeed = isDryRun ? new byte[32] : KexecSyscalls.Random(32),
        };
    }

    private static string Formats() => string.Join(" and ", Platform.All.Select(static p => p.KernelFormats));

    private static List<string> DumpTargets(KexecOptions options, string? sysroot, TextWriter error)
    {
        List<string> devices = [];
        foreach (string target in options.Values("dump-target"))
        {
            if (target.Length == 0)
                throw new KexecException("Bad option value in --dump-target=: give a device, an absolute path, or HOST:PATH.", 1);
            IReadOnlyList<string> found = BlockDevices.Resolve(sysroot, target);
            // What has a host in front is on another machine.
            if (found.Count == 0 && !target.Contains(':', StringComparison.Ordinal))
                error.WriteLine($"kexec: warning: No device is found below --dump-target={target}, "
                    + "so nothing tells whether it is persistent memory: give the device.");
            devices.AddRange(found);
        }

        return devices;
    }

    private static PmemInDump? Pmem(string? value) => value switch
    {
        null => null,
        "metadata" => PmemInDump.Metadata,
        "region" => PmemInDump.Region,
        "none" => PmemInDump.None,
        _ => throw new KexecException($"Bad option value in --pmem={value}: give metadata, region or none.", 1),
    };

    // As strtoul(3) with base 0 reads it: 0x… is hexadecimal, 0… octal.
    private static ulong? Number(KexecOptions options, string key)
    {
        if (options.Value(key) is not { } text)
            return null;
        string digits = text.Trim();
        if (digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            && ulong.TryParse(digits.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong value))
        {
            return value;
        }

        bool isOctal = digits.Length is > 1 and <= 21 && digits[0] == '0' && digits.All(static c => c is >= '0' and <= '7');
        if (isOctal)
            return Convert.ToUInt64(digits, 8);
        return ulong.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out value)
            ? value
            : throw new KexecException($"Bad option value in --{key}={text}: give a number of bytes.", 1);
    }
}
