using Vmcore.Dumping;
using Vmcore.Formats.Flattened;
using Vmcore.IO;

namespace Vmcore.Cli.Makedumpfile;

/// <summary>Opens what a dump is written to.</summary>
internal static class OutputTarget
{
    /// <summary>Opens the target that the command line names.</summary>
    /// <param name="options">The command line.</param>
    /// <param name="overwrite">True to write over an existing file even without -f.</param>
    /// <exception cref="FileAccessException">It cannot be written to.</exception>
    internal static IByteSink Open(MakedumpfileOptions options, bool overwrite)
    {
        if (options.DryRun)
            return new NullSink();
        if (options.Flattened)
        {
            if (!Console.IsOutputRedirected)
                throw new FileAccessException("STDOUT", "is a terminal; send the flattened dump to a file or a pipe");
            return FlattenedSink.ToStandardOutput();
        }

        return Open(options, options.Output!, overwrite);
    }

    /// <summary>Opens a file to write.</summary>
    /// <param name="options">The command line.</param>
    /// <param name="output">The file.</param>
    /// <param name="overwrite">True to write over an existing file even without -f.</param>
    /// <exception cref="FileAccessException">It cannot be written to.</exception>
    internal static IByteSink Open(MakedumpfileOptions options, string output, bool overwrite)
    {
        // Overwriting the input would destroy the only copy there is.
        if (FileIdentity.Of(output) is { } target)
        {
            if (options.Inputs.Any(input => target == FileIdentity.Of(input)))
                throw new FileAccessException(output, "is the input itself; give another name for the dump");
            if (target.IsPipe)
                throw new FileAccessException(output, "is a pipe or a socket; use -F, which writes to standard output");
        }

        return FileSink.Create(output, overwrite || options.Overwrite);
    }
}
