using System.Text.RegularExpressions;
using Vmcore.Testing;

namespace Vmcore.Kexec.Tests.Platforms;

/// <summary>What differs between architectures stays in their folders.</summary>
public sealed partial class SeamTests
{
    [Fact]
    public void NothingOutsideThePlatformsNamesOne()
    {
        string folder = Path.Combine(SourceTree.Root, "src", "Vmcore.Kexec");
        List<string> found = [];
        foreach (string file in Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories))
        {
            string path = Path.GetRelativePath(folder, file).Replace('\\', '/');
            if (path.StartsWith("obj/", StringComparison.Ordinal) || path.StartsWith("bin/", StringComparison.Ordinal)
                || (path.StartsWith("Platforms/", StringComparison.Ordinal) && path.Count(static c => c == '/') > 1))
            {
                continue;
            }

            foreach (string line in File.ReadLines(file))
            {
                string code = line.TrimStart();
                // Only the list of platforms may name them.
                bool isList = path == "Platforms/Platform.cs" && code.Contains("> All {", StringComparison.Ordinal);
                if (!code.StartsWith("//", StringComparison.Ordinal) && !isList && Forbidden().IsMatch(code))
                    found.Add($"{path}: {code}");
            }
        }

        Assert.Equal([], found);
    }

    [Fact]
    public void PlatformsAreToldApart()
    {
        Assert.Equal(Platform.All.Count, Platform.All.Select(static p => p.Machine).Distinct().Count());
        Assert.Equal(Platform.All.Count, Platform.All.Select(static p => p.ElfMachine).Distinct().Count());
        Assert.All(Platform.All, static p => Assert.Same(p, Platform.Of(p.Machine)));
        Assert.Null(Platform.Of("vax"));
    }

    [GeneratedRegex("(?i)x86|x64|amd64|arm64|aarch64|bzImage|0xffffffff80000000|\\b4096\\b|\\b0xfff\\b|(>>|<<) 12\\b|e820")]
    private static partial Regex Forbidden();
}
