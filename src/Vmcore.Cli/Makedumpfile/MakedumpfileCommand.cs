using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Vmcore.Dumping;
using Vmcore.Formats.Flattened;
using Vmcore.IO;
using Vmcore.Memmap;

namespace Vmcore.Cli.Makedumpfile;

/// <summary>The command <c>makedumpfile</c>: a drop-in for the tool that kdump services run.</summary>
internal sealed class MakedumpfileCommand
{
    private const int Success = 0;
    private const int Failure = 1;
    private const int WrongRelease = 2;

    /// <summary>SIGXFSZ on every Linux that .NET runs on.</summary>
    private const int FileSizeSignal = 25;

    private readonly MakedumpfileOptions _options;
    private readonly Messages _messages;

    private MakedumpfileCommand(MakedumpfileOptions options, Messages messages)
    {
        _options = options;
        _messages = messages;
    }

    /// <summary>Runs the command.</summary>
    /// <returns>The exit status.</returns>
    internal static int Run(string[] args)
    {
        var messages = new Messages(Console.Out, Console.Error);
        var options = new MakedumpfileOptions();
        try
        {
            options.Parse(args);
            messages.OutputTaken = options.Flattened;
            if (options.Help || options.Version)
            {
                messages.Write(MessageKind.Common, options.Help ? HelpText.Usage : HelpText.Version);
                return Success;
            }

            options.Validate();
        }
        catch (UsageException e)
        {
            if (e.Message.Length > 0)
                messages.Line(MessageKind.Common, e.Message);
            messages.Write(MessageKind.Common, "Commandline parameter is invalid.\nTry `makedumpfile --help' for more information.\n");
            if (!options.CheckParams)
                messages.Write(MessageKind.Common, "\nmakedumpfile Failed.\n");
            return Failure;
        }

        if (options.CheckParams)
            return Success;
        messages.Level = options.MessageLevel;
        return new MakedumpfileCommand(options, messages).Run();
    }

    private int Run()
    {
        int status;
        try
        {
            status = Dump();
        }
        catch (VmcoreException e)
        {
            _messages.Line(MessageKind.Error, e.Message);
            status = Failure;
        }

        _messages.Write(MessageKind.Common, status == Success ? "\nmakedumpfile Completed.\n" : "\nmakedumpfile Failed.\n");
        return status;
    }

    private int Dump()
    {
        _messages.Line(MessageKind.Debug, HelpText.Version.Split('\n')[0]);
        var progress = new ProgressLine(_messages);
        progress.Start();
        long started = Stopwatch.GetTimestamp();
        byte[]? given = _options.VmcoreInfoFile is { } file ? ReadVmcoreInfo(file) : null;
        using CrashDump dump = CrashDump.Open(_options.Input, new() { VmcoreInfo = given, PmemRanges = _options.PmemRanges });
        foreach (string problem in dump.Problems)
            _messages.Line(MessageKind.Error, problem);
        if (given is not null && CheckRelease(dump, given) is { } mismatch)
        {
            _messages.Line(MessageKind.Error, mismatch);
            return WrongRelease;
        }

        progress.Finish("Checking for memory holes", Stopwatch.GetElapsedTime(started));
        if (_messages.Shows(MessageKind.Debug))
            _messages.Write(MessageKind.Debug, DebugText.Input(dump) + DebugText.Pmem(dump));
        else
            ReportFindings(dump);
        if (_options.IncludePmemUserData && !dump.Pmem.UserData.IsEmpty)
            _messages.Line(MessageKind.Common, string.Create(CultureInfo.InvariantCulture, $"The dump will contain {dump.Pmem.UserData.PageCount} pages of pmem user data, as --include-pmem-userdata asks for."));
        using CancellationTokenSource cancel = new();
        using PosixSignalRegistration interrupt = OnSignal(PosixSignal.SIGINT, cancel), terminate = OnSignal(PosixSignal.SIGTERM, cancel), hangUp = OnSignal(PosixSignal.SIGHUP, cancel);

        // Beyond a limit on the size of files the system sends a signal that kills; without it the write fails, and the dump is finished as on a full disk.
        using var tooLarge = PosixSignalRegistration.Create((PosixSignal)FileSizeSignal, static context => context.Cancel = true);
        for (int i = 0; ; i++)
        {
            DumpReport report = WriteLevel(dump, _options.Levels[i], progress, overwrite: i > 0, cancel.Token);
            bool retry = report.End is DumpEnd.NoSpace or DumpEnd.SizeLimit && i + 1 < _options.Levels.Count;
            if (!retry)
                return Conclude(dump, report);
            _messages.Line(MessageKind.Error, $"The target is too small at dump level {(int)_options.Levels[i]}; trying {(int)_options.Levels[i + 1]}.");
        }
    }

    private DumpReport WriteLevel(CrashDump dump, DumpLevel level, ProgressLine progress, bool overwrite, CancellationToken cancel)
    {
        if (dump.Kdump is { } input && input.SubHeader.DumpLevel is var before && ((int)level | (before & (int)DumpLevel.All)) != (int)level)
        {
            _messages.Line(MessageKind.Common, $"dump_level is changed to {(int)level | before}, because {_options.Input} was created by dump_level({before}).");
            level |= (DumpLevel)before & DumpLevel.All;
        }

        var options = new DumpOptions
        {
            Level = level,
            Codec = _options.Codec,
            Output = _options.Elf ? DumpOutput.Elf : DumpOutput.Kdump,
            IncludePmemUserData = _options.IncludePmemUserData,
            Threads = _options.Threads ?? 0,
            SizeLimit = _options.SizeLimit,
        };
        DumpPlan plan;
        try
        {
            plan = new(dump, options);
        }
        catch (MissingInformationException e) when (dump.Info is null)
        {
            throw new MissingInformationException(e.Message + "\nSpecify '-i' option.");
        }

        using IByteSink sink = OpenSink(overwrite);
        return Dumper.Write(plan, sink, progress, cancel);
    }

    private IByteSink OpenSink(bool overwrite)
    {
        if (_options.DryRun)
            return new NullSink();
        if (_options.Flattened)
        {
            if (!Console.IsOutputRedirected)
                throw new FileAccessException("STDOUT", "is a terminal; send the flattened dump to a file or a pipe");
            return FlattenedSink.ToStandardOutput();
        }

        string output = _options.Output!;
        // Overwriting the input would destroy the only copy there is.
        if (FileIdentity.Of(output) is { } target)
        {
            if (target == FileIdentity.Of(_options.Input))
                throw new FileAccessException(output, "is the input itself; give another name for the dump");
            if (target.IsPipe)
                throw new FileAccessException(output, "is a pipe or a socket; use -F, which writes to standard output");
        }

        return FileSink.Create(output, overwrite || _options.Overwrite);
    }

    private int Conclude(CrashDump dump, DumpReport report)
    {
        if (_messages.Shows(MessageKind.Progress))
            _messages.Write(MessageKind.Progress, "\n");
        _messages.Write(MessageKind.Report, ReportText.Build(report));
        if (report.MissingInInput > 0 && dump.IsIncomplete)
            _messages.Line(MessageKind.Error, string.Create(CultureInfo.InvariantCulture, $"{_options.Input} is incomplete: {report.MissingInInput} pages of the machine are not in it, and so not in the dump."));
        if (report.UnreadableStructPages > 0)
            _messages.Line(MessageKind.Error, string.Create(CultureInfo.InvariantCulture, $"{report.UnreadableStructPages} struct pages could not be read; their pages are in the dump."));
        if (report.BadFreeBlocks > 0)
            _messages.Line(MessageKind.Error, string.Create(CultureInfo.InvariantCulture, $"{report.BadFreeBlocks} free blocks have an impossible order; they are in the dump."));
        if (report.Unreadable > 0)
            _messages.Line(MessageKind.Error, string.Create(CultureInfo.InvariantCulture, $"{report.Unreadable} pages could not be read from {_options.Input}; they are filled with zero in the dump."));
        string target = _options.Flattened ? "STDOUT" : _options.Output!;
        string? why = report.End switch
        {
            DumpEnd.NoSpace => "no space is left on the target",
            DumpEnd.SizeLimit => "the size limit of -L is reached",
            DumpEnd.Cancelled => "it was asked to stop",
            _ => null,
        };
        if (why is not null)
        {
            _messages.Line(MessageKind.Error, $"The dumpfile {target} is incomplete: {why}. What fitted is readable.");
            return Failure;
        }

        if (!_options.DryRun)
            _messages.Line(MessageKind.Common, $"\nThe dumpfile is saved to {target}.");
        return Success;
    }

    private void ReportFindings(CrashDump dump)
    {
        foreach (string finding in dump.Pmem.Findings)
            _messages.Line(MessageKind.Error, finding);
    }

    /// <summary>Compares the -i file with what the dump itself says; a wrong description would drop the wrong pages.</summary>
    private string? CheckRelease(CrashDump dump, byte[] given)
    {
        string? release = Kernel.VmcoreInfo.Parse(given).OsRelease;
        string? actual = dump.Kernel?.Utsname?.Release ?? dump.Info?.OsRelease;
        if (actual is not null && actual != release)
            return $"{_options.VmcoreInfoFile}: OSRELEASE is '{release}', but {_options.Input} is of '{actual}'.";
        return dump.Kernel is null || dump.Kernel.IsVerified ? null
            : $"{_options.VmcoreInfoFile}: the kernel's release cannot be read from {_options.Input} with these addresses: the file is of another boot or another kernel.";
    }

    private static byte[] ReadVmcoreInfo(string path)
    {
        const int Most = 1 << 20;
        using FileSource source = FileSource.Open(path);
        byte[] text = new byte[(int)Math.Min(source.Length, Most)];
        source.ReadExactly(0, text, "vmcoreinfo text");
        if (source.Length > Most || Kernel.VmcoreInfo.Parse(text).OsRelease is null)
            throw new DumpFormatException(path, 0, "vmcoreinfo text", "no OSRELEASE line", "lines KEY=VALUE as the kernel writes them");
        return text;
    }

    private static PosixSignalRegistration OnSignal(PosixSignal signal, CancellationTokenSource cancel) =>
        PosixSignalRegistration.Create(signal, context =>
        {
            // What is written so far is finished to a file that readers open.
            context.Cancel = true;
            cancel.Cancel();
        });
}
