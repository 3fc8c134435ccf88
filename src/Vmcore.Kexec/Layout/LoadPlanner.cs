using System.Globalization;

namespace Vmcore.Kexec;

/// <summary>Decides what to load, and how. A pure function of what was read.</summary>
public static class LoadPlanner
{
    /// <summary>Plans a load.</summary>
    /// <param name="system">The system.</param>
    /// <param name="kernel">The capture kernel.</param>
    /// <param name="initrd">Its initramfs; empty for none.</param>
    /// <param name="options">What the operator wants.</param>
    /// <exception cref="KexecException">It cannot be done; the message says why and what to do.</exception>
    public static LoadPlan Plan(RunningSystem system, KernelImage kernel, ReadOnlyMemory<byte> initrd, LoadOptions options)
    {
        if (system.Iomem.CrashRegions.Count == 0)
            throw NoRegion();
        if (kernel.Machine != system.Machine)
        {
            throw new KexecException(
                $"Cannot load {kernel.File}: it is a kernel for {kernel.Machine}, and this machine is {system.Machine}; "
                + $"give {Platform.Of(system).KernelFormats}, usually /boot/vmlinuz-RELEASE.");
        }

        List<string> warnings = [];
        if (initrd.IsEmpty && options.InitrdFile is { } empty)
            warnings.Add($"The initramfs {empty} is empty: make it again, and see whether the disk was full.");
        if (initrd.IsEmpty)
            initrd = kernel.EmbeddedInitrd;
        options = PmemPolicy.Follow(system, options, warnings);
        PmemPolicy.Check(system, options, warnings);
        var choice = SyscallChoice.Make(system, options);
        IReadOnlyList<LoadSyscall> order = choice.Order;
        LoadLayout? layout = order.Contains(LoadSyscall.Load) ? CrashLayout.Build(system, kernel, initrd, options, warnings) : null;
        CaptureCommandLine? fileLine = order.Contains(LoadSyscall.FileLoad)
            ? CaptureCommandLine.Build(system, options, [], Math.Max(0, kernel.CommandLineLimit - Platform.Of(system).FileLoadPrefix))
            : null;
        // kexec_file_load knows where that is.
        ulong hidden = order[0] == LoadSyscall.FileLoad ? system.HiddenCma : 0;
        var memory = MemoryNeed.Of(system, kernel, initrd, (layout?.CommandLine ?? fileLine)?.Text ?? "", hidden);
        if (memory.Warning is { } tooLittle)
            warnings.Add(tooLittle);
        warnings.AddRange(layout?.CommandLine.Notes ?? fileLine?.Notes ?? []);
        return new()
        {
            System = system,
            Kernel = kernel,
            Initrd = initrd,
            Options = options,
            Choice = choice,
            Layout = layout,
            FileCommandLine = fileLine,
            Warnings = warnings,
            Memory = memory,
        };
    }

    /// <summary>The error for a machine that reserves no memory.</summary>
    public static KexecException NoRegion() => new(
        "Memory for crashkernel is not reserved: boot the kernel with crashkernel=256M (or what your machine needs) on its command line, then load again.",
        1);

    /// <summary>A count of bytes in hexadecimal, for messages.</summary>
    internal static string Hex(ulong value) => string.Create(CultureInfo.InvariantCulture, $"0x{value:x}");
}
