using System.Diagnostics;
using System.Globalization;
using Vmcore.Fuzz.Targets;
using Vmcore.Testing;

namespace Vmcore.Fuzz;

/// <summary>
/// Runs the targets, each in a process of its own: a stack that overflows or a hang ends that process alone, and the number of the input at work is known.
/// </summary>
internal static class Program
{
    // What the runtime may manage: what a target holds itself, and 200 MB for an input.
    private const long HeapLimit = 320L << 20;
    private const long FirstGeneration = 32L << 20;
    private const int MostFindings = 20;

    private static int Main(string[] args)
    {
        if (FuzzOptions.Parse(args) is not { } options)
        {
            Console.Error.WriteLine(FuzzOptions.Usage);
            return 2;
        }

        List<FuzzTarget> all = [.. All(options)], chosen = [.. all.Where(t => options.Targets.Count == 0 || options.Targets.Contains(t.Name))];
        if (options.List || chosen.Count == 0 || options.Targets.Except(all.Select(static t => t.Name)).Any())
        {
            Console.WriteLine(string.Join('\n', all.Select(static t => t.Name)));
            return options.List ? 0 : 2;
        }

        return options.State is { } state ? Child(chosen[0], options, state) : Parent(chosen, options);
    }

    private static IEnumerable<FuzzTarget> All(FuzzOptions options) =>
    [
        .. Parsers.All(), new MachineTarget(), new MemoryTarget(options.Dump), new KexecTarget(isImage: true, null),
        new KexecTarget(isImage: false, options.Sysroots),
        new ExecutableTarget(options.Executable),
    ];

    private static int Parent(List<FuzzTarget> targets, FuzzOptions options)
    {
        int findings = 0;
        long inputs = 0;
        foreach (FuzzTarget target in targets)
        {
            if (target.Missing is { } why)
            {
                Console.WriteLine($"{target.Name,-12} left out: {why}");
                continue;
            }

            string state = Path.Combine(Scratch.Folder, "state");
            FuzzOptions rest = options;
            while (findings < MostFindings)
            {
                File.WriteAllText(state, "");
                int status = RunChild(target, rest, state);
                string[] said = File.ReadAllText(state).Split(' ', StringSplitOptions.RemoveEmptyEntries);
                int seed = said.Length > 0 ? int.Parse(said[0], CultureInfo.InvariantCulture) : rest.Seed;
                inputs += seed - rest.Seed + 1;
                if (status == 0)
                    break;
                findings++;
                string what = status switch
                {
                    1 => "a fault, named above",
                    Watchdog.Hang => $"more than {Watchdog.MostSeconds} s of CPU",
                    Watchdog.Memory => $"more than {Watchdog.MostMemory >> 20} MB of memory",
                    _ => $"the process ended with {status}",
                };
                Console.WriteLine($"FAULT {target.Name} --seed {seed}: {what}");

                // On with the next input, within what was asked for.
                long left = options.Inputs == long.MaxValue ? target.ShortInputs : options.Inputs;
                left -= seed + 1 - options.Seed;
                if (left <= 0 || !double.IsPositiveInfinity(options.Seconds))
                    break;
                rest = rest with { Seed = seed + 1, Inputs = left };
            }
        }

        Console.WriteLine($"{inputs} inputs, {findings} faults");
        return findings == 0 ? 0 : 1;
    }

    private static int RunChild(FuzzTarget target, FuzzOptions options, string state)
    {
        string host = Environment.ProcessPath!;
        bool isDotnet = Path.GetFileNameWithoutExtension(host) == "dotnet";
        var start = new ProcessStartInfo(host, [.. isDotnet ? [typeof(Program).Assembly.Location] : Array.Empty<string>(), .. options.For(target.Name, state)])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
        };
        start.Environment["DOTNET_GCHeapHardLimit"] = "0x" + HeapLimit.ToString("x", CultureInfo.InvariantCulture);
        // Each input takes and drops some megabytes: memory that is given back is taken again, page by page.
        start.Environment["DOTNET_GCRetainVM"] = "1";
        start.Environment["DOTNET_GCgen0size"] = "0x" + FirstGeneration.ToString("x", CultureInfo.InvariantCulture);
        using Process process = Process.Start(start)!;
        bool leaks = LooksForMarks(process.StandardOutput.BaseStream);
        process.WaitForExit();
        if (leaks)
            Console.WriteLine($"{target.Name}: user data of pmem on the standard output");
        return leaks && process.ExitCode == 0 ? 1 : process.ExitCode;
    }

    private static bool LooksForMarks(Stream output)
    {
        const int Piece = 1 << 16, Keep = 64;
        byte[][] marks = [.. ((string[])[PageText.PmemCanary, PageText.PmemStale]).Select(System.Text.Encoding.ASCII.GetBytes)];
        byte[] buffer = new byte[Piece + Keep];
        int kept = 0;
        bool found = false;
        for (int read; (read = output.Read(buffer, kept, Piece)) > 0;)
        {
            int length = kept + read;
            found |= Array.Exists(marks, m => buffer.AsSpan(0, length).IndexOf(m) >= 0);
            kept = Math.Min(Keep, length);
            buffer.AsSpan(length - kept, kept).CopyTo(buffer);
        }

        return found;
    }

    private static int Child(FuzzTarget target, FuzzOptions options, string state)
    {
        // What a command writes to the standard output itself, the log as it is, goes to the parent, which looks at it.
        TextWriter report = Console.Error;
        using FileStream file = new(state, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        target.Prepare();
        var clock = Stopwatch.StartNew();
        long most = options.Inputs != long.MaxValue ? options.Inputs : double.IsPositiveInfinity(options.Seconds) ? target.ShortInputs : long.MaxValue;
        long refused = 0, done = 0;
        using var watchdog = new Watchdog(report);
        for (; done < most && clock.Elapsed.TotalSeconds < options.Seconds; done++)
        {
            int seed = options.Seed + (int)done;
            file.Position = 0;
            file.Write(System.Text.Encoding.ASCII.GetBytes($"{seed,-12}"));
            watchdog.Next();
            try
            {
                target.Run(new(seed));
            }
            catch (VmcoreException e) when (!string.IsNullOrWhiteSpace(e.Message))
            {
                refused++;
            }
#pragma warning disable CA1031 // Whatever else is thrown is what is looked for.
            catch (Exception e)
#pragma warning restore CA1031
            {
                report.WriteLine($"{target.Name} --seed {seed}: {e}");
                return 1;
            }
        }

        watchdog.Next();
        report.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{target.Name,-12} {done,10} inputs, {refused} refused as a whole; "
            + $"{clock.Elapsed.TotalSeconds:0} s, at most {watchdog.Slowest:0.0} s of CPU and {Math.Max(watchdog.Peak, 0) >> 20} MB for one"));
        return 0;
    }
}
