using System.Globalization;
using Vmcore.Kexec;
using Vmcore.Ranges;

namespace Vmcore.Cli.Kexec;

/// <summary>The crash loader, with the options and exit statuses of kexec-tools' crash path.</summary>
internal static class KexecCommand
{
    // kexec-tools: a request that it does not understand ends with 1, a load or unload that fails with -1.
    private const int Refused = 1;
    private const int Failed = 255;

    /// <summary>Runs the command.</summary>
    /// <param name="args">The arguments without the program's name.</param>
    /// <param name="output">Standard output.</param>
    /// <param name="error">Standard error.</param>
    /// <returns>The exit status.</returns>
    internal static int Run(string[] args, TextWriter output, TextWriter error) => Run(args, output, error, new KexecSyscalls());

    /// <summary>Runs the command with other system calls.</summary>
    internal static int Run(string[] args, TextWriter output, TextWriter error, IKexecSyscalls calls)
    {
        try
        {
            if (KexecOptions.Parse(args, out KexecOptions options) is { } fault)
            {
                error.WriteLine(TerminalText.Clean($"kexec: {fault}"));
                error.WriteLine("Try 'kexec --help' for more information.");
                return Refused;
            }

            // Where kexec-tools is installed beside us, reboots are its job; it alone can say what is wrong with such a request.
            if (calls is KexecSyscalls && IsForReboot(options))
                RebootKexec.BecomeIfThere(args);
            return Run(options, output, error, calls);
        }
        catch (KexecException e)
        {
            error.WriteLine(TerminalText.Clean($"kexec: {e.Message}"));
            return e.ExitStatus;
        }
        catch (VmcoreException e)
        {
            error.WriteLine(TerminalText.Clean($"kexec: {e.Message}"));
            return Failed;
        }
    }

    private static int Run(KexecOptions options, TextWriter output, TextWriter error, IKexecSyscalls calls)
    {
        string? sysroot = options.Value("sysroot");
        if (options.Has("h"))
        {
            KexecHelp.Write(output);
            return 0;
        }

        if (options.Has("v"))
        {
            output.WriteLine($"vmcore-kexec {typeof(KexecCommand).Assembly.GetName().Version?.ToString(3)}");
            return 0;
        }

        if (options.Has("print-ckr-size"))
            return PrintRegionSize(sysroot, output);
        if (options.Has("S"))
            return Status(sysroot, options, error);
        if (RebootOption(options) is { } reboot)
        {
            error.WriteLine($"kexec: {reboot} is for a normal reboot, and this kexec loads crash kernels only (-p): use the kexec of kexec-tools for it.");
            return Refused;
        }

        if (options.Has("u"))
            return Unload(sysroot, options, output, calls);
        if (options.Has("p") || options.Has("dry-run"))
            return Load(sysroot, options, output, error, calls);
        error.WriteLine("kexec: Nothing to do: give -p to load a crash kernel, -u to unload it, or -S to ask for it.");
        error.WriteLine("Try 'kexec --help' for more information.");
        return Refused;
    }

    // Unloading without -p drops the kernel that is loaded for a reboot.
    private static bool IsForReboot(KexecOptions options) =>
        !options.Has("h") && !options.Has("v") && !options.Has("S") && !options.Has("print-ckr-size")
        && (RebootOption(options) is not null || (options.Has("u") && !options.Has("p") && !options.Has("dry-run")));

    private static string? RebootOption(KexecOptions options) => options switch
    {
        _ when options.Has("l") => "-l (--load)",
        _ when options.Has("e") => "-e (--exec)",
        _ when options.Has("f") => "-f (--force)",
        _ when options.Has("reboot") || options.Has("reboot-value") => "--load-preserve-context, --load-jump-back-helper, --entry or --...-live-update",
        // Without -p kexec-tools loads a kernel for a reboot and starts it.
        _ when options.Operands.Count > 0 && !options.Has("p") && !options.Has("u") && !options.Has("dry-run") => "A kernel without -p (--load-panic)",
        _ => null,
    };

    private static int PrintRegionSize(string? sysroot, TextWriter output)
    {
        IReadOnlyList<PhysicalRange> regions = RunningSystemReader.ReadIomem(sysroot).CrashRegions;
        output.WriteLine((regions.Count == 0 ? 0 : regions[^1].Length).ToString(CultureInfo.InvariantCulture));
        return 0;
    }

    // 1 if it is loaded, 0 if not: the other way round than one expects, but scripts rely on it.
    private static int Status(string? sysroot, KexecOptions options, TextWriter error)
    {
        bool panic = options.LastOf("l", "p", "f") is null or "p";
        if (RunningSystemReader.IsLoaded(sysroot, panic) is { } loaded)
            return loaded ? 1 : 0;
        error.WriteLine($"kexec: The running kernel does not say whether a {(panic ? "crash " : "")}kernel is loaded: "
            + "use one with CONFIG_KEXEC and mount /sys.");
        return Failed;
    }

    private static int Unload(string? sysroot, KexecOptions options, TextWriter output, IKexecSyscalls calls)
    {
        if (options.Has("dry-run"))
        {
            output.WriteLine("Would unload the crash kernel.");
            return 0;
        }

        if (!string.IsNullOrEmpty(sysroot))
            throw new KexecException("--sysroot is for --dry-run only: a captured tree cannot be loaded to.", Refused);
        new CrashLoader(calls).Unload(Syscall(options), TryRead());
        return 0;
    }

    private static RunningSystem? TryRead()
    {
        try
        {
            return RunningSystemReader.Read();
        }
        catch (KexecException)
        {
            // Unloading works without; it only explains less.
            return null;
        }
    }

    private static int Load(string? sysroot, KexecOptions options, TextWriter output, TextWriter error, IKexecSyscalls calls)
    {
        bool isDryRun = options.Has("dry-run");
        // Who asks for JSON means to look, not to load.
        if (options.Has("json") && !isDryRun)
            throw new KexecException("--json is for --dry-run only: add that to see what would be loaded.", Refused);
        if (!string.IsNullOrEmpty(sysroot) && !isDryRun)
            throw new KexecException("--sysroot is for --dry-run only: a captured tree cannot be loaded to.", Refused);
        if (isDryRun)
        {
            LoadPlan shown = Plan(sysroot, options, isDryRun, error);
            if (options.Has("json"))
                PlanJson.Write(shown, output);
            else
                PlanText.Write(shown, output);
            return 0;
        }

        var loader = new CrashLoader(calls);
        LoadPlan plan;
        try
        {
            plan = Plan(sysroot, options, isDryRun, error);
        }
        catch (KexecException e) when (calls.IsCrashKernelLoaded() is not null)
        {
            // Nothing was touched yet, but who reads the message wants to know.
            throw new KexecException($"{e.Message} {loader.State()}", e.ExitStatus, e);
        }

        if (options.Has("d"))
            PlanText.Write(plan, output);
        LoadOutcome outcome = loader.Load(plan);
        foreach (string warning in outcome.Warnings)
            error.WriteLine($"kexec: warning: {warning}");
        if (options.Has("d"))
            output.WriteLine($"Loaded by {(outcome.Syscall == LoadSyscall.FileLoad ? "kexec_file_load" : "kexec_load")}.");
        return 0;
    }

    private static LoadPlan Plan(string? sysroot, KexecOptions options, bool isDryRun, TextWriter error)
    {
        LoadOptions load = KexecRequest.Read(options, sysroot, isDryRun, error);
        // As kexec-tools: without reserved memory nothing else matters.
        if (RunningSystemReader.ReadShownIomem(sysroot).CrashRegions.Count == 0)
            throw LoadPlanner.NoRegion();
        if (options.Operands.Count == 0)
            throw new KexecException("No kernel specified: name the capture kernel, usually /boot/vmlinuz-RELEASE.");

        KernelImage kernel;
        ReadOnlyMemory<byte> initrd;
        try
        {
            kernel = KernelFile.Open(options.Operands[0], RunningSystemReader.Recognise(sysroot));
            initrd = load.InitrdFile is null ? default : KernelFile.ReadInitramfs(load.InitrdFile);
        }
        catch (KexecException e) when (options.LastOf("s", "c", "a") is "s" or "a")
        {
            // kexec-tools does not read the files itself then, and ends as for a refused system call.
            throw new KexecException(e.Message, Failed, e);
        }

        return LoadPlanner.Plan(RunningSystemReader.Read(sysroot, kernel), kernel, initrd, load);
    }

    /// <summary>The system call that the options ask for: the last of them counts.</summary>
    internal static LoadSyscall Syscall(KexecOptions options) => options.LastOf("s", "c", "a") switch
    {
        "s" => LoadSyscall.FileLoad,
        "c" => LoadSyscall.Load,
        // -a asks for whatever works, and so does who gives nothing: SUSE's service ends each command line with it.
        _ => LoadSyscall.Best,
    };
}
