using System.Text.RegularExpressions;
using Vmcore.Testing;

namespace Vmcore.Tests.House;

/// <summary>Documents say what is so: their links lead somewhere, their proofs exist, their code is compiled, and there is one version.</summary>
public sealed partial class DocumentTests
{
    private static IEnumerable<string> Documents => Repository.TextFiles().Where(static f => f.EndsWith(".md", StringComparison.Ordinal));

    [Fact]
    public void LinksLeadSomewhere()
    {
        var wrong = new List<string>();
        foreach (string document in Documents)
        {
            foreach (Match link in Link().Matches(Read(document)))
            {
                string target = link.Groups["target"].Value;
                string path = Path.Combine(SourceTree.Root, Path.GetDirectoryName(document)!, target.Split('#')[0]);
                if (target.StartsWith('#') || target.Contains("://", StringComparison.Ordinal))
                    continue;
                if (!Path.Exists(path))
                    wrong.Add($"{document}: {target}");
                else if (target.Split('#') is [_, var anchor] && !Anchors(File.ReadAllText(path)).Contains(anchor))
                    wrong.Add($"{document}: {target} (no such heading)");
            }
        }

        Assert.True(wrong.Count == 0, $"These links lead nowhere:\n  {string.Join("\n  ", wrong)}");
    }

    [Fact]
    public void EveryProofOfTheSupportMatrixExists()
    {
        ILookup<string, TestMethod> tests = SourceFile.All.Where(static f => f.Path.StartsWith("tests/", StringComparison.Ordinal))
            .SelectMany(TestMethods.Of).ToLookup(static t => Path.GetFileNameWithoutExtension(t.File), StringComparer.Ordinal);
        string[] rows = [.. Read("docs/support.md").Split('\n').Where(static l => l.StartsWith("| ", StringComparison.Ordinal))];
        string[] proofs = [.. rows.SelectMany(static r => Quoted().Matches(r)).Select(static m => m.Groups["what"].Value).Distinct(StringComparer.Ordinal)];
        Assert.True(proofs.Length > 30, "docs/support.md has hardly a proof");
        string[] wrong = [.. proofs.Where(p => !Exists(p, tests))];
        Assert.True(wrong.Length == 0, $"docs/support.md names proofs that do not exist. Correct the name, or empty the cell:\n  {string.Join("\n  ", wrong)}");
    }

    /// <summary>The package's README shows a program that is compiled and run as a sample; <c>ReaderCommandTests</c> compares what it prints.</summary>
    [Fact]
    public void CodeInDocumentsIsThatOfASample()
    {
        string[] samples = [.. SourceFile.All.Where(static f => f.Path.StartsWith("samples/", StringComparison.Ordinal)).Select(static f => f.Text)];
        int blocks = 0;
        foreach (string document in Documents.Where(static d => !d.StartsWith("docs/", StringComparison.Ordinal)))
        {
            foreach (Match block in CodeBlock().Matches(Read(document)))
            {
                blocks++;
                Assert.True(samples.Any(s => s.Contains(block.Groups["code"].Value, StringComparison.Ordinal)),
                    $"{document}: no sample has this code, where it would be compiled and run:\n{block.Groups["code"].Value}");
            }
        }

        Assert.True(blocks > 0, "no document shows any code");
    }

    [Fact]
    public void EverySampleIsDescribed()
    {
        string readme = Read("samples/README.md");
        foreach (string folder in Directory.EnumerateDirectories(Path.Combine(SourceTree.Root, "samples")))
        {
            string name = Path.GetFileName(folder);
            Assert.True(readme.Contains($"`{name}`", StringComparison.Ordinal), $"samples/README.md does not say what {name} is");
            Assert.True(Read("Vmcore.slnx").Contains($"samples/{name}/{name}.csproj", StringComparison.Ordinal), $"Vmcore.slnx lacks samples/{name}");
        }
    }

    [Fact]
    public void EveryDecisionIsListed()
    {
        string list = Read("docs/decisions/README.md");
        string[] notes = [.. Documents.Where(static d => d.StartsWith("docs/decisions/0", StringComparison.Ordinal))];
        Assert.True(notes.Length >= 10, "docs/decisions is nearly empty");
        foreach (string note in notes)
            Assert.True(list.Contains($"({Path.GetFileName(note)})", StringComparison.Ordinal), $"docs/decisions/README.md does not list {note}");
    }

    [Fact]
    public void ThereIsOneVersion()
    {
        string version = Match("Directory.Build.props", "<Version>(?<it>[^<]+)</Version>");
        Assert.Equal(version, Match("CHANGELOG.md", "^## (?<it>\\S+)"));
        Assert.Equal(version, Match("packaging/debian/changelog", "^vmcore \\((?<it>[^)]+)\\)"));
        Assert.Equal(Match("src/Vmcore.Cli/Makedumpfile/HelpText.cs", "makedumpfile: version (?<it>[0-9.]+)"),
            Match("packaging/rpm/vmcore.spec", "%global makedumpfile_version (?<it>\\S+)"));
    }

    private static bool Exists(string proof, ILookup<string, TestMethod> tests) => proof switch
    {
        _ when proof.StartsWith("vm:", StringComparison.Ordinal) => File.Exists(Path.Combine(SourceTree.Root, "tests/vm/cases", proof[3..] + ".case")),
        _ when proof.Contains('/', StringComparison.Ordinal) => Path.Exists(Path.Combine(SourceTree.Root, proof)),
        _ when proof.Contains('=', StringComparison.Ordinal) => true,
        _ when proof.Split('.') is [var type, var method] => tests[type].Any(t => t.Name == method),
        _ => tests.Contains(proof),
    };

    private static IEnumerable<string> Anchors(string text) =>
        Heading().Matches(text).Select(static m => NoAnchor().Replace(m.Groups["title"].Value.ToLowerInvariant(), "").Replace(' ', '-'));

    private static string Match(string path, string pattern)
    {
        Match match = Regex.Match(Read(path), pattern, RegexOptions.Multiline);
        Assert.True(match.Success, $"{path} has no {pattern}");
        return match.Groups["it"].Value;
    }

    private static string Read(string path) => File.ReadAllText(Path.Combine(SourceTree.Root, path));

    [GeneratedRegex(@"\]\((?<target>[^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex("`(?<what>[^`]+)`")]
    private static partial Regex Quoted();

    [GeneratedRegex("^```csharp\n(?<code>.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex CodeBlock();

    [GeneratedRegex("^#+ (?<title>.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NoAnchor();
}
