using System.CommandLine;
using System.CommandLine.Parsing;
using Vmcore.Cli.Code;
using Vmcore.Cli.Json;

namespace Vmcore.Cli.Reader.Exec;

/// <summary><c>vmcore exec FILE [COMMANDS…]</c>: many commands, one opening of the dump.</summary>
internal sealed class ExecCommand
{
    // What the dump is, and how it is described, was said when it was opened.
    private static readonly string[] s_openings = ["--raw", "--vmcoreinfo", "--part", "--vmlinux", "--btf"];

    private readonly ReaderContext _context;
    private readonly bool _isText;
    private readonly RootCommand _root = VmcoreCommand.Root();
    private readonly TextWriter _output = Console.Out;
    private readonly TextWriter _errors = Console.Error;
    private readonly OneLineWriter _answer = new();

    private ExecCommand(ReaderContext context, bool isText) => (_context, _isText) = (context, isText);

    internal static Command Create()
    {
        var files = new Argument<string[]>("COMMANDS")
        {
            Description = "Files of commands, one a line: a command of vmcore, its options and words, without the dump. Quotes and # as in a shell. "
                + "Without a file, or for -, standard input.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var text = new Option<bool>("--text") { Description = "Write the answers as text, each behind its command. Without it, a line of JSON for each." };
        return new ReaderCommand("exec", "Run many commands on a dump that is opened once. The exit status is the worst of theirs.", context =>
        {
            if (!CodeFeature.IsIncluded)
                return CodeFeature.Refuse("exec");
            bool isText = context.Parsed.GetValue(text);
            if (isText && context.IsJson)
                throw new VmcoreException("exec: --json and --text are two forms of one answer: ask for one");
            return new ExecCommand(context, isText).Run(context.Parsed.GetValue(files) is { Length: > 0 } named ? named : [CommandLines.StandardInput]);
        }, hasWords: true) { files, text };
    }

    private int Run(string[] files)
    {
        // Before the first command: where there is no dump none of them is tried.
        CrashDump dump = _context.Dump;
        int worst = 0;
        foreach (string file in files)
        {
            int number = 0;
            foreach (string? line in CommandLines.Of(file, dump.Limits.CommandBytes))
            {
                number++;
                string? problem = $"the line has more than {dump.Limits.CommandBytes} bytes";
                List<string> words = line is null ? [] : CommandWords.Of(line, out problem);
                if (line?.Contains('\0', StringComparison.Ordinal) == true)
                    (words, problem) = ([], "the line has a NUL byte: commands are text");
                if (words.Count > 0 || problem is not null)
                    worst = Math.Max(worst, Run(dump, new(file, number, line?.Trim() ?? ""), words, problem));
                if (StandardStreams.IsAbandoned)
                    return worst;
            }
        }

        return worst;
    }

    // One command; whatever becomes of it, the next one has its turn.
    private int Run(CrashDump dump, ExecLine line, List<string> words, string? problem)
    {
        using var messages = new StringWriter(System.Globalization.CultureInfo.InvariantCulture);
        if (_isText)
            _output.Write(_context.Style.Bold(TerminalText.Clean("> " + line.Command)) + "\n");
        else
            Redirect(_answer, messages);
        try
        {
            line.Status = problem is null ? Run(dump, words) : throw new VmcoreException(problem);
        }
        catch (VmcoreException e)
        {
            line.Error = e.Message;
        }
        catch (OutOfMemoryException)
        {
            line.Error = "not enough memory";
        }
#pragma warning disable CA1031 // A command that fails ends no others. Where the answers cannot be written, nothing goes on.
        catch (Exception e) when (e is not (IOException or UnauthorizedAccessException))
        {
            line.Error = $"internal error: {e.GetType().Name}: {e.Message}; please report it with the command";
        }
#pragma warning restore CA1031
        finally
        {
            Redirect(_output, _errors);
        }

        if (line.Error is not null)
            line.Status = Math.Max(line.Status, 1);
        if (_isText)
        {
            if (line.Error is not null)
                ReaderContext.Warn($"{line.File}: line {line.Number}: {line.Error}");
            _output.Write("\n");
        }
        else
        {
            line.Messages = messages.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Write(line);
        }

        _output.Flush();
        _answer.Clear();
        return line.Status;
    }

    private int Run(CrashDump dump, List<string> words)
    {
        string name = words[0];
        Command? command = _root.Subcommands.FirstOrDefault(c => c.Name == name) ?? throw new VmcoreException($"there is no command '{name}'");
        if (command is not IDumpReader reader || name == "exec")
            throw new VmcoreException($"{name}: it is not of one dump that is open, so that it cannot be run here");

        // Where the command wants its file something stands that is opened by nobody.
        ParseResult parsed = _root.Parse([name, name, .. words.Skip(1)], new() { ResponseFileTokenReplacer = null });
        if (VmcoreCommand.Mistake(parsed) is { } mistake)
            throw new VmcoreException(mistake);
        if (parsed.Action != command.Action)
            throw new VmcoreException($"{name}: help is not given here: vmcore {name} --help");
        if (parsed.GetResult("FILE") is { Tokens.Count: > 1 })
            throw new VmcoreException($"{name}: found '{parsed.GetResult("FILE")!.Tokens[1].Value}', expected no file: the dump is the one that is open");
        foreach (string opening in s_openings)
        {
            if (IsGiven(parsed, opening))
                throw new VmcoreException($"{name}: {opening} is for who opens the dump: give it to exec");
        }

        if (IsGiven(parsed, "--output"))
            throw new VmcoreException($"{name}: no files are written here: leave out --output");
        return reader.Answer(parsed, dump, !_isText || IsGiven(parsed, "--json"), _context.Style);
    }

    private static bool IsGiven(ParseResult parsed, string option) => parsed.GetResult(option) is OptionResult { Implicit: false };

    private static void Redirect(TextWriter output, TextWriter errors)
    {
        Console.SetOut(output);
        Console.SetError(errors);
    }

    // What a command wrote before it failed is no answer.
    private void Write(ExecLine line)
    {
        string head = JsonText.BuildLine(line);
        _output.Write(head.AsSpan(0, head.Length - "}\n".Length));
        _output.Write(",\"answer\":");
        if (line.Error is null && !_answer.IsEmpty)
            _answer.CopyTo(_output);
        else
            _output.Write("null");
        _output.Write("}\n");
    }
}

/// <summary>What a line of JSON says of a command, beside its answer.</summary>
/// <param name="file">The file of commands; <c>-</c> for standard input.</param>
/// <param name="number">Number of the line in it, from 1.</param>
/// <param name="command">The command as it stands there.</param>
internal sealed class ExecLine(string file, int number, string command) : IJsonItem
{
    internal string File { get; } = file;

    internal int Number { get; } = number;

    internal string Command { get; } = command;

    /// <summary>What its exit status would be by itself.</summary>
    internal int Status { get; set; }

    /// <summary>Why there is no answer; null if there is one.</summary>
    internal string? Error { get; set; }

    /// <summary>What it said on standard error.</summary>
    internal IReadOnlyList<string> Messages { get; set; } = [];

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(1, "schema");
        json.Put(File, "commands");
        json.Put(Number, "line");
        json.Put(Command);
        json.Put(Status);
        json.Put(Error);
        json.Put(Messages);
    }
}
