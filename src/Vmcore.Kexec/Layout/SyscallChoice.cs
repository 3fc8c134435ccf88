using System.Globalization;

namespace Vmcore.Kexec;

/// <summary>Something that is set up on this machine and that a system call leaves out.</summary>
/// <param name="Text">A sentence for the operator.</param>
/// <param name="IsWarnedOf">True to say it at each load; false for what is taken care of otherwise.</param>
public sealed record LoadLoss(string Text, bool IsWarnedOf = true);

/// <summary>Which of the two system calls loads, why, and what each of them leaves out.</summary>
/// <param name="Order">The calls to try, in this order.</param>
/// <param name="Reason">Why, in a sentence.</param>
/// <param name="LostByLoad">What kexec_load leaves out here.</param>
/// <param name="LostByFileLoad">What kexec_file_load leaves out here.</param>
/// <remarks>
/// Only kexec_file_load hands over dm-crypt keys (kernel/crash_dump_dm_crypt.c) and makes a new ELF core header on hotplug by itself. Integrity
/// measurements (IMA) and what is kept for a live update (KHO) go to crash kernels by neither: their code returns for KEXEC_TYPE_CRASH.
/// </remarks>
public sealed record SyscallChoice(
    IReadOnlyList<LoadSyscall> Order, string Reason, IReadOnlyList<LoadLoss> LostByLoad, IReadOnlyList<LoadLoss> LostByFileLoad)
{
    private const string KeysFolder = "/sys/kernel/config/crash_dm_crypt_keys";

    /// <summary>Decides.</summary>
    /// <param name="system">The system.</param>
    /// <param name="options">What the operator wants; <see cref="LoadOptions.Pmem"/> is not null.</param>
    /// <exception cref="KexecException">Xen loads crash kernels here, or lockdown forbids the call that was asked for.</exception>
    public static SyscallChoice Make(RunningSystem system, LoadOptions options)
    {
        if (system.IsXen)
        {
            throw new KexecException(
                "This is the control domain or a paravirtual guest of Xen, whose crash kernel the hypervisor loads: use the kexec of kexec-tools for it.", 1);
        }

        // Under lockdown kexec_load is refused, whatever it is given.
        bool isLocked = system.Lockdown is "integrity" or "confidentiality";
        if (isLocked && options.Syscall == LoadSyscall.Load)
        {
            throw new KexecException(
                $"The running kernel is locked down ({system.Lockdown}), which forbids kexec_load: "
                + "use -s with a signed kernel, or boot with lockdown (Secure Boot) off.");
        }

        (IReadOnlyList<LoadSyscall> order, string reason) = options.Syscall switch
        {
            LoadSyscall.Load => (Only(LoadSyscall.Load), "-c asks for kexec_load."),
            LoadSyscall.FileLoad => (Only(LoadSyscall.FileLoad), "-s asks for kexec_file_load."),
            LoadSyscall.Best when isLocked => (Only(LoadSyscall.FileLoad), $"The running kernel is locked down ({system.Lockdown}), which forbids kexec_load."),
            LoadSyscall.Best => Best(system, options),
            _ => (FileFirst, "The order is that of kexec-tools."),
        };
        return new(order, reason, OfLoad(system, options), OfFileLoad(system, options));
    }

    /// <summary>The sentences of what is to be said at a load.</summary>
    /// <param name="losses"><see cref="LostByLoad"/> or <see cref="LostByFileLoad"/>.</param>
    public static IReadOnlyList<string> Warnings(IReadOnlyList<LoadLoss> losses) => [.. losses.Where(static l => l.IsWarnedOf).Select(static l => l.Text)];

    private static LoadSyscall[] FileFirst => [LoadSyscall.FileLoad, LoadSyscall.Load];

    private static LoadSyscall[] Only(LoadSyscall call) => [call];

    // A dump that cannot be saved at all is worse than one without the memmaps of pmem.
    private static (IReadOnlyList<LoadSyscall> Order, string Reason) Best(RunningSystem system, LoadOptions options)
    {
        if (system.CryptKeys > 0)
        {
            return (FileFirst,
                $"{KeysFolder} has {Count(system.CryptKeys)} of encrypted volumes for the capture kernel, and only kexec_file_load hands them over.");
        }

        if (system.HiddenCma > 0)
            return (FileFirst, "Only the running kernel, in kexec_file_load, knows where the memory of crashkernel=,cma is.");
        PmemInDump? kernel = system.KernelAddsPmem ? system.KernelPmem ?? PmemInDump.Region : PmemInDump.None;
        if (!PmemPolicy.WantsPmem(system, options) || (options.Pmem == PmemInDump.Region && kernel == PmemInDump.Region))
            return (FileFirst, "Nothing here needs kexec_load: the order is that of kexec-tools.");
        string what = options.Pmem == PmemInDump.Region ? "persistent memory" : $"the memmap of {PmemPolicy.List(PmemPolicy.OnMedia(system))}";
        return ([LoadSyscall.Load, LoadSyscall.FileLoad], kernel == PmemInDump.None || options.Pmem == PmemInDump.Region
            ? $"Only kexec_load puts {what} into the dump."
            : $"kexec_load puts {what} into the dump and nothing else; the running kernel adds "
                + (kernel == PmemInDump.Region ? "the user data around it." : "unused pages beside it, which may hold old user data."));
    }

    private static List<LoadLoss> OfLoad(RunningSystem system, LoadOptions options)
    {
        List<LoadLoss> lost = [];
        if (system.CryptKeys > 0)
        {
            lost.Add(new($"kexec_load does not hand over the {Count(system.CryptKeys)} in {KeysFolder}: "
                + "the capture kernel cannot unlock an encrypted dump target. Load with -s, or dump to a target that is not encrypted."));
        }

        if (system.HiddenCma > 0)
        {
            lost.Add(new($"The capture kernel does not get the {Numbers.MiB(system.HiddenCma)} of crashkernel=,cma: "
                + "the running kernel does not say where they are (Linux 7.0 does). Load with -s, or reserve them without \",cma\"."));
        }

        if (system.CrashElfcorehdrSize > 0 && (!options.Hotplug || PmemPolicy.WantsPmem(system, options)))
        {
            lost.Add(new("The running kernel does not update the ELF core header by itself when CPUs or memory come or go: the udev rules load it again.",
                IsWarnedOf: false));
        }

        return lost;
    }

    private static List<LoadLoss> OfFileLoad(RunningSystem system, LoadOptions options)
    {
        List<LoadLoss> lost = [.. PmemPolicy.FileLoadWarnings(system, options).Select(static w => new LoadLoss(w))];
        List<string> ignored = [];
        if (options.MemoryMin > 0)
            ignored.Add("--mem-min");
        if (options.MemoryMax < ulong.MaxValue)
            ignored.Add("--mem-max");
        if (options.NoEfi)
            ignored.Add("--noefi");
        if (options.PassMemmap)
            ignored.Add("--pass-memmap-cmdline");
        if (options.DeviceTreeFile is not null)
            ignored.Add("--dtb");
        if (ignored.Count > 0)
            lost.Add(new($"kexec_file_load leaves {PmemPolicy.List(ignored)} without effect: load with -c if that is needed."));
        return lost;
    }

    private static string Count(int keys) => keys == 1 ? "1 key" : string.Create(CultureInfo.InvariantCulture, $"{keys} keys");
}
