using System.CommandLine;
using System.CommandLine.Parsing;
using Vmcore.Cli.Code;
using Vmcore.Cli.Info;
using Vmcore.Cli.Kdump;
using Vmcore.Cli.Reader;

namespace Vmcore.Cli;

/// <summary>The command <c>vmcore</c>: reads dumps.</summary>
internal static class VmcoreCommand
{
    /// <summary>Exit status where the answer could not be written to standard output: it says nothing of the dump.</summary>
    internal const int NotWritten = 3;

    internal static int Run(string[] args)
    {
        ReaderProgram.TakeOver(args);
        ParseResult parsed = Root().Parse(args);
        if (parsed.Errors.Count == 0 && Mistake(parsed) is { } mistake)
        {
            Console.Error.WriteLine(TerminalText.Clean("vmcore: " + mistake));
            return parsed.CommandResult.Command.Name == VerifyCommand.Name ? VerifyCommand.NotChecked : 1;
        }

        int status = parsed.Invoke(new() { EnableDefaultExceptionHandler = false });
        // A mistake on the command line is nothing that verify has found.
        return status != 0 && parsed.Errors.Count > 0 && parsed.CommandResult.Command.Name == VerifyCommand.Name ? VerifyCommand.NotChecked : status;
    }

    /// <summary>All commands.</summary>
    internal static RootCommand Root()
    {
        var root = new RootCommand("Reads Linux crash dumps, and what they say of persistent memory (pmem). "
            + "Called as makedumpfile, kexec or vmcore-dmesg, or with that name as its first argument, it does what these commands do.")
        {
            new InfoCommand(),
        };
        foreach (Command command in ReaderCommands.All())
            root.Add(command);
        root.Add(new KdumpCommand());
        return root;
    }

    /// <summary>What is wrong with a command line: the parser's first error, or an option that does not exist. Null if nothing is.</summary>
    /// <param name="parsed">The command line.</param>
    internal static string? Mistake(ParseResult parsed)
    {
        if (parsed.Errors.Count > 0)
            return parsed.Errors[0].Message;
        string command = parsed.CommandResult.Command.Name;
        return UnknownOption(parsed) is not { } option ? null
            : $"{command}: there is no option '{option}' ('vmcore {command} --help' lists them; a word that begins with - goes behind --)";
    }

    // What begins with a dash is an option, unless "--" stands before it: no file, task or symbol is meant by it.
    private static string? UnknownOption(ParseResult parsed)
    {
        foreach (Token token in parsed.Tokens)
        {
            if (token.Type == TokenType.DoubleDash)
                return null;
            // A number, or a calculation that begins with a minus, is none.
            if (token is { Type: TokenType.Argument, Value: ['-', _, ..] value } && (char.IsAsciiLetter(value[1]) || value[1] == '-'))
                return value;
        }

        return null;
    }
}
