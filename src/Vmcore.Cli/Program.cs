using Vmcore.Cli.Dmesg;
using Vmcore.Cli.Kdump;
using Vmcore.Cli.Kexec;
using Vmcore.Cli.Makedumpfile;

namespace Vmcore.Cli;

/// <summary>The entry point: what the executable does follows the name it was called by.</summary>
internal static class Program
{
    private static int Main(string[] args)
    {
        Init.RestartIfFirst();
        StandardStreams.Fill();
        StandardStreams.UsePlainWriters();
        StandardStreams.IgnoreFileSizeSignal();
        Init.BecomeIfFirst();
        string name = CalledAs();
        if (name is not ("makedumpfile" or "kexec" or "vmcore-dmesg"))
        {
            if (args.Length > 0 && args[0] is "makedumpfile" or "kexec" or "vmcore-dmesg")
            {
                name = args[0];
                args = args[1..];
            }
            else
            {
                name = "vmcore";
            }
        }

        try
        {
            return Run(name, args);
        }
        catch (VmcoreException e)
        {
            Complain(name, e.Message);
            return name == "vmcore" && StandardStreams.HasRefused ? VmcoreCommand.NotWritten : 1;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The console itself is gone or full. For vmcore that is no word on the dump.
            Complain(name, e.Message);
            return name == "vmcore" ? VmcoreCommand.NotWritten : 1;
        }
        catch (OutOfMemoryException)
        {
            Complain(name, "not enough memory");
        }
#pragma warning disable CA1031 // No stack trace ever reaches a user.
        catch (Exception e)
        {
            Complain(name, $"internal error: {e.GetType().Name}: {e.Message}; please report it with the command line");
        }
#pragma warning restore CA1031
        return 1;
    }

    private static int Run(string name, string[] args) => name switch
    {
        "makedumpfile" => MakedumpfileCommand.Run(args),
        "kexec" => KexecCommand.Run(args, Console.Out, Console.Error),
        "vmcore-dmesg" => VmcoreDmesgCommand.Run(args),
        _ => VmcoreCommand.Run(args),
    };

    private static void Complain(string name, string message)
    {
        try
        {
            Console.Error.WriteLine(TerminalText.Clean($"{name}: {message}"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Nobody is listening; the exit status still says it.
        }
    }

    private static string CalledAs()
    {
        string[] line = Environment.GetCommandLineArgs();
        return line.Length > 0 ? Path.GetFileName(line[0]) : "";
    }
}
