using Vmcore.Dumping;
using Vmcore.Formats.Flattened;
using Vmcore.IO;

namespace Vmcore.Cli.Makedumpfile;

/// <summary>Opens what a dump is written to.</summary>
internal static class OutputTarget
{
    /// <summary>Opens the targets that the command line names: one, or several of a split dump.</summary>
    /// <param name="options">The command line.</param>
    /// <param name="overwrite">True to write over an existing file even without -f.</param>
    /// <exception cref="FileAccessException">It cannot be written to.</exception>
    internal static IReadOnlyList<IByteSink> OpenAll(MakedumpfileOptions options, bool overwrite)
    {
        if (options.DryRun)
            return options.Split ? [.. options.DumpFiles.Select(_ => new NullSink())] : [new NullSink()];
        if (options.Flattened)
        {
            StandardStreams.RequireOutput();
            if (!Console.IsOutputRedirected)
                throw new FileAccessException("STDOUT", "is a terminal; send the flattened dump to a file or a pipe");
            return [FlattenedSink.ToStandardOutput()];
        }

        if (options.DumpFiles.GroupBy(Path.GetFullPath, StringComparer.Ordinal).FirstOrDefault(static g => g.Skip(1).Any())?.Key is { } twice)
            throw new FileAccessException(twice, "is given for two parts");

        // None is touched if one of them may not be.
        if (!overwrite && !options.Overwrite && options.DumpFiles.FirstOrDefault(static f => FileIdentity.Of(f) is not null) is { } existing)
            throw new FileAccessException(existing, "cannot create: File exists");
        List<IByteSink> sinks = [];
        HashSet<FileIdentity> opened = [];
        try
        {
            foreach (string file in options.DumpFiles)
            {
                sinks.Add(Open(options, file, overwrite || options.Overwrite));
                if (FileIdentity.Of(file) is { IsRegular: true } identity && !opened.Add(identity))
                    throw new FileAccessException(file, "is given for two parts");
            }

            return sinks;
        }
        catch
        {
            foreach (IByteSink sink in sinks)
                sink.Dispose();
            throw;
        }
    }

    /// <summary>Opens a file to write.</summary>
    /// <param name="options">The command line.</param>
    /// <param name="output">The file.</param>
    /// <param name="overwrite">True to write over an existing file even without -f.</param>
    /// <exception cref="FileAccessException">It cannot be written to.</exception>
    internal static IByteSink Open(MakedumpfileOptions options, string output, bool overwrite)
    {
        OwnInput.Refuse(output, options.Inputs, "dump");
        if (FileIdentity.Of(output) is { IsPipe: true })
            throw new FileAccessException(output, "is a pipe or a socket; use -F, which writes to standard output");

        return FileSink.Create(output, overwrite || options.Overwrite);
    }
}
