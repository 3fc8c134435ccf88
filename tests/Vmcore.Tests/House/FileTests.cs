using System.Text.RegularExpressions;
using Vmcore.Testing;

namespace Vmcore.Tests.House;

/// <summary>Files are short, stand in the folder that their namespace names, and say nothing of the machine that they were written on.</summary>
public sealed partial class FileTests
{
    private const int MostBytes = 20 * 1024;
    private const int MostColumns = 160;

    [Fact]
    public void FilesAreShort() =>
        KnownViolations.Check(
            "size",
            SourceFile.All.Where(static f => new FileInfo(Path.Combine(SourceTree.Root, f.Path)).Length > MostBytes)
                .Select(static f => (f.Path, $"{new FileInfo(Path.Combine(SourceTree.Root, f.Path)).Length} bytes")),
            $"A C# file has at most {MostBytes} bytes. Find the second thing that it is about, and give it a file:");

    [Fact]
    public void LinesAreShort() =>
        KnownViolations.Check(
            "line",
            SourceFile.All.SelectMany(static f => f.Text.Split('\n')
                .Select((line, i) => (line.Length, Where: $"{f.Path}:{i + 1}"))
                .Where(static l => l.Length > MostColumns)
                .Select(l => (f.Path, $"{l.Where}: {l.Length} columns"))),
            $"A line of C# has at most {MostColumns} columns. Wrap these, or find the name that says it shorter:");

    /// <summary>The crash loader is one room, with one namespace: its folders are drawers.</summary>
    [Fact]
    public void NamespacesAreFolders() =>
        KnownViolations.Check(
            "namespace",
            SourceFile.Shipped.Where(static f => !f.Path.StartsWith("src/Vmcore.Kexec/", StringComparison.Ordinal))
                .Where(static f => f.Namespace is not null && f.Namespace != f.Folder["src/".Length..].Replace('/', '.'))
                .Select(static f => (f.Folder, $"{f.Path}: namespace {f.Namespace}")),
            "A file's namespace is its folder below src. Change the namespace, or move the file:");

    [Fact]
    public void NothingNamesTheMachineItWasWrittenOn()
    {
        // What a system always has is no path of one machine.
        var wrong = new List<string>();
        foreach (string path in Repository.TextFiles())
        {
            string[] lines = File.ReadAllLines(Path.Combine(SourceTree.Root, path));
            for (int i = 0; i < lines.Length; i++)
            {
                if (PathOfAMachine().IsMatch(lines[i]))
                    wrong.Add($"{path}:{i + 1}: {lines[i].Trim()}");
            }
        }

        Assert.True(wrong.Count == 0, $"Write paths relative to the repository; these are of one machine:\n  {string.Join("\n  ", wrong)}");
    }

    [GeneratedRegex(@"(?<![\w.$@})>*])/(?:home/[a-z]+|Users/\w+|work/\w+|root/\.\w+|workspace/\w+|mnt/c/)")]
    private static partial Regex PathOfAMachine();
}
