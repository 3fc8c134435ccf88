using System.Diagnostics;

namespace Vmcore.Testing;

/// <summary>The repository that the tests were built from.</summary>
public static class SourceTree
{
    /// <summary>Its folder.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Runs a script of <c>tests/readers</c>.</summary>
    /// <param name="name">The script.</param>
    /// <param name="input">Its standard input.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <returns>Its standard output.</returns>
    /// <exception cref="InvalidOperationException">It fails.</exception>
    public static string RunReader(string name, string input, params string[] arguments)
    {
        string script = Path.Combine(Root, "tests", "readers", name);
        using Process process = Process.Start(new ProcessStartInfo(script, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
        })!;
        var feed = Task.Run(() =>
        {
            process.StandardInput.Write(input);
            process.StandardInput.Close();
        });
        string text = process.StandardOutput.ReadToEnd();
        feed.Wait();
        process.WaitForExit();
        return process.ExitCode == 0 ? text : throw new InvalidOperationException($"{name} exits {process.ExitCode}, expected 0");
    }

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Vmcore.slnx")))
                return folder.FullName;
        }

        throw new InvalidOperationException($"No folder above {AppContext.BaseDirectory} has Vmcore.slnx.");
    }
}
