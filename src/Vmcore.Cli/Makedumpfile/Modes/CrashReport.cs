using Vmcore.Cli.Info;
using Vmcore.Cli.Reader;
using Vmcore.Cli.Reader.Report;
using Vmcore.IO;

namespace Vmcore.Cli.Makedumpfile.Modes;

/// <summary>
/// <c>--report</c>: the report of the crash beside the dump. The dump is on its target before the report is begun, and whatever goes wrong with the report
/// is said and changes nothing: neither the dump nor the exit status.
/// </summary>
internal static class CrashReport
{
    /// <summary>What was written.</summary>
    /// <param name="IsWanted">False if somebody asked the run to stop.</param>
    /// <param name="File">The dump, of a split one the first file.</param>
    /// <param name="Format"><c>elf</c> or <c>kdump</c>.</param>
    /// <param name="Flattened">True for a flattened stream.</param>
    /// <param name="Level">The dump level.</param>
    /// <param name="Compression">Of a kdump-compressed file.</param>
    /// <param name="Incomplete">True if something is missing of it.</param>
    internal sealed record Written(bool IsWanted, string File, string Format, bool Flattened, int Level, string? Compression, bool Incomplete);

    /// <summary>Writes the report.</summary>
    /// <param name="dump">What was dumped.</param>
    /// <param name="options">The command line.</param>
    /// <param name="messages">Where to say how it went.</param>
    /// <param name="file">The file to write.</param>
    /// <param name="written">The dump that was written.</param>
    internal static void Write(CrashDump dump, MakedumpfileOptions options, Messages messages, string file, Written written)
    {
        string why;
        try
        {
            if (written.IsWanted)
            {
                // Who opens a pipe waits for its reader, perhaps for ever.
                if (FileIdentity.Of(file) is { IsPipe: true })
                    throw new FileAccessException(file, "is a pipe");
                OwnInput.Refuse(file, options.Inputs, "report");
                Save(file, options.Overwrite, Build(dump, file, written));
                messages.Line(MessageKind.Common, $"The report is saved to {file}.");
                return;
            }

            why = "it was asked to stop";
        }
        catch (Exception e) when (e is VmcoreException or IOException or UnauthorizedAccessException)
        {
            why = e.Message;
        }
#pragma warning disable CA1031 // The dump is there: nothing that goes wrong now may make it look as if it were not.
        catch (Exception e)
        {
            why = $"internal error: {e.GetType().Name}: {e.Message}; please report it";
        }
#pragma warning restore CA1031
        messages.Line(MessageKind.Error, $"The report {file} is not written: {why}. The dump has nothing to do with that.");
    }

    private static byte[] Build(CrashDump dump, string file, Written written)
    {
        using var context = new ReaderContext(dump);
        ReportAnswer report = new ReportCollector(dump, context.Gap).Collect(ReportCollector.UsualMessages);
        if (report.Dump is { All: var read } state)
        {
            DumpInfo now = read with
            {
                Format = written.Format,
                Flattened = written.Flattened,
                DumpLevel = written.Level,
                Compression = written.Compression,
                Incomplete = written.Incomplete || read.Incomplete,
            };
            report = report with { Dump = state with { All = now } };
        }

        report = report with { Command = "report", File = written.File, GapsOf = () => context.Gaps };
        return ReportFile.Build(report, context.Gaps, new(ReportFile.FormOf(file), Redact: false, ReportCollector.UsualMessages), TextStyle.Plain);
    }

    private static void Save(string file, bool overwrite, byte[] report)
    {
        using FileSink sink = FileSink.Create(file, overwrite);
        sink.Write(0, report);
        sink.Complete(report.Length);
    }
}
