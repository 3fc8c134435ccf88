namespace Vmcore.Kexec;

/// <summary>What pmem means for a load: what to refuse, and what to say.</summary>
internal static class PmemPolicy
{
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
        string[] onMedia = [.. system.NamespacesOnMedia.Select(static n => n.Title)];
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

        foreach (NdNamespace space in system.Namespaces)
        {
            if (space.Note is not null && space.Mode is "fsdax" or "devdax")
                warnings.Add($"{space.Title}: {space.Note}.");
        }
    }

    /// <summary>What is lost if the kernel builds the ELF core header by itself.</summary>
    public static IReadOnlyList<string> FileLoadWarnings(RunningSystem system, LoadOptions options)
    {
        string[] onMedia = [.. system.NamespacesOnMedia.Select(static n => n.Title)];
        if (options.Pmem == PmemInDump.None || onMedia.Length == 0)
            return [];
        if (system.KernelAddsPmem)
        {
            return options.Pmem == PmemInDump.Region
                ? []
                :
                [
                    "The running kernel describes whole pmem regions in the ELF core header of kexec_file_load: "
                    + "dump with a makedumpfile that leaves pmem user data out, or load with -c.",
                ];
        }

        return
        [
            $"The memmap of {List(onMedia)} will not be in the dump: with kexec_file_load the running kernel leaves pmem out. "
            + (system.Lockdown is "integrity" or "confidentiality"
                ? "Boot with lockdown (Secure Boot) off and load with -c, or use a kernel with Vmcore's patches, or make the namespaces with --map=mem."
                : "Load with -c, or use a kernel with Vmcore's patches, or make the namespaces with --map=mem."),
        ];
    }

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
