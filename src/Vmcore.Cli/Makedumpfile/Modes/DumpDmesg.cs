using Vmcore.Findings;
using Vmcore.IO;
using Vmcore.Kernel.Log;

namespace Vmcore.Cli.Makedumpfile.Modes;

/// <summary><c>--dump-dmesg</c>: writes the crashed kernel's log.</summary>
internal sealed class DumpDmesg(MakedumpfileOptions options, Messages messages)
{
    /// <summary>Writes the log.</summary>
    /// <returns>The exit status.</returns>
    internal int Run()
    {
        if (options.Output is null)
            StandardStreams.RequireOutput();
        using CrashDump? dump = InputDump.Open(options, messages);
        if (dump is null)
            return ExitStatus.WrongRelease;
        if (messages.Shows(MessageKind.Debug))
            messages.Write(MessageKind.Debug, DebugText.Notes(dump) + "\n");
        if (dump.Kernel is null)
            throw new MissingInformationException(dump.ClassificationProblem + (dump.VmcoreInfo is null ? "\nSpecify '-i' option." : ""));
        KernelLog log = KernelLog.TryOpen(dump.Kernel.VmcoreInfo, dump.Kernel.Memory, out string? problem)
            ?? throw new MissingInformationException($"{dump.Name}: {problem}");
        string target = options.Output ?? "STDOUT";
        if (options.Output is { } file)
        {
            using IByteSink sink = OutputTarget.Open(options, file, overwrite: false);
            using var stream = new SinkStream(sink);
            Write(log, stream);
            sink.Complete(stream.Length);
        }
        else
        {
            using DescriptorStream stream = StandardStream.OpenOutput();
            try
            {
                Write(log, stream);
                stream.Sync(target);
            }
            catch (IOException e)
            {
                throw new FileAccessException(target, $"cannot write: {e.Message}");
            }
        }

        foreach (Finding fault in log.Problems)
            messages.Line(MessageKind.Error, $"{dump.Name}: {fault}");
        if (log.Lost > 0)
        {
            messages.Line(MessageKind.Error,
                $"{dump.Name}: the log is not whole: {log.Lost} messages or pieces of it could not be read. The others are saved to {target}.");
            return ExitStatus.Failure;
        }

        messages.Line(MessageKind.Common, $"\nThe dmesg log is saved to {target}.");
        return ExitStatus.Success;
    }

    private void Write(KernelLog log, Stream stream)
    {
        // Until 5.9 only kernels that show the caller keep it; later ones always do.
        bool caller = options.ShowCallerId || log.Format == LogFormat.Records;
        var writer = new LogTextWriter(stream, LogTextStyle.Makedumpfile with { ShowCaller = caller });
        foreach (LogRecord record in log.Read(options.PartialDmesg))
            writer.Write(record);
        writer.Flush();
    }
}
