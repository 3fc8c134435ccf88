using System.CommandLine;
using Vmcore.Opening;

namespace Vmcore.Cli.Reader;

/// <summary>How a command line names the dump: by one file, or by all files of a split dump.</summary>
internal sealed class DumpFiles
{
    private const string Formats = "A raw vmcore, or a dump in any format: ELF, kdump-compressed, flattened, LiME";

    private readonly Argument<string>? _file;
    private readonly Argument<string[]>? _files;
    private readonly Option<string[]> _parts = new("--part")
    {
        Description = "Another file of the split dump that FILE is a part of; once for each.",
        HelpName = "FILE",
    };

    private readonly Option<bool> _raw = new("--raw")
    {
        Description = "Each FILE is a raw image of RAM, given as FILE@ADDRESS: the physical address of its first byte, hexadecimal with 0x.",
    };

    private readonly Option<string?> _vmcoreInfo = new("--vmcoreinfo", "-i")
    {
        Description = "The vmcoreinfo text of the kernel that crashed, for a dump that has none.",
        HelpName = "FILE",
    };

    /// <summary>Adds the argument to a command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="hasWords">True if other arguments follow: then only an option names further files.</param>
    internal DumpFiles(Command command, bool hasWords)
    {
        command.Add(_raw);
        command.Add(_vmcoreInfo);
        if (hasWords)
        {
            command.Add(_file = new("FILE") { Description = Formats + "." });
        }
        else
        {
            command.Add(_files = new("FILE") { Description = Formats + "; of a split dump all of its files.", Arity = ArgumentArity.OneOrMore });
        }

        command.Add(_parts);
    }

    /// <summary>How the files are opened.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="files">Receives the files, in the order of the command line; at least one.</param>
    /// <exception cref="VmcoreException">The file of vmcoreinfo cannot be read, or a raw image has no address.</exception>
    internal CrashDumpOptions Of(ParseResult parsed, out IReadOnlyList<string> files)
    {
        files = Named(parsed);
        ulong[] addresses = [];
        if (_file is not null && parsed.GetResult(_raw) is { IdentifierTokenCount: > 1 })
            throw new VmcoreException("--raw is given once, before FILE@ADDRESS; give the others by --part FILE@ADDRESS");
        if (parsed.GetValue(_raw))
            files = RawImages.Split(files, out addresses);
        string? info = parsed.GetValue(_vmcoreInfo);
        return new()
        {
            RawAddresses = addresses,
            VmcoreInfo = info is null ? null : VmcoreInfoFile.Read(info),
            VmcoreInfoName = info ?? "",
        };
    }

    private IReadOnlyList<string> Named(ParseResult parsed) =>
        [.. _file is not null ? [parsed.GetRequiredValue(_file)] : parsed.GetRequiredValue(_files!), .. parsed.GetValue(_parts) ?? []];
}
