using System.Globalization;
using Vmcore.Dumping;
using Vmcore.Formats.Kdump;
using Vmcore.IO;

namespace Vmcore.Cli.Makedumpfile.Modes;

/// <summary><c>--reassemble</c>: joins the parts of a split dump.</summary>
internal sealed class Reassemble(MakedumpfileOptions options, Messages messages)
{
    /// <summary>Writes the whole dump.</summary>
    /// <returns>The exit status.</returns>
    internal int Run()
    {
        string output = options.Output!;
        using KdumpFile parts = KdumpFile.Open([.. options.Inputs]);
        Reassembler.Check(parts);
        var progress = new ProgressLine(messages) { PageSize = parts.BlockSize };
        ReassemblyReport report;
        using (IByteSink sink = OutputTarget.Open(options, output, overwrite: false))
            report = Reassembler.Write(parts, sink, progress);
        messages.EndDrawing();
        if (report.Lost > 0 || parts.IsIncomplete || parts.HasShrunk)
        {
            messages.Line(MessageKind.Error, string.Create(CultureInfo.InvariantCulture,
                $"The parts are incomplete: {report.Lost} of {report.Pages} pages are not in them. {output} has the others and is marked incomplete."));
            return ExitStatus.Failure;
        }

        messages.Line(MessageKind.Common, $"\nThe dumpfile is saved to {output}.");
        return ExitStatus.Success;
    }
}
