using System.CommandLine;

namespace Vmcore.Cli.Reader;

/// <summary>How a command line names the dump: by one file, or by all files of a split dump.</summary>
internal sealed class DumpFiles
{
    private const string Formats = "A raw vmcore, or a dump in any format: ELF, kdump-compressed, flattened";

    private readonly Argument<string>? _file;
    private readonly Argument<string[]>? _files;
    private readonly Option<string[]>? _parts;

    /// <summary>Adds the argument to a command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="hasWords">True if other arguments follow: then an option names further files.</param>
    internal DumpFiles(Command command, bool hasWords)
    {
        if (hasWords)
        {
            command.Add(_file = new("FILE") { Description = Formats + "." });
            command.Add(_parts = new("--part") { Description = "Another file of the split dump that FILE is a part of; once for each.", HelpName = "FILE" });
        }
        else
        {
            command.Add(_files = new("FILE") { Description = Formats + "; of a split dump all of its files.", Arity = ArgumentArity.OneOrMore });
        }
    }

    /// <summary>The files, in the order of the command line; at least one.</summary>
    internal IReadOnlyList<string> Of(ParseResult parsed) =>
        _file is not null ? [parsed.GetRequiredValue(_file), .. parsed.GetValue(_parts!) ?? []] : parsed.GetRequiredValue(_files!);
}
