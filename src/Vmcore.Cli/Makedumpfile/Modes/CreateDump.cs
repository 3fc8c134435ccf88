using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Vmcore.Architectures;
using Vmcore.Cli.Reader;
using Vmcore.Dumping;
using Vmcore.Findings;
using Vmcore.IO;
using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Ranges;
using Vmcore.Verification;

namespace Vmcore.Cli.Makedumpfile.Modes;

/// <summary>The main mode: writes a dump.</summary>
internal sealed class CreateDump(MakedumpfileOptions options, Messages messages)
{
    private readonly MakedumpfileOptions _options = options;
    private readonly Messages _messages = messages;
    private DumpLevel _level;
    private readonly long _started = Stopwatch.GetTimestamp();

    /// <summary>Writes the dump.</summary>
    /// <returns>The exit status.</returns>
    internal int Run()
    {
        _messages.Line(MessageKind.Debug, HelpText.Version.Split('\n')[0]);
        var progress = new ProgressLine(_messages);
        progress.Start();
        using CrashDump? dump = InputDump.Open(_options, _messages);
        if (dump is null)
            return ExitStatus.WrongRelease;

        progress.PageSize = dump.Memory.PageSize;
        progress.Finish("Checking for memory holes", Stopwatch.GetElapsedTime(_started));
        if (_messages.Shows(MessageKind.Debug))
            _messages.Write(MessageKind.Debug, DebugText.Input(dump) + DebugText.Pmem(dump));
        else
            ReportFindings(dump);
        if (_options.VirtualAddress is { } address)
            ShowTranslation(dump, address);
        if (_options.IncludePmemUserData && !dump.Pmem.UserData.IsEmpty)
            _messages.Line(MessageKind.Common, string.Create(CultureInfo.InvariantCulture,
                $"The dump will contain {dump.Pmem.UserData.PageCount} pages of pmem user data, as --include-pmem-userdata asks for."));
        if (_options.ConfigFile is not null)
            EraseRules.Apply(dump, _options, _messages);
        using CancellationTokenSource cancel = new();
        using PosixSignalRegistration interrupt = OnSignal(PosixSignal.SIGINT, cancel),
            terminate = OnSignal(PosixSignal.SIGTERM, cancel), hangUp = OnSignal(PosixSignal.SIGHUP, cancel);
        // Before the dump is written: that there is no room for its hashes should not come out at the end.
        using IByteSink? manifest = _options.ManifestFile is { } file ? OutputTarget.Open(_options, file, overwrite: false) : null;
        for (int i = 0; ; i++)
        {
            DumpReport report = WriteLevel(dump, _options.Levels[i], progress, overwrite: i > 0, cancel.Token);
            // What has gone down a pipe cannot be taken back.
            bool isFull = report.End is DumpEnd.NoSpace or DumpEnd.FileTooLarge or DumpEnd.QuotaExceeded or DumpEnd.SizeLimit;
            bool retry = isFull && i + 1 < _options.Levels.Count && !_options.Flattened;
            if (!retry)
            {
                if (manifest is not null)
                    WriteManifest(dump, manifest);
                int status = Conclude(dump, report);
                if (_options.ReportFile is { } about)
                    CrashReport.Write(dump, _options, _messages, about, Described(dump, report, status));
                return status;
            }

            _messages.Line(MessageKind.Error, $"The target is too small at dump level {(int)_options.Levels[i]}; trying {(int)_options.Levels[i + 1]}.");
        }
    }

    private DumpReport WriteLevel(CrashDump dump, DumpLevel level, ProgressLine progress, bool overwrite, CancellationToken cancel)
    {
        if (dump.Kdump is { } input && input.SubHeader.DumpLevel is var before && ((int)level | (before & (int)DumpLevel.All)) != (int)level)
        {
            _messages.Line(MessageKind.Common,
                $"dump_level is changed to {(int)level | before}, because {_options.Input} was created by dump_level({before}).");
            level |= (DumpLevel)before & DumpLevel.All;
        }

        _level = level;
        var what = new DumpOptions
        {
            Level = level,
            Codec = _options.Codec,
            Output = _options.Elf ? DumpOutput.Elf : DumpOutput.Kdump,
            IncludePmemUserData = _options.IncludePmemUserData,
            ExcludeUnusedMemmap = _options.ExcludeUnusedMemmap,
            Threads = _options.Threads ?? 0,
            SizeLimit = _options.SizeLimit,
            SplitBlockPages = _options.SplitBlockSize > 0
                ? (ulong)Math.Max(1, _options.SplitBlockSize * 1024L / dump.Memory.PageSize)
                : new DumpOptions().SplitBlockPages,
            ShareEqualPages = _options.ShareEqualPages,
            TimeLimit = _options.TimeLimit is { } limit ? limit - Stopwatch.GetElapsedTime(_started) : null,
        };
        DumpRequest request;
        try
        {
            request = new(dump, what);
        }
        catch (MissingInformationException e) when (dump.VmcoreInfo is null && e.Message == dump.ClassificationProblem?.ToString())
        {
            throw new MissingInformationException(e.Message + "\nSpecify '-x' option or '-i' option.");
        }

        IReadOnlyList<IByteSink> sinks = OutputTarget.OpenAll(_options, overwrite);
        try
        {
            return Dumper.Write(request, sinks, progress, cancel);
        }
        finally
        {
            foreach (IByteSink sink in sinks)
                sink.Dispose();
        }
    }

    // The report is of the dump that was written, whatever was read for it.
    private CrashReport.Written Described(CrashDump dump, DumpReport report, int status) => new(
        report.End != DumpEnd.Cancelled, _options.DumpFiles.Count > 0 ? _options.DumpFiles[0] : "STDOUT", _options.Elf ? "elf" : "kdump", _options.Flattened,
        (int)_level, _options.Elf ? null : _options.Codec.ToString().ToLowerInvariant(), status != ExitStatus.Success || dump.IsIncomplete);

    private void WriteManifest(CrashDump dump, IByteSink target)
    {
        DumpManifest manifest = DumpManifest.Create(_options.DumpFiles) with
        {
            Release = dump.VmcoreInfo?.OsRelease,
            CrashTime = dump.VmcoreInfo?.CrashTime,
            DumpLevel = (int)_level,
        };
        byte[] bytes = ManifestText.Build(manifest);
        target.Write(0, bytes);
        target.Complete(bytes.Length);
    }

    private int Conclude(CrashDump dump, DumpReport report)
    {
        _messages.EndDrawing();
        _messages.Write(MessageKind.Report, ReportText.Build(report));
        if (report.UnreadableStructPages > 0)
            _messages.Line(MessageKind.Error,
                string.Create(CultureInfo.InvariantCulture, $"{report.UnreadableStructPages} struct pages could not be read; their pages are in the dump."));
        if (report.BadFreeBlocks > 0)
            _messages.Line(MessageKind.Error,
                string.Create(CultureInfo.InvariantCulture, $"{report.BadFreeBlocks} free blocks have an impossible order; they are in the dump."));
        if (report.Unreadable > 0)
            _messages.Line(MessageKind.Error, string.Create(CultureInfo.InvariantCulture,
                $"{report.Unreadable} pages could not be read from {_options.Input}; they are not in the dump: pfn {Ranges(report.UnreadableRanges)}."));
        string target = _options.Flattened ? "STDOUT" : Enumerate(_options.DumpFiles);
        string dumpfile = _options.Split ? "dumpfiles" : "dumpfile", verb = _options.Split ? "are" : "is";
        if (report.GivenUp is { } given)
            _messages.Line(MessageKind.Error, ReportText.GivenUp(given));
        string? why = report.End switch
        {
            DumpEnd.NoSpace => "no space is left on the target",
            DumpEnd.FileTooLarge => "the target may not become larger (ulimit -f, or its file system)",
            DumpEnd.QuotaExceeded => "the quota on the target is used up",
            DumpEnd.SizeLimit => "the size limit of -L is reached",
            DumpEnd.TimeLimit => "the time of --time-limit is over",
            DumpEnd.Cancelled => "it was asked to stop",
            _ => null,
        };
        if (why is not null)
        {
            _messages.Line(MessageKind.Error, $"The {dumpfile} {target} {verb} incomplete: {why}. What fitted is readable.");
            return ExitStatus.Failure;
        }

        if (dump.IsIncomplete)
        {
            // Whoever deletes the input because the dump is whole would delete nothing more than there was; but the dump is not whole.
            string input = dump.HasShrunk ? "became shorter while it was dumped" : "is truncated or incomplete";
            _messages.Line(MessageKind.Error,
                string.Create(CultureInfo.InvariantCulture, $"{_options.Input} {input}: {report.MissingInInput + report.Unreadable} pages "
                    + $"that it names are not in it. The {dumpfile} {target} {verb} written with the others and marked incomplete."));
            return ExitStatus.Failure;
        }

        if (report.Unreadable > 0)
        {
            _messages.Line(MessageKind.Error, $"The {dumpfile} {target} {verb} written without them and marked incomplete.");
            return ExitStatus.Failure;
        }

        if (!_options.DryRun)
            _messages.Line(MessageKind.Common, $"\nThe {dumpfile} {verb} saved to {target}.");
        return ExitStatus.Success;
    }

    /// <summary>The first of some ranges of pages, as <c>0x100-0x102, 0x200</c>: the last page is meant too.</summary>
    private static string Ranges(IReadOnlyList<PfnRange> ranges)
    {
        const int Most = 8;
        string text = string.Join(", ", ranges.Take(Most).Select(static r => r.Count == 1 ? $"0x{r.Start:x}" : $"0x{r.Start:x}-0x{r.End - 1:x}"));
        return ranges.Count > Most ? text + ", …" : text;
    }

    /// <summary>«a», or «a, b, and c».</summary>
    private static string Enumerate(IReadOnlyList<string> files) =>
        files.Count == 1 ? files[0] : $"{string.Join(", ", files.SkipLast(1))}, and {files[^1]}";

    private void ShowTranslation(CrashDump dump, ulong address)
    {
        if (dump.Kernel is not { } kernel)
            throw new MissingInformationException(dump.ClassificationProblem + "\n--vtop needs the kernel's page tables.");
        Translation found = kernel.Memory.Translate(address);
        string physical = found.Status switch
        {
            MemoryStatus.Ok => found.PhysicalAddress.ToString("x", CultureInfo.InvariantCulture),
            MemoryStatus.PageTableMissing => "its page table is not in the dump",
            _ => "not mapped",
        };
        _messages.Write(MessageKind.Common, string.Create(CultureInfo.InvariantCulture,
            $"\nTranslating virtual address {address:x} to physical address.\nVIRTUAL           PHYSICAL\n{address,16:x}  {physical}\n\n"));
    }

    private void ReportFindings(CrashDump dump)
    {
        foreach (Finding finding in dump.Pmem.Findings)
            _messages.Line(MessageKind.Error, finding.ToString());
    }

    private static PosixSignalRegistration OnSignal(PosixSignal signal, CancellationTokenSource cancel) =>
        PosixSignalRegistration.Create(signal, context =>
        {
            // What is written so far is finished to a file that readers open.
            context.Cancel = true;
            cancel.Cancel();
        });
}
