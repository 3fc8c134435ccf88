using System.CommandLine;
using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Vmcore.Cli.Code;
using Vmcore.Cli.Json;
using Vmcore.Cli.Kexec;
using Vmcore.Kdump;
using Vmcore.Kdump.Configuration;
using Vmcore.Kdump.Estimating;
using Vmcore.Kdump.Installing;
using Vmcore.Kdump.Loading;
using Vmcore.Kexec;

namespace Vmcore.Cli.Kdump;

/// <summary><c>vmcore kdump ACTION</c>: kdump on the machine that may crash. What happens after the crash is init's (<see cref="Init"/>).</summary>
internal sealed class KdumpCommand : Command
{
    private readonly Argument<string[]> _words = new("ACTION")
    {
        Description = "load, unload, status, estimate, test, install, remove, template, or prepare DEVICE: see vmcore-kdump(8).",
        Arity = ArgumentArity.OneOrMore,
    };

    private readonly Option<bool> _json = new("--json") { Description = "With status, estimate and test: write JSON. With load --dry-run: the loader's plan." };
    private readonly Option<bool> _dryRun = new("--dry-run") { Description = "Show what would be done, and do nothing." };
    private readonly Option<bool> _quick = new("--quick") { Description = "With test: do not read all memory to find out how large a dump would be." };
    private readonly Option<bool> _crash = new("--crash") { Description = "With test: crash the machine, after asking." };
    private readonly Option<bool> _yes = new("--yes") { Description = "Do not ask." };

    private readonly Option<string?> _sysroot = new("--sysroot")
    {
        Description = "Read the system from the tree in DIR. Nothing is loaded; install and remove write there.",
        HelpName = "DIR",
    };

    private readonly Option<string?> _executable = new("--executable")
    {
        Description = "The executable that becomes init in the capture kernel; this one if not given.",
        HelpName = "FILE",
    };

    /// <summary>Creates the command.</summary>
    internal KdumpCommand()
        : base("kdump", "Load a crash kernel with an initramfs of vmcore alone, which saves log, dump and report and starts the machine again.")
    {
        Add(_words);
        foreach (Option option in (ReadOnlySpan<Option>)[_json, _dryRun, _quick, _crash, _yes, _sysroot, _executable])
            Add(option);
        SetAction(Run);
    }

    /// <summary>The system calls; others in tests.</summary>
    internal IKexecSyscalls Calls { get; init; } = new KexecSyscalls();

    private int Run(ParseResult parsed)
    {
        string[] words = parsed.GetRequiredValue(_words);
        string sysroot = (parsed.GetValue(_sysroot) ?? "").TrimEnd('/'), executable = parsed.GetValue(_executable) ?? Itself();
        bool isJson = parsed.GetValue(_json), isDryRun = parsed.GetValue(_dryRun);
        if (words.Length > 1 && words[0] != "prepare")
            throw new KdumpException($"kdump: found '{words[1]}' behind {words[0]}, expected nothing.");
        switch (words)
        {
            case ["load"]:
                return Load(sysroot, executable, isDryRun, isJson);
            case ["unload"]:
                return Unload(sysroot, isDryRun);
            case ["status"]:
                return Status(KdumpState.Read(sysroot, executable), isJson);
            case ["estimate"]:
                return Estimate(sysroot, executable, isJson);
            case ["test"] when parsed.GetValue(_crash):
                return Crash(sysroot, executable, parsed.GetValue(_yes));
            case ["test"]:
                // A tree has no memory.
                return Test(KdumpChecks.Run(sysroot, executable, sysroot.Length > 0 || parsed.GetValue(_quick) ? null : DumpEstimate.Input), isJson);
            case ["prepare", { Length: > 0 } device]:
                return Prepare(device, isDryRun, parsed.GetValue(_yes));
            case ["install"]:
                return Install(sysroot, executable, isDryRun);
            case ["remove"]:
                return Show(KdumpInstaller.Remove(sysroot, isDryRun));
            case ["template"]:
                StandardStreams.RequireOutput();
                Console.Out.Write(ConfigurationFile.Template());
                return 0;
            default:
                throw new KdumpException(words[0] == "prepare" ? "kdump prepare: found no device, expected one: 'vmcore kdump prepare /dev/vdb1'."
                    : $"kdump: found '{words[0]}', expected load, unload, status, estimate, test, install, remove, template or prepare.");
        }
    }

    private int Load(string sysroot, string executable, bool isDryRun, bool isJson)
    {
        if (isJson && !isDryRun)
            throw new KdumpException("kdump load: --json is for --dry-run only: add that to see what would be loaded.");
        if (sysroot.Length > 0 && !isDryRun)
            throw new KdumpException("kdump load: --sysroot is for --dry-run only: a captured tree cannot be loaded to.");
        LoadResult result = new KdumpLoader(Calls).Load(sysroot, executable, isDryRun);
        foreach (string warning in result.Warnings)
            Console.Error.WriteLine(TerminalText.Clean($"vmcore kdump: warning: {warning}"));
        if (isJson)
        {
            PlanJson.Write(result.Load, Console.Out);
            return 0;
        }

        Line($"{(isDryRun ? "Would load" : "Loaded")} {result.Plan.Kernel.File} with {result.InitramfsFile} "
            + $"({KdumpChecks.MiB((ulong)result.InitramfsSize)}, {result.Plan.Modules.Count} modules, {(result.IsNew ? "new" : "as before")})");
        foreach (ResolvedTarget target in result.Plan.Targets)
            Line($"  saves to {target.Capture.Title}{(target.Device.Length > 0 ? $" (/dev/{target.Device}, {target.Capture.Device})" : "")}");
        if (isDryRun)
            PlanText.Write(result.Load, Console.Out);
        return 0;
    }

    private int Unload(string sysroot, bool isDryRun)
    {
        if (isDryRun)
        {
            Line("Would unload the crash kernel.");
            return 0;
        }

        if (sysroot.Length > 0)
            throw new KdumpException("kdump unload: --sysroot is for --dry-run only.");
        new KdumpLoader(Calls).Unload();
        return 0;
    }

    private static int Status(KdumpState status, bool isJson)
    {
        if (isJson)
        {
            Json(new StatusAnswer(status));
        }
        else
        {
            Line("crash kernel: " + (status.IsLoaded, status.IsOurs, status.IsCurrent) switch
            {
                (null, _, _) => "the running kernel does not say whether one is loaded",
                (false, _, _) => "not loaded",
                (_, false, _) => "loaded, but not by 'vmcore kdump load'",
                (_, _, false) => "loaded, but not what would be loaded now: 'vmcore kdump load' loads it again",
                (_, _, null) => "loaded; whether it is what would be loaded now cannot be told",
                _ => "loaded, and current",
            });
            Line($"crashkernel=: {KdumpChecks.MiB(status.Reserved)} reserved");
            Line($"targets: {string.Join(", then ", status.Targets)}");
            if (status.Problem is { } problem)
                Line($"problem: {problem}");
        }

        return status is { IsLoaded: true, IsOurs: true, IsCurrent: true } ? 0 : 1;
    }

    private static int Estimate(string sysroot, string executable, bool isJson)
    {
        if (sysroot.Length > 0)
            throw new KdumpException("kdump estimate: a captured tree has no memory: leave --sysroot out.");
        var forecast = KdumpForecast.Make(KdumpPlanner.Plan("", executable), DumpEstimate.Input);
        if (isJson)
        {
            Json(new ForecastAnswer(forecast));
            return 0;
        }

        DumpEstimate dump = forecast.Dump;
        Line($"crashkernel={forecast.MemoryNeeded >> 20}M by estimate, {KdumpChecks.MiB(forecast.MemoryReserved)} reserved now "
            + $"(initramfs {KdumpChecks.MiB((ulong)forecast.Initramfs)})");
        Line(string.Create(CultureInfo.InvariantCulture,
            $"a dump of now: {KdumpChecks.MiB((ulong)dump.Bytes)}, {dump.Pages} of {dump.Memory} pages, "
            + $"{dump.Time.TotalSeconds:F1} s on one CPU besides the target's time"));
        foreach (RoomOfTarget room in forecast.Rooms)
        {
            Line($"{room.Target}: {(room.Room is not { } bytes ? "how much room it has is not known"
                : $"{KdumpChecks.MiB((ulong)bytes)} free{(bytes < dump.Bytes ? ": TOO LITTLE" : "")}")}");
        }

        return 0;
    }

    private static int Test(IReadOnlyList<KdumpCheck> checks, bool isJson)
    {
        if (isJson)
        {
            Json(new ChecksAnswer(checks));
        }
        else
        {
            foreach (KdumpCheck check in checks)
                Line($"{(check.IsRight ? "ok  " : "FAIL")} {check.Name}: {check.Text}");
        }

        return checks.All(static c => c.IsRight) ? 0 : 1;
    }

    private static int Crash(string sysroot, string executable, bool isSure)
    {
        if (sysroot.Length > 0)
            throw new KdumpException("kdump test --crash: a captured tree cannot crash: leave --sysroot out.");
        if (Status(KdumpState.Read("", executable), isJson: false) != 0)
            throw new KdumpException("kdump test --crash: the crash kernel that is to be tested is not loaded: run 'vmcore kdump load' first.");
        if (!isSure && !Agrees("This crashes the machine now: what is not saved is lost. Type CRASH to go on: ", "CRASH"))
            return 1;
        try
        {
            File.WriteAllText("/proc/sys/kernel/sysrq", "1");
            File.WriteAllText("/proc/sysrq-trigger", "s");
            Thread.Sleep(2000);
            File.WriteAllText("/proc/sysrq-trigger", "c");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KdumpException($"The machine cannot be crashed: {e.Message}", e);
        }

        throw new KdumpException("The machine goes on: the kernel has no sysrq (CONFIG_MAGIC_SYSRQ).");
    }

    private static int Install(string sysroot, string executable, bool isDryRun)
    {
        Show(KdumpInstaller.Install(sysroot, executable, isDryRun));
        if (!isDryRun)
            Line("Run 'systemctl daemon-reload' and 'vmcore kdump load', or start the machine again; 'vmcore kdump test' says whether all is right.");
        return 0;
    }

    private static int Prepare(string device, bool isDryRun, bool isSure)
    {
        var place = RawPlace.Look(device);
        string size = KdumpChecks.MiB((ulong)place.Size), has = place.Content.Length == 0 ? "" : $" It has {place.Content} on it.";
        if (place.Area is { } area)
        {
            Line($"{device} is prepared: target = raw UUID={area.Uuid} ({area.State})");
            return 0;
        }

        if (isDryRun)
        {
            Line($"Would make {device}, {size}, a place for dumps.{has}");
            return 0;
        }

        if (!isSure && !Agrees($"Dumps will overwrite all of {device}, {size}.{has} Type {place.Name} to go on: ", place.Name))
            return 1;
        Line($"target = raw UUID={place.Prepare()}");
        return 0;
    }

    // Who is not there cannot agree.
    private static bool Agrees(string question, string word)
    {
        Console.Error.Write(question);
        byte[] answer = new byte[256];
        using var input = new SafeFileHandle(0, ownsHandle: false);
        using var stream = new FileStream(input, FileAccess.Read, bufferSize: 0);
        if (Encoding.UTF8.GetString(answer, 0, stream.Read(answer, 0, answer.Length)).Trim() == word)
            return true;
        Console.Error.WriteLine("Nothing is done.");
        return false;
    }

    private static int Show(IReadOnlyList<string> lines)
    {
        foreach (string line in lines)
            Line(line);
        return 0;
    }

    // The small executable is what an initramfs takes, whichever of the two was called.
    private static string Itself()
    {
        string path = Environment.ProcessPath ?? "/usr/bin/vmcore";
        string small = Path.Combine(Path.GetDirectoryName(path) ?? "/", "vmcore");
        return Path.GetFileName(path) == CodeFeature.Program && File.Exists(small) ? small : path;
    }

    private static void Json(IJsonItem answer)
    {
        JsonText.Write(answer, Console.Out);
        Console.Out.Write('\n');
    }

    private static void Line(string text) => Console.Out.WriteLine(TerminalText.Clean(text));
}
