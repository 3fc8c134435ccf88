using System.CommandLine;
using System.CommandLine.Parsing;
using Vmcore.Cli.Info;
using Vmcore.Cli.Json;
using Vmcore.Cli.Reader;
using Vmcore.Opening;

namespace Vmcore.Cli;

/// <summary>The command <c>vmcore</c>: reads dumps.</summary>
internal static class VmcoreCommand
{
    /// <summary>Exit status where the answer could not be written to standard output: it says nothing of the dump.</summary>
    internal const int NotWritten = 3;

    internal static int Run(string[] args)
    {
        var root = new RootCommand("Reads Linux crash dumps, and what they say of persistent memory (pmem). "
            + "Called as makedumpfile, kexec or vmcore-dmesg, or with that name as its first argument, it does what these commands do.")
        {
            Info(),
        };
        foreach (Command command in ReaderCommands.All())
            root.Add(command);
        ParseResult parsed = root.Parse(args);
        if (UnknownOption(parsed) is { } option)
        {
            string command = parsed.CommandResult.Command.Name;
            Console.Error.WriteLine(TerminalText.Clean($"vmcore: {command}: there is no option '{option}' ('vmcore {command} --help' lists them)"));
            return command == VerifyCommand.Name ? VerifyCommand.NotChecked : 1;
        }

        int status = parsed.Invoke(new() { EnableDefaultExceptionHandler = false });
        // A mistake on the command line is nothing that verify has found.
        return status != 0 && parsed.Errors.Count > 0 && parsed.CommandResult.Command.Name == VerifyCommand.Name ? VerifyCommand.NotChecked : status;
    }

    // What begins with a dash is an option, unless "--" stands before it: no file, task or symbol is meant by it.
    private static string? UnknownOption(ParseResult parsed)
    {
        if (parsed.Errors.Count > 0)
            return null;
        foreach (Token token in parsed.Tokens)
        {
            if (token.Type == TokenType.DoubleDash)
                return null;
            if (token is { Type: TokenType.Argument, Value: ['-', _, ..] value } && !char.IsAsciiDigit(value[1]))
                return value;
        }

        return null;
    }

    private static Command Info()
    {
        var json = new Option<bool>("--json") { Description = "Write all of it as JSON." };
        var hash = new Option<bool>("--hash") { Description = "Hash the pmem's metadata however large it is; without it, up to 1 GiB." };
        Option<string?> vmlinux = ReaderCommand.Vmlinux("info"), btf = ReaderCommand.Btf();
        var command = new Command("info", "Show what a dump is and what is in it: the crash, kernel, memory, pmem, page classes.");
        var files = new DumpFiles(command, hasWords: false);
        foreach (Option option in (ReadOnlySpan<Option>)[json, hash, vmlinux, btf])
            command.Add(option);
        command.SetAction(parsed =>
        {
            StandardStreams.RequireOutput();
            CrashDumpOptions options = files.Of(parsed, out IReadOnlyList<string> paths);
            options = Reader.Code.DebugFileSearch.Resolved(options with { Vmlinux = parsed.GetValue(vmlinux), BtfFile = parsed.GetValue(btf) }, paths);
            using CrashDump dump = ReaderContext.Open(paths, options);
            DumpInfo info = InfoCollector.Collect(dump, parsed.GetValue(hash));
            if (!parsed.GetValue(json))
            {
                Console.Out.Write(InfoText.Build(info));
                return 0;
            }

            JsonText.WriteAsMade(info, Console.Out);
            Console.Out.Write('\n');
            return 0;
        });
        return command;
    }
}
