using Vmcore.Findings;
using Vmcore.IO;
using Vmcore.Kernel.Log;

namespace Vmcore.Cli.Dmesg;

/// <summary>
/// The command <c>vmcore-dmesg</c> of kexec-tools: writes the log of a crashed kernel to standard output. It reads every format that Vmcore
/// reads, not ELF alone.
/// </summary>
internal static class VmcoreDmesgCommand
{
    private const string UsageLine = "usage: vmcore-dmesg <kernel core file>, or vmcore-dmesg --raw FILE@ADDRESS...";

    // The exit statuses of kexec-tools.
    private const int WrongUsage = 1;
    private const int CannotOpen = 2;
    private const int Empty = 3;
    private const int NoDump = 4;
    private const int NoLog = 50;
    private const int CannotWrite = 54;
    private const int CannotRead = 65;
    private const int Damaged = 69;

    private const string HelpText = """
        usage: vmcore-dmesg <kernel core file>
               vmcore-dmesg --raw FILE@ADDRESS...    raw images of RAM, with the physical address of the first byte of each (0x...)

        Writes the log of a crashed kernel to standard output. The file is /proc/vmcore or a dump in any format: ELF, kdump-compressed, flattened.

        Exit status: 0 all of the log is written; 1 the command line is wrong; 2 the file cannot be opened; 3 it is empty; 4 it is no dump;
        50 it does not say where the log is; 54 the log cannot be written; 65 or 69 a part of the log is not in the dump, or damaged: the
        rest of it is written.

        """;

    /// <summary>Runs the command.</summary>
    /// <returns>The exit status.</returns>
    internal static int Run(string[] args)
    {
        if (args is ["-h" or "--help"])
        {
            Console.Out.Write(HelpText);
            return 0;
        }

        string[] words = [.. args.Where(static a => a != "--raw")];
        ulong[] addresses = [];
        if (words.Length == 0 || words[0].Length == 0 || (words.Length > 1 && words.Length == args.Length))
        {
            Console.Error.WriteLine(UsageLine);
            return WrongUsage;
        }

        if (words.Length < args.Length)
        {
            try
            {
                words = RawImages.Split(words, out addresses);
            }
            catch (FileAccessException e)
            {
                return Fail(e.Message, WrongUsage);
            }
        }

        string file = words[0];
        FileSource source;
        try
        {
            source = FileSource.Open(file);
        }
        catch (FileAccessException e)
        {
            return Fail(e.Message, CannotOpen);
        }

        if (source.Length == 0)
        {
            source.Dispose();
            return Fail($"{file}: the file is empty", Empty);
        }

        if (addresses.Length > 0)
            source.Dispose();
        CrashDump dump;
        try
        {
            dump = addresses.Length == 0 ? CrashDump.Open(source) : CrashDump.Open(words, new() { RawAddresses = addresses });
        }
        catch (VmcoreException e)
        {
            return Fail(e.Message, NoDump);
        }

        using (dump)
            return Write(dump);
    }

    private static int Write(CrashDump dump)
    {
        foreach (Finding problem in dump.Problems)
            Console.Error.WriteLine(TerminalText.Clean(problem.ToString()));
        if (dump.Kernel is null)
            return Fail(dump.ClassificationProblem?.ToString() ?? $"{dump.Name}: no kernel", NoLog);
        if (KernelLog.TryOpen(dump.Kernel.VmcoreInfo, dump.Kernel.Memory, out string? missing) is not { } log)
            return Fail($"{dump.Name}: {missing}", NoLog);
        try
        {
            StandardStreams.RequireOutput();
            using DescriptorStream output = StandardStream.OpenOutput();
            var writer = new LogTextWriter(output, LogTextStyle.VmcoreDmesg);
            foreach (LogRecord record in log.Read())
                writer.Write(record);
            writer.Flush();
            output.Sync("STDOUT");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FileAccessException)
        {
            return Fail($"Failed to write out the dmesg log buffer!: {e.Message}", CannotWrite);
        }

        foreach (Finding problem in log.Problems)
            Console.Error.WriteLine(TerminalText.Clean($"{dump.Name}: {problem}"));
        return log.Lost == 0 ? 0
            : Fail($"{dump.Name}: {log.Lost} messages or pieces of the log could not be read; the others are written",
                log.IsDamaged ? Damaged : CannotRead);
    }

    private static int Fail(string message, int status)
    {
        Console.Error.WriteLine(TerminalText.Clean(message));
        return status;
    }
}
