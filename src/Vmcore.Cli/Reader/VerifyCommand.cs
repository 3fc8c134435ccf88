using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Vmcore.Cli.Code;
using Vmcore.Cli.Json;
using Vmcore.IO;
using Vmcore.Verification;

namespace Vmcore.Cli.Reader;

/// <summary><c>vmcore verify FILE… [--manifest FILE]</c>: exit status 0 sound, 1 something is wrong with the dump, 2 it could not be checked.</summary>
internal static class VerifyCommand
{
    /// <summary>Exit status where nothing could be checked: no dump, no manifest, or a command line that is wrong.</summary>
    internal const int NotChecked = 2;

    /// <summary>Name of the command.</summary>
    internal const string Name = "verify";

    private const int Sound = 0, Wrong = 1;

    internal static Command Create()
    {
        var manifest = new Option<string?>("--manifest")
        {
            Description = "Compare the file, or all files of a split dump, with the hashes that makedumpfile --manifest wrote.",
            HelpName = "FILE",
        };
        var command = new ReaderCommand(
            Name,
            "Check that a dump is whole: headers, bitmaps, every page, no user data of pmem. Exit status: "
                + "0 sound, 1 something is wrong with it, 2 it was not checked: it or the manifest cannot be read, or the command line is wrong.",
            context => !CodeFeature.IsIncluded ? CodeFeature.Refuse(Name) : Run(context, context.Parsed.GetValue(manifest)));
        command.Add(manifest);
        return command;
    }

    /// <summary>Reads a manifest.</summary>
    /// <param name="path">The file.</param>
    /// <param name="limits">The bound on its length; null for the default one.</param>
    /// <exception cref="DumpFormatException">It is none.</exception>
    internal static DumpManifest ReadManifest(string path, ReadLimits? limits = null)
    {
        long most = (limits ?? ReadLimits.Default).ManifestBytes;
        using FileSource source = FileSource.Open(path);
        if (source.Length > most)
            throw new DumpFormatException(path, 0, "manifest", $"{source.Length} bytes", $"at most {most}");
        byte[] bytes = new byte[source.Length];
        source.ReadExactly(0, bytes, "manifest");
        DumpManifest manifest;
        string? found = null;
        try
        {
            manifest = ManifestText.Parse(bytes);
            if (manifest.Files.Any(f => f.Ranges is null))
                found = "no ranges";
            else if (manifest.Files.Any(f => f.Sha256 is null || f.Ranges.Any(r => r.Sha256 is null)))
                found = "no sha256";
        }
        catch (JsonException e)
        {
            manifest = new();
            found = e.Message;
        }

        if (found is not null)
            throw new DumpFormatException(path, 0, "manifest", found, "the JSON that makedumpfile --manifest writes");
        manifest.Check(path);
        return manifest;
    }

    private static int Run(ReaderContext context, string? manifestFile)
    {
        DumpManifest? manifest;
        try
        {
            manifest = manifestFile is null ? null : ReadManifest(manifestFile);
        }
        catch (VmcoreException e)
        {
            return Refuse(context, e, manifestFile, "no_manifest");
        }

        CrashDump dump;
        try
        {
            dump = context.Dump;
        }
        catch (VmcoreException e)
        {
            return Refuse(context, e, manifestFile, "no_dump");
        }

        VerifyReport report = DumpVerifier.Verify(dump);
        if (manifest is not null)
        {
            // The files as they lie there: of a flattened stream the hashes are those of the stream.
            manifest.Compare(dump.Files, report);
        }

        if (context.IsJson)
            context.WriteJson(Answer(report, manifestFile));
        else
            ReaderContext.Write(Text(report, context.Style, manifestFile));
        return report.IsSound ? Sound : Wrong;
    }

    private static int Refuse(ReaderContext context, VmcoreException e, string? manifest, string result)
    {
        VerifyProblem Problem(string file, long? offset) => result == "no_manifest"
            ? new("manifest", file, offset, "manifest", e.Message, "one that makedumpfile --manifest wrote")
            : new("file", file, offset, "dump", e.Message, "a dump that can be opened");

        long? offset = (e as DumpFormatException)?.Offset;
        string file = (e as DumpFormatException)?.File ?? (e as FileAccessException)?.File ?? context.File;
        if (context.IsJson)
            context.WriteJson(new VerifyAnswer { Result = result, Manifest = manifest, ProblemCount = 1, Problems = [Problem(file, offset)] });
        else
            ReaderContext.Warn(e.Message);
        return NotChecked;
    }

    private static VerifyAnswer Answer(VerifyReport report, string? manifest) => new()
    {
        Result = report.IsSound ? "sound" : "wrong",
        Pages = report.Pages,
        PagesRead = report.PagesRead,
        PmemMetadataPages = report.MetadataPages,
        PmemUserDataPages = report.UserDataPages,
        PmemUserDataFound = report.UserDataFound,
        Manifest = manifest,
        ProblemCount = report.ProblemCount,
        Problems = report.Problems,
    };

    private static string Text(VerifyReport report, TextStyle style, string? manifest)
    {
        var text = new System.Text.StringBuilder();
        foreach (VerifyProblem problem in report.Problems)
        {
            string where = problem.Offset is { } offset ? $": offset 0x{offset:x}" : "";
            text.Append(style.Red($"{problem.File}{where}: {problem.What}: found {problem.Found}, expected {problem.Expected}")).Append('\n');
        }

        if (report.ProblemCount > report.Problems.Count)
            text.Append(CultureInfo.InvariantCulture, $"... and {report.ProblemCount - report.Problems.Count} more\n");
        text.Append(CultureInfo.InvariantCulture, $"{report.File}: {report.PagesRead} of {report.Pages} pages are readable.\n");
        if (report.UserDataPages > 0)
            text.Append(CultureInfo.InvariantCulture, $"pmem: {report.MetadataPages} metadata pages are in it; "
                + $"of {report.UserDataPages} pages of user data {(report.UserDataFound == 0 ? "none is" : $"{report.UserDataFound} are")}.\n");
        if (manifest is not null && !report.Problems.Any(p => p.Kind == "manifest"))
            text.Append("All bytes are those of the manifest.\n");
        text.Append(report.IsSound ? style.Green("The dump is sound.") : style.Red(string.Create(CultureInfo.InvariantCulture,
            $"The dump is not sound: {Sizes.Count((ulong)report.ProblemCount, "problem")}."))).Append('\n');
        return text.ToString();
    }
}

/// <summary>The answer of <c>vmcore verify --json</c>.</summary>
internal sealed record VerifyAnswer : ReaderAnswer
{
    /// <summary><c>sound</c>, <c>wrong</c>, <c>no_dump</c> or <c>no_manifest</c>.</summary>
    public required string Result { get; init; }

    public ulong Pages { get; init; }

    public ulong PagesRead { get; init; }

    public ulong PmemMetadataPages { get; init; }

    public ulong PmemUserDataPages { get; init; }

    public ulong PmemUserDataFound { get; init; }

    public string? Manifest { get; init; }

    public long ProblemCount { get; init; }

    public IReadOnlyList<VerifyProblem> Problems { get; init; } = [];

    /// <inheritdoc/>
    protected override void WriteMembers(JsonText json)
    {
        json.Put(Result);
        json.Put(Pages);
        json.Put(PagesRead);
        json.Put(PmemMetadataPages);
        json.Put(PmemUserDataPages);
        json.Put(PmemUserDataFound);
        json.Put(Manifest);
        json.Put(ProblemCount);
        json.Put(
            Problems,
            static (json, problem) =>
            {
                json.Put(problem.Kind);
                json.Put(problem.File);
                json.Put(problem.Offset);
                json.Put(problem.What);
                json.Put(problem.Found);
                json.Put(problem.Expected);
            });
    }
}
