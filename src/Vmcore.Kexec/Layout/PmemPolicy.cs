using System.Globalization;

namespace Vmcore.Kexec;

/// <summary>What pmem means for a load: what to refuse, and what to say.</summary>
internal static class PmemPolicy
{
    private const string Parameter = "/sys/module/crash_pmem/parameters/headers";

    /// <summary>Fills in what the operator left open: the running kernel's parameter says what of pmem the dump may hold, whoever builds the header.</summary>
    /// <param name="system">The system.</param>
    /// <param name="options">What the operator wants.</param>
    /// <param name="warnings">Gets what follows from a parameter that is not the default.</param>
    public static LoadOptions Follow(RunningSystem system, LoadOptions options, List<string> warnings)
    {
        if (options.Pmem is not null)
            return options;
        string[] onMedia = OnMedia(system);
        if (onMedia.Length > 0 && system.KernelPmem == PmemInDump.None)
        {
            warnings.Add($"The memmap of {List(onMedia)} will not be in the dump, since crash_pmem.headers is \"none\": "
                + $"write memmap to {Parameter}, or give --pmem=metadata and -c.");
        }

        if (system.KernelPmem == PmemInDump.Region && !system.Pmem.IsEmpty)
        {
            warnings.Add("The user data on persistent memory can be read in the capture kernel, since crash_pmem.headers is \"region\": "
                + $"dump with a makedumpfile that leaves them out, or write memmap to {Parameter}.");
        }

        return options with { Pmem = system.KernelPmem ?? PmemInDump.Metadata };
    }

    /// <summary>Titles of the namespaces whose memmap lies on the media.</summary>
    public static string[] OnMedia(RunningSystem system) => [.. system.NamespacesOnMedia.Select(static n => n.Title)];

    /// <summary>True if the ELF core header shall describe pmem.</summary>
    public static bool WantsPmem(RunningSystem system, LoadOptions options) => options.Pmem switch
    {
        PmemInDump.Metadata => system.NamespacesOnMedia.Any(),
        PmemInDump.Region => !system.Pmem.IsEmpty,
        _ => false,
    };

    /// <summary>Refuses a dump target that the capture kernel could not reach, and warns of what would destroy the memmap.</summary>
    /// <exception cref="KexecException">The dump target is on pmem whose drivers are kept out.</exception>
    public static void Check(RunningSystem system, LoadOptions options, List<string> warnings)
    {
        string[] onMedia = OnMedia(system);
        bool isKeptOut = CaptureCommandLine.KeepsDriversOut(system, options);
        if (isKeptOut && options.DumpTargets.FirstOrDefault(IsPmemDevice) is { } target)
        {
            throw new KexecException(
                $"The dump target {target}{SpaceOf(system, target)} is persistent memory, whose drivers are kept out of the capture kernel "
                + "so that it cannot overwrite the memmaps there: dump to another device, or accept the loss of the memmaps with --keep-pmem-drivers.");
        }

        // Only warned of: a service may go on to something else, and a dump that fails is no worse than none.
        foreach (ServiceTarget service in isKeptOut ? options.ServiceTargets : [])
        {
            if (service.Devices.FirstOrDefault(IsPmemDevice) is { } device)
            {
                warnings.Add(
                    $"The dump goes to {service.Target} ({service.File}), which is on persistent memory ({device}{SpaceOf(system, device)}) "
                    + "that the capture kernel will not drive: no dump can be saved there. Name another device, "
                    + "or accept the loss of the memmaps with --keep-pmem-drivers.");
            }
        }

        if (isKeptOut && options.RootDevices.FirstOrDefault(IsPmemDevice) is { } root)
        {
            warnings.Add(
                $"root= of the capture kernel's command line is on persistent memory ({root}{SpaceOf(system, root)}), which the capture kernel will not drive: "
                + "dump from the initramfs to another device, or accept the loss of the memmaps with --keep-pmem-drivers.");
        }

        if (options.KeepPmemDrivers && onMedia.Length > 0)
        {
            warnings.Add(
                $"The capture kernel may bind {List(onMedia)} and overwrite the memmap there before it is dumped: "
                + "leave out --keep-pmem-drivers, or see to it that its initramfs brings up no namespace but raw ones.");
        }

        foreach (NdNamespace space in WantsPmem(system, options) ? system.NamespacesOnMedia : [])
        {
            if (BadPages(space, system) is > 0 and var bad)
            {
                warnings.Add(string.Create(CultureInfo.InvariantCulture, $"{space.Title}: {bad} {(bad == 1 ? "page" : "pages")} of its memmap cannot be read "
                    + $"(badblocks of its region) and will not be in the dump; what they say of files is lost."));
            }
        }

        foreach (NdNamespace space in system.Namespaces)
        {
            if (space.Note is not null && space.Mode is "fsdax" or "devdax")
                warnings.Add($"{space.Title}: {space.Note}.");
        }
    }

    /// <summary>What is lost, or is too much, if the kernel builds the ELF core header by itself.</summary>
    public static IReadOnlyList<string> FileLoadWarnings(RunningSystem system, LoadOptions options)
    {
        string[] onMedia = OnMedia(system);
        if (system.KernelAddsPmem)
        {
            List<string> warnings = [];
            if (FileLoadOfPatched(system, options.Pmem ?? PmemInDump.Metadata, onMedia) is { } warning)
                warnings.Add(warning);
            if (system.KernelPmem != PmemInDump.None && system.NamespacesOnMedia.Any(n => BadPages(n, system) > 0))
            {
                warnings.Add("With kexec_file_load the running kernel describes the pages of memmaps that cannot be read (badblocks) too: "
                    + "the capture kernel may stop at them. Load with -c.");
            }

            return warnings;
        }

        if (options.Pmem == PmemInDump.None || onMedia.Length == 0)
            return [];
        string advice = system switch
        {
            { Lockdown: "integrity" or "confidentiality" } => "Boot with lockdown (Secure Boot) off and load with -c, or use",
            { CryptKeys: > 0 } => "Use (-c would leave out the keys of encrypted volumes)",
            { HiddenCma: > 0 } => "Reserve the crash kernel's memory without \",cma\" and load with -c, or use",
            _ => "Load with -c, or use",
        };
        return
        [
            $"The memmap of {List(onMedia)} will not be in the dump: with kexec_file_load the running kernel leaves pmem out. "
            + $"{advice} a kernel with Vmcore's patches, or make the namespaces with --map=mem.",
        ];
    }

    private static ulong BadPages(NdNamespace space, RunningSystem system) =>
        system.BadPmem.Intersect(Iomem.WholePages([space.Metadata], system.PageShift)).PageCount;

    // Series of before the parameter describe whole regions.
    private static string? FileLoadOfPatched(RunningSystem system, PmemInDump wanted, string[] onMedia) => (system.KernelPmem ?? PmemInDump.Region) switch
    {
        var does when does == wanted || system.Pmem.IsEmpty => null,
        PmemInDump.Region =>
            "The running kernel describes whole pmem regions in the ELF core header of kexec_file_load: "
            + "dump with a makedumpfile that leaves pmem user data out, or load with -c.",
        PmemInDump.None when onMedia.Length > 0 =>
            $"The memmap of {List(onMedia)} will not be in the dump: with kexec_file_load crash_pmem.headers counts, which is \"none\". "
            + $"Write {(wanted == PmemInDump.Region ? "region" : "memmap")} to {Parameter}, or load with -c.",
        PmemInDump.Metadata when wanted == PmemInDump.Region =>
            $"Whole pmem regions will not be in the dump: with kexec_file_load crash_pmem.headers counts, which is \"memmap\". Write region to {Parameter}, "
            + "or load with -c.",
        _ => null,
    };

    /// <summary>Names in a sentence: <c>A</c>, <c>A and B</c>, <c>A, B and C</c>.</summary>
    internal static string List(IReadOnlyList<string> names) =>
        names.Count < 2 ? string.Concat(names) : $"{string.Join(", ", names.Take(names.Count - 1))} and {names[^1]}";

    private static bool IsPmemDevice(string device) =>
        device.StartsWith("pmem", StringComparison.Ordinal) || device.StartsWith("dax", StringComparison.Ordinal);

    private static string SpaceOf(RunningSystem system, string device)
    {
        // The longest name that the device's begins with: a partition of pmem10 is not on pmem1.
        NdNamespace? space = system.Namespaces
            .Where(n => n.Device is { } d && (device == d || device.StartsWith($"{d}p", StringComparison.Ordinal)))
            .MaxBy(static n => n.Device!.Length);
        return space is null ? "" : $" ({space.Name}, {space.Mode})";
    }
}
