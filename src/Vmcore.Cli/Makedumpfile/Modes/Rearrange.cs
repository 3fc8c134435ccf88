using Vmcore.Formats.Flattened;
using Vmcore.IO;

namespace Vmcore.Cli.Makedumpfile.Modes;

/// <summary><c>-R</c>: puts a flattened stream from standard input together to a file.</summary>
internal sealed class Rearrange(MakedumpfileOptions options, Messages messages)
{
    /// <summary>Writes the file.</summary>
    /// <returns>The exit status.</returns>
    internal int Run()
    {
        const string Input = "/dev/stdin";
        if (!Console.IsInputRedirected)
            throw new FileAccessException("STDIN", "is a terminal; send the flattened stream from a file or a pipe");
        string output = options.Output!;
        OwnInput.Refuse(output, [Input], "dump");
        using Stream stream = StandardStream.OpenInput();
        using IByteSink sink = OutputTarget.Open(options, output, overwrite: false);
        try
        {
            FlattenedRearranger.Rearrange(stream, "STDIN", sink);
        }
        catch (DumpFormatException e)
        {
            // A dump whose end is lost is still worth reading.
            string rest = sink.BytesWritten > 0 ? $"What came before is in {output}." : "Nothing is written.";
            messages.Line(MessageKind.Error, $"{e.Message}\nThe stream is truncated or damaged. {rest}");
            return ExitStatus.Failure;
        }

        messages.Line(MessageKind.Common, $"\nThe dumpfile is saved to {output}.");
        return ExitStatus.Success;
    }
}
