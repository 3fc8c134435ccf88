using System.Text.RegularExpressions;
using Vmcore.Testing;

namespace Vmcore.Tests.House;

/// <summary>A C# file of the repository.</summary>
internal sealed partial class SourceFile
{
    private SourceFile(string path)
    {
        Path = path;
        Text = File.ReadAllText(System.IO.Path.Combine(SourceTree.Root, path));
        CodeText code = CodeText.Of(Text);
        Code = code.Code;
        WithStrings = code.WithStrings;
        Namespace = NamespaceLine().Match(Code) is { Success: true } match ? match.Groups["name"].Value : null;
        Usings = [.. UsingLine().Matches(Code).Select(static m => m.Groups["name"].Value)];
        Types = [.. TypeName().Matches(Outermost(Code)).Select(static m => m.Groups["name"].Value)];
    }

    /// <summary>Every C# file of the repository, by path.</summary>
    internal static IReadOnlyList<SourceFile> All { get; } = [.. new[] { "src", "tests", "samples", "bench" }
        .SelectMany(static folder => Directory.EnumerateFiles(System.IO.Path.Combine(SourceTree.Root, folder), "*.cs", SearchOption.AllDirectories))
        .Select(static path => System.IO.Path.GetRelativePath(SourceTree.Root, path))
        .Where(static path => !path.Split('/').Any(static part => part is "obj" or "bin"))
        .Order(StringComparer.Ordinal)
        .Select(static path => new SourceFile(path))];

    /// <summary>The files of the library, the loader, the executable.</summary>
    internal static IEnumerable<SourceFile> Shipped => All.Where(static f => f.Path.StartsWith("src/", StringComparison.Ordinal));

    /// <summary>The files of the library.</summary>
    internal static IEnumerable<SourceFile> Library => All.Where(static f => f.Path.StartsWith("src/Vmcore/", StringComparison.Ordinal));

    /// <summary>From the repository's root, with slashes.</summary>
    internal string Path { get; }

    internal string Text { get; }

    /// <summary>The text without comments and without what strings say.</summary>
    internal string Code { get; }

    /// <summary>The text without comments.</summary>
    internal string WithStrings { get; }

    internal string? Namespace { get; }

    internal IReadOnlyList<string> Usings { get; }

    /// <summary>The types that it declares in its namespace.</summary>
    internal IReadOnlyList<string> Types { get; }

    internal string Folder => System.IO.Path.GetDirectoryName(Path)!;

    internal string Name => System.IO.Path.GetFileName(Path);

    /// <summary>The names in it that no dot stands before, and the dotted names that start with them.</summary>
    internal IEnumerable<string> Names => NameChain().Matches(Code).Select(static m => m.Value).Distinct(StringComparer.Ordinal);

    public override string ToString() => Path;

    /// <summary>Only what stands in no braces.</summary>
    private static string Outermost(string code)
    {
        char[] kept = code.ToCharArray();
        int depth = 0;
        for (int i = 0; i < kept.Length; i++)
        {
            depth -= kept[i] == '}' ? 1 : 0;
            bool inside = depth > 0;
            depth += kept[i] == '{' ? 1 : 0;
            if (inside && kept[i] != '\n')
                kept[i] = ' ';
        }

        return new(kept);
    }

    [GeneratedRegex(@"^namespace (?<name>[\w.]+);", RegexOptions.Multiline)]
    private static partial Regex NamespaceLine();

    [GeneratedRegex(@"^using (?:static )?(?:\w+ = )?(?<name>[\w.]+);", RegexOptions.Multiline)]
    private static partial Regex UsingLine();

    [GeneratedRegex(@"\b(?:class|interface|enum|struct|record(?! struct| class)|delegate [\w<>?\[\]]+) (?<name>\w+)")]
    private static partial Regex TypeName();

    [GeneratedRegex(@"(?<![\w.])[A-Z]\w*(?:\.[A-Z]\w*)*")]
    private static partial Regex NameChain();
}
