using System.Globalization;
using System.Runtime.InteropServices;

namespace Vmcore.Kexec;

/// <summary>What a load did.</summary>
/// <param name="Syscall">The system call that loaded.</param>
/// <param name="Warnings">What the operator should know.</param>
public readonly record struct LoadOutcome(LoadSyscall Syscall, IReadOnlyList<string> Warnings);

/// <summary>Carries a plan out: one system call, or two if the first is not for this kernel or file.</summary>
public sealed class CrashLoader
{
    private const int BusyRetries = 20;
    private const string Neither = "the running kernel has neither kexec_load nor kexec_file_load: use one with CONFIG_KEXEC.";
    private readonly IKexecSyscalls _calls;

    /// <summary>Creates a loader.</summary>
    public CrashLoader(IKexecSyscalls calls) => _calls = calls;

    /// <summary>Loads the crash kernel.</summary>
    /// <exception cref="KexecException">The kernel refused; the message says why, and whether a crash kernel is loaded now.</exception>
    public LoadOutcome Load(LoadPlan plan)
    {
        List<string> warnings = [.. plan.Warnings];
        bool hasNeither = false;
        for (int i = 0; i < plan.Order.Count; i++)
        {
            LoadSyscall call = plan.Order[i];
            bool isFile = call == LoadSyscall.FileLoad;
            int error = isFile ? FileLoad(plan) : LoadSegments(plan, warnings);
            if (error == 0)
            {
                warnings.AddRange(isFile ? plan.FileWarnings : plan.LoadWarnings);
                return _calls.IsCrashKernelLoaded() == false
                    ? throw new KexecException("The kernel took the crash kernel but says that none is loaded: look at its log (dmesg). " + State())
                    : new(call, warnings);
            }

            hasNeither = error == KexecAbi.Enosys && (i == 0 || hasNeither);
            bool hasNext = i + 1 < plan.Order.Count;
            if (!hasNext || !(isFile ? IsForOtherCall(error) : error is KexecAbi.Eperm or KexecAbi.Enosys))
            {
                string why = hasNeither && i > 0 ? Neither : Explain(error, call, plan.System, plan.Kernel.File);
                throw new KexecException($"{(isFile ? "kexec_file_load" : "kexec_load")} failed: {why} {State()}");
            }
        }

        throw new KexecException("There is no system call to load with: leave out -s and -c.");
    }

    /// <summary>Removes the loaded crash kernel.</summary>
    /// <param name="syscall">The system call to use.</param>
    /// <param name="system">For the message; null if it could not be read.</param>
    /// <exception cref="KexecException">The kernel refused.</exception>
    public void Unload(LoadSyscall syscall, RunningSystem? system)
    {
        int error = KexecAbi.Enosys;
        if (syscall != LoadSyscall.Load)
            error = Patient(() => _calls.FileUnload(KexecAbi.FileOnCrash));
        if (syscall == LoadSyscall.Load || (error == KexecAbi.Enosys && syscall != LoadSyscall.FileLoad))
            error = Patient(() => _calls.Load(0, [], KexecAbi.OnCrash));
        if (error != 0)
        {
            string why = error == KexecAbi.Enosys && syscall is not (LoadSyscall.Load or LoadSyscall.FileLoad)
                ? Neither
                : Explain(error, syscall == LoadSyscall.FileLoad ? syscall : LoadSyscall.Load, system, "");
            throw new KexecException($"Unloading failed: {why} {State()}");
        }
    }

    /// <summary>One sentence that says whether a crash kernel is loaded now.</summary>
    public string State() => _calls.IsCrashKernelLoaded() switch
    {
        true => "The crash kernel that was loaded before is still loaded.",
        false => "No crash kernel is loaded now.",
        null => "Whether a crash kernel is loaded now, the kernel does not say.",
    };

    // As kexec-tools: these say that the call or the format is not supported; signature errors are final.
    private static bool IsForOtherCall(int error) => error is KexecAbi.Enosys or KexecAbi.Einval or KexecAbi.Enoexec or KexecAbi.Eopnotsupp;

    private int LoadSegments(LoadPlan plan, List<string> warnings)
    {
        LoadLayout layout = plan.Layout!;
        layout.Validate();
        ulong flags = KexecAbi.OnCrash | Platform.Of(plan.System).LoadFlags;
        if (layout.AllowsHotplug)
        {
            int error = Patient(() => _calls.Load(layout.Entry, layout.Segments, flags | KexecAbi.UpdateElfCoreHeader));
            // An unknown flag: the image loaded before is still there, so try without.
            if (error != KexecAbi.Einval)
                return error;
            warnings.Add("--hotplug is left out: the running kernel does not know it.");
        }

        return Patient(() => _calls.Load(layout.Entry, layout.Segments, flags));
    }

    private int FileLoad(LoadPlan plan)
    {
        byte[] line = plan.FileCommandLine!.ToBytes();
        string? initrdFile = plan.Initrd.Equals(plan.Kernel.EmbeddedInitrd) ? null : plan.Options.InitrdFile;
        int Try(ulong flags) => Patient(() => _calls.FileLoad(plan.Kernel, plan.Initrd, initrdFile, line, flags));
        ulong flags = KexecAbi.FileOnCrash | (plan.Options.ForceDeviceTree ? KexecAbi.FileForceDtb : 0);
        int error = Try(flags | (plan.Options.Debug ? KexecAbi.FileDebug : 0));
        return error == KexecAbi.Einval && plan.Options.Debug ? Try(flags) : error;
    }

    // Another load is under way: udev may start several at once.
    private static int Patient(Func<int> call)
    {
        for (int i = 0; ; i++)
        {
            int error = call();
            if (error != KexecAbi.Ebusy || i == BusyRetries)
                return error;
            Thread.Sleep(100);
        }
    }

    private static string Explain(int error, LoadSyscall call, RunningSystem? system, string kernel)
    {
        bool isFile = call == LoadSyscall.FileLoad;
        return error switch
        {
            KexecAbi.Eperm when system?.IsLoadDisabled == true => "sysctl kernel.kexec_load_disabled is 1, and only a reboot resets it.",
            KexecAbi.Eperm when system?.LoadLimit == 0 => "sysctl kernel.kexec_load_limit_panic is used up, and only a reboot raises it.",
            KexecAbi.Eperm when system?.Lockdown is "integrity" or "confidentiality" && isFile =>
                $"the running kernel is locked down ({system.Lockdown}) and takes only a signed kernel that it trusts: sign {kernel}, or enrol its key.",
            KexecAbi.Eperm when system?.Lockdown is "integrity" or "confidentiality" =>
                $"the running kernel is locked down ({system.Lockdown}), which forbids kexec_load: use -s with a signed kernel.",
            KexecAbi.Eperm => "permission denied: run as root (CAP_SYS_BOOT), outside of containers.",
            KexecAbi.Enosys when isFile => "the running kernel has no such system call: it lacks CONFIG_KEXEC_FILE, load with -c.",
            KexecAbi.Enosys => "the running kernel has no such system call: it lacks CONFIG_KEXEC, load with -s.",
            KexecAbi.Enomem => "the crash kernel's region has no room left: boot with a larger crashkernel=.",
            KexecAbi.Ebusy => "another load, or a resize of the region, is under way: try again.",
            KexecAbi.Eaddrnotavail => "the crash kernel's region is not where /proc/iomem says, it may just have been shrunk: load again.",
            KexecAbi.Enoexec => $"the running kernel does not take {kernel} for a kernel that it can load: "
                + $"give {(system is null ? "another" : Platform.Of(system).KernelFormats)}, or load with -c.",
            // Without its keyring the kernel cannot take a key along; the same number says that nobody has a signature's key.
            KexecAbi.Enokey or KexecAbi.Ekeyexpired or KexecAbi.Ekeyrevoked when isFile && system?.CryptKeys > 0 =>
                $"a key of /sys/kernel/config/crash_dm_crypt_keys is not in root's keyring any more ({Text(error)}): unlock the volume again "
                + $"(Fedora: kdumpctl restart). If it is there, the signature of {kernel} is not trusted: sign it, or enrol its key.",
            KexecAbi.Elibbad or KexecAbi.Ekeyrejected or KexecAbi.Enopkg or KexecAbi.Enokey or KexecAbi.Ebadmsg or KexecAbi.Emsgsize =>
                $"the signature of {kernel} is missing, damaged or not trusted ({Text(error)}): sign it, or enrol its key.",
            _ => $"{Text(error)}; the kernel's log (dmesg) may say more.",
        };
    }

    private static string Text(int error) => string.Create(CultureInfo.InvariantCulture, $"{Marshal.GetPInvokeErrorMessage(error)} (errno {error})");
}
