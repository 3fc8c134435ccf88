using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace Vmcore.Cli.Tests.Conformance;

/// <summary>Metadata of one namespace as it was on the media at the crash.</summary>
/// <param name="Start">First pfn of the namespace.</param>
/// <param name="End">Pfn where its user data begins.</param>
/// <param name="NonZero">How many pages between them hold anything.</param>
/// <param name="Sha256">Of all bytes between them.</param>
internal sealed record MetadataTruth(ulong Start, ulong End, int NonZero, string Sha256);

/// <summary>A crash of a real kernel, with what is known of it. Samples are in the repository; whole ones are used where they are at hand.</summary>
internal sealed partial class RealCrash
{
    private static readonly Lock s_lock = new();

    private RealCrash(string path, string? analysis, string? kpageflags)
    {
        Path = path;
        if (analysis is not null)
        {
            string text = File.ReadAllText(analysis);
            foreach (Match m in MetadataLine().Matches(text))
                Metadata.Add(new(Hex(m, "start") >> 12, Hex(m, "end") >> 12,
                    int.Parse(m.Groups["pages"].ValueSpan, CultureInfo.InvariantCulture), m.Groups["hash"].Value));
            foreach (Match m in InfoBlockLine().Matches(text))
                InfoBlocks.Add((Hex(m, "start") >> 12) + 1);
        }

        if (kpageflags is not null)
            PageFlags = MemoryMarshal.Cast<byte, ulong>(Tool.Succeed("zstd", "-q", "-d", "-c", kpageflags).OutputBytes).ToArray();
    }

    /// <summary>The names of all; those that are not at hand are skipped when they are opened.</summary>
    public static IReadOnlyList<string> All { get; } = ["sample rfc-v2-6.1", "sample stock-6.1-nopmem", "rfc-v2-6.1", "stock-6.12"];

    internal string Path { get; }

    internal List<MetadataTruth> Metadata { get; } = [];

    /// <summary>The pfn of each info block.</summary>
    internal List<ulong> InfoBlocks { get; } = [];

    /// <summary>/proc/kpageflags by pfn, some seconds before the crash; null if it is not known.</summary>
    internal ulong[]? PageFlags { get; }

    /// <summary>Finds a crash, unpacks it if need be, and skips the test if it is not at hand.</summary>
    internal static RealCrash Get(string name)
    {
        lock (s_lock)
        {
            return name.StartsWith("sample ", StringComparison.Ordinal) ? Sample(name[7..]) : Whole(name);
        }
    }

    private static RealCrash Sample(string name)
    {
        string packed = System.IO.Path.Combine(Repository.Data, name + ".vmcore.zst");
        string target = System.IO.Path.Combine(Repository.Cache, "samples", name + ".vmcore");
        if (!File.Exists(target) || File.GetLastWriteTimeUtc(target) < File.GetLastWriteTimeUtc(packed))
        {
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(target)!);
            Tool.Succeed("zstd", "-q", "-d", "-f", "--long=29", "--sparse", packed, "-o", target + ".new");
            File.Move(target + ".new", target, overwrite: true);
            File.SetLastWriteTimeUtc(target, DateTime.UtcNow);
        }

        string analysis = System.IO.Path.Combine(Repository.Data, name + ".analysis.txt");
        return new(target, File.Exists(analysis) ? analysis : null, System.IO.Path.Combine(Repository.Data, name + ".kpageflags.zst"));
    }

    private static RealCrash Whole(string name)
    {
        string? from = Environment.GetEnvironmentVariable("VMCORE_FIXTURES");
        if (string.IsNullOrEmpty(from))
            from = System.IO.Path.Combine(Repository.Root, "..", "shared", "fixtures");
        string folder = System.IO.Path.Combine(Repository.Cache, "fixtures");
        Assert.SkipUnless(Directory.Exists(from), "whole dumps are not at hand: neither VMCORE_FIXTURES nor ../shared/fixtures is a folder of them");
        Tool.Succeed(System.IO.Path.Combine(Repository.Root, "tests", "unpack-fixtures"), from, folder);
        string path = System.IO.Path.Combine(folder, name + ".vmcore");
        Assert.SkipUnless(File.Exists(path), $"{path} does not exist");
        string about = System.IO.Path.Combine(folder, name);
        return new(path, System.IO.Path.Combine(about, "analysis.txt"), System.IO.Path.Combine(about, "first", "kpageflags.zst"));
    }

    private static ulong Hex(Match match, string group) =>
        ulong.Parse(match.Groups[group].ValueSpan, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"metadata phys \[0x(?<start>[0-9a-f]+),0x(?<end>[0-9a-f]+)\).*nonzero pages (?<pages>[0-9]+) backing sha256=(?<hash>[0-9a-f]{64})",
        RegexOptions.None, 1000)]
    private static partial Regex MetadataLine();

    [GeneratedRegex(@"^#  namespace[0-9.]+: 0x(?<start>[0-9a-f]+)-0x[0-9a-f]+\n\s+sig=", RegexOptions.Multiline, 1000)]
    private static partial Regex InfoBlockLine();
}
