namespace Vmcore.Cli.Makedumpfile;

/// <summary>Tells whether two paths name one file.</summary>
internal static class SameFile
{
    /// <summary>True if both resolve to the same path, symbolic links followed. Two hard links to one file are not noticed.</summary>
    internal static bool Are(string a, string b) => Resolve(a) == Resolve(b);

    private static string Resolve(string path)
    {
        string full = Path.GetFullPath(path);
        return File.ResolveLinkTarget(full, returnFinalTarget: true)?.FullName ?? full;
    }
}
