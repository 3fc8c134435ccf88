using System.CommandLine;
using Vmcore.Cli.Code;
using Vmcore.Cli.Json;
using Vmcore.Findings;
using Vmcore.IO;
using Vmcore.Kernel.Crash;

namespace Vmcore.Cli.Reader.Triage;

/// <summary><c>vmcore triage DUMP…|FOLDER</c></summary>
internal sealed class TriageCommand
{
    private readonly bool _isJson;
    private readonly bool _isCsv;
    private readonly List<TriageEntry> _entries = [];
    private readonly HashSet<string> _seen = [];
    private int _failed;
    private int _passedOver;
    private int _partial;

    private TriageCommand(bool json, bool csv) => (_isJson, _isCsv) = (json, csv);

    internal static Command Create()
    {
        var words = new Argument<string[]>("DUMP|FOLDER|LINES")
        {
            Description = "Dumps, folders of them, or files that 'vmcore triage --json' wrote.",
            Arity = ArgumentArity.OneOrMore,
        };
        var json = new Option<bool>("--json")
        {
            Description = "Write a line of JSON for each dump as it is read, then one for each group (docs/json-schema.md).",
        };
        var csv = new Option<bool>("--csv") { Description = "Write the groups as CSV." };
        const string About = "Group many dumps by what the kernels died of: title, signature, count, first and last crash.";
        var command = new Command("triage", About) { words, json, csv };
        command.SetAction(parsed =>
        {
            if (!CodeFeature.IsIncluded)
                return CodeFeature.Refuse("triage");
            StandardStreams.RequireOutput();
            if (parsed.GetValue(json) && parsed.GetValue(csv))
                throw new VmcoreException("triage: --json and --csv are two forms of one answer: ask for one");
            return new TriageCommand(parsed.GetValue(json), parsed.GetValue(csv)).Run(parsed.GetRequiredValue(words));
        });
        return command;
    }

    private int Run(string[] words)
    {
        foreach (string word in words)
        {
            if (!Directory.Exists(word))
            {
                Take(word, TriageInput.KindOf(word) is TriageFileKind.Lines);
                continue;
            }

            foreach (string file in TriageInput.FilesOf(word, Fail))
            {
                // To open a pipe would wait for somebody who writes.
                TriageFileKind kind = FileIdentity.Of(file) is { IsRegular: true } ? TriageInput.KindOf(file) : TriageFileKind.Other;
                if (kind is TriageFileKind.Other)
                    PassOver(file, "it does not begin like a dump");
                else
                    Take(file, kind is TriageFileKind.Lines);
            }
        }

        List<TriageGroup> groups = TriageGroup.Of(_entries);
        if (_isJson)
            groups.ForEach(WriteLine);
        else
            Console.Out.Write(_isCsv ? TriageText.BuildCsv(groups) : TriageText.Build(groups));
        if (_entries.Count == 0 && _failed == 0)
            throw new VmcoreException($"triage: there is no dump in {string.Join(", ", words)}");
        if (_partial > 0)
            ReaderContext.Warn($"the answer is not complete: partial signatures of {_partial} of {_entries.Count} dumps");
        if (_failed > 0)
            ReaderContext.Warn($"files that could not be read: {_failed}");
        return _failed > 0 || _partial > 0 ? 1 : 0;
    }

    // A dump that two names or words lead to counts once.
    private void Take(string file, bool isLines)
    {
        if (FileIdentity.Of(file) is { } identity && !_seen.Add($"{identity.Device:x}:{identity.Inode:x}"))
        {
            PassOver(file, "it was read already");
            return;
        }

        try
        {
            if (isLines)
                TakeLines(file);
            else
                TakeDump(file);
        }
        catch (Exception e) when (e is VmcoreException or IOException or UnauthorizedAccessException or OutOfMemoryException)
        {
            Fail(file, e.Message);
        }
#pragma warning disable CA1031 // One damaged dump of a thousand ends nothing: that it was not read is said, and the exit status says it.
        catch (Exception e)
        {
            Fail(file, $"internal error: {e.GetType().Name}: {e.Message}; please report it");
        }
#pragma warning restore CA1031
    }

    private void TakeDump(string file)
    {
        using CrashDump dump = CrashDump.Open(file);
        foreach (Finding finding in dump.Problems)
        {
            if (finding.Code is FindingCode.PartsMissing)
                throw new VmcoreException(finding.ToString());
        }

        CrashCause cause = CrashCause.Read(dump.KernelView);
        var info = new CauseInfo(dump, cause);
        Add(new()
        {
            File = file,
            Signature = cause.Signature.Text,
            IsPartial = cause.Signature.IsPartial,
            Digest = cause.Signature.Digest,
            Title = cause.Title,
            Kind = CrashSignature.NameOf(cause.Kind),
            Module = cause.SuspectedModule,
            Frames = cause.Signature.Frames,
            Time = info.CrashTime,
            Release = info.Release,
        });
        if (_isJson)
            WriteLine(new TriageLine("dump", file, info, null));
    }

    // Lines of earlier runs are not written again: who collects them has them.
    private void TakeLines(string file)
    {
        foreach (TriageEntry entry in TriageInput.ReadLines(file, Fail))
        {
            if (entry.Error is { } error)
                Fail(entry.File, error);
            else
                Add(entry);
        }
    }

    private void Add(TriageEntry entry)
    {
        _entries.Add(entry);
        _partial += entry.IsPartial ? 1 : 0;
    }

    private void Fail(string file, string why)
    {
        _failed++;
        ReaderContext.Warn(why.StartsWith(file, StringComparison.Ordinal) ? why : $"{file}: {why}");
        if (_isJson)
            WriteLine(new TriageLine("failed", file, null, why));
    }

    private void PassOver(string file, string why)
    {
        const int Told = 16;
        if (_passedOver++ < Told)
            ReaderContext.Warn($"{file}: passed over: {why}");
        else if (_passedOver == Told + 1)
            ReaderContext.Warn("further files are passed over (--json has them)");
        if (_isJson)
            WriteLine(new TriageLine("passed_over", file, null, null));
    }

    private static void WriteLine(IJsonItem item)
    {
        Console.Out.Write(JsonText.BuildLine(item));
        Console.Out.Flush();
    }
}
