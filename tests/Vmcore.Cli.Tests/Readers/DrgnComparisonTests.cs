using System.Globalization;
using System.Text.RegularExpressions;
using Vmcore.Cli.Tests.Conformance;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>
/// What our reader says of a dump is what drgn says: tasks, mounts, symbols, types, values of structures. drgn has its types from the BTF in the dump, which
/// bpftool writes as C and gcc compiles, so no debug information is needed.
/// </summary>
public sealed partial class DrgnComparisonTests
{
    [Theory]
    [InlineData("sample rfc-v2-6.1", 50, 8, 150)]
    [InlineData("stock-6.12", 50, 8, 150)]
    public void TheReaderSaysWhatDrgnSays(string name, int tasks, int mounts, int values)
    {
        string said = Tool.Succeed(Script, RealCrash.Get(name).Path, Executable.Vmcore).Output;
        Assert.Contains(" are equal\n", said, StringComparison.Ordinal);
        Dictionary<string, int> counts = Count().Matches(said)
            .ToDictionary(static m => m.Groups[2].Value, static m => int.Parse(m.Groups[1].ValueSpan, CultureInfo.InvariantCulture));
        Assert.True(counts["tasks"] >= tasks && counts["mounts"] >= mounts && counts["values"] >= values && counts["types"] >= 20
            && counts["expressions"] >= 25 && counts["calculations"] == 300 && counts["files"] >= 10 && counts["mappings"] >= 10, said);
    }

    [Fact]
    public void ADifferenceIsFound()
    {
        using TemporaryFolder folder = new();
        string kallsyms = folder.File("kallsyms"), symbols = Path.Combine(Repository.Data, "rfc-v2-6.1.symbols");
        string[] lines = File.ReadAllLines(symbols);

        // A name that is really elsewhere.
        File.WriteAllLines(kallsyms, [.. lines, "ffffffff83000010 T panic"]);
        ToolResult result = Tool.Run(Script, RealCrash.Get("sample rfc-v2-6.1").Path, Executable.Vmcore, "--kallsyms", kallsyms, "--only-symbols");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("symbols: ('panic'", result.Output, StringComparison.Ordinal);
        Assert.Contains("; 1 differences", result.Output, StringComparison.Ordinal);
    }

    private static string Script => Path.Combine(Repository.Root, "tests", "readers", "compare-drgn");


    [GeneratedRegex(@"(\d+) (tasks|mounts|symbols|types|values|expressions|calculations|files|mappings)")]
    private static partial Regex Count();
}
