using System.Diagnostics;

namespace Vmcore.Fuzz;

/// <summary>Files of one run, in memory where the system has a file system for that. Removed at the end.</summary>
internal static class Scratch
{
    private const string InMemory = "/dev/shm";

    /// <summary>The folder.</summary>
    internal static string Folder { get; } = Create();

    /// <summary>A file with content.</summary>
    internal static string File(string name, byte[] bytes)
    {
        string path = Path.Combine(Folder, name);
        System.IO.File.WriteAllBytes(path, bytes);
        return path;
    }

    /// <summary>A copy of a file in which holes stay holes, on disk: vmcores are large.</summary>
    internal static string SparseCopy(string path)
    {
        string copy = Path.Combine(Path.GetTempPath(), $"vmcore-fuzz-{Environment.ProcessId}.vmcore");
        Call("cp", "--sparse=always", path, copy);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => System.IO.File.Delete(copy);
        return copy;
    }

    /// <summary>Runs a program and waits.</summary>
    /// <exception cref="InvalidOperationException">It fails.</exception>
    internal static void Call(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments))!;
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: exit status {process.ExitCode}");
    }

    private static string Create()
    {
        string folder = Path.Combine(Directory.Exists(InMemory) ? InMemory : Path.GetTempPath(), $"vmcore-fuzz-{Environment.ProcessId}");
        Directory.CreateDirectory(folder);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(folder, recursive: true);
        return folder;
    }
}
