using System.Diagnostics;
using Vmcore.Testing;

namespace Vmcore.Tests.House;

/// <summary>The files that the repository has, as git lists them; in an archive without git, what lies in its folders.</summary>
internal static class Repository
{
    private static readonly string[] s_bytes = [".zst", ".png", ".gz", ".ico"];

    /// <summary>Every file of text, by path.</summary>
    internal static IReadOnlyList<string> TextFiles() =>
        [.. Files().Where(static f => !s_bytes.Contains(Path.GetExtension(f)) && File.Exists(Path.Combine(SourceTree.Root, f)))];

    private static IEnumerable<string> Files()
    {
        if (!Path.Exists(Path.Combine(SourceTree.Root, ".git")))
        {
            return Directory.EnumerateFiles(SourceTree.Root, "*", SearchOption.AllDirectories)
                .Select(static f => Path.GetRelativePath(SourceTree.Root, f))
                .Where(static f => !f.Split('/').Any(static part => part is "obj" or "bin" or "artifacts" or ".cache"));
        }

        using Process git = Process.Start(new ProcessStartInfo("git", ["-C", SourceTree.Root, "ls-files", "-z"])
        {
            RedirectStandardOutput = true,
            UseShellExecute = false,
        })!;
        string[] files = git.StandardOutput.ReadToEnd().Split('\0', StringSplitOptions.RemoveEmptyEntries);
        git.WaitForExit();
        return files;
    }
}
