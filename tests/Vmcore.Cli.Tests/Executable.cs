using Vmcore.Testing;

namespace Vmcore.Cli.Tests;

/// <summary>
/// The executable that the tests run, by its names. It is the native one that <c>./build</c> makes; where there is none, or VMCORE_MANAGED is 1, the managed
/// one that was built with the tests, which a debugger can be attached to and whose coverage can be measured. With VMCORE_EMULATED=arm64 it is the one of
/// <c>./build --arch arm64</c>, under QEMU's emulation of a process.
/// </summary>
internal static class Executable
{
    private static readonly string s_folder = IsEmulated ? EmulatedFolder() : IsManaged ? ManagedFolder() : NativeFolder;

    /// <summary>Whether it is that of another machine.</summary>
    internal static bool IsEmulated => Environment.GetEnvironmentVariable("VMCORE_EMULATED") == "arm64";

    /// <summary>Whether it is the managed one.</summary>
    internal static bool IsManaged =>
        !IsEmulated && (Environment.GetEnvironmentVariable("VMCORE_MANAGED") == "1" || !File.Exists(Path.Combine(NativeFolder, "vmcore")));

    /// <summary>The reader.</summary>
    internal static string Vmcore { get; } = Path.Combine(s_folder, "vmcore");

    /// <summary>The reader that decodes instructions.</summary>
    internal static string Reader { get; } = IsManaged ? Vmcore : Path.Combine(s_folder, "vmcore-reader");

    /// <summary>The dumper.</summary>
    internal static string Makedumpfile { get; } = Path.Combine(s_folder, "makedumpfile");

    /// <summary>The loader.</summary>
    internal static string Kexec { get; } = Path.Combine(s_folder, "kexec");

    /// <summary>The reader of logs.</summary>
    internal static string VmcoreDmesg { get; } = Path.Combine(s_folder, "vmcore-dmesg");

    private static string NativeFolder => Path.Combine(SourceTree.Root, "artifacts", "bin");

    /// <summary>Skips a test of what only the native executable is or does.</summary>
    /// <param name="what">What that is.</param>
    internal static void NeedsNative(string what) => Assert.SkipWhen(IsManaged, $"{what}: of the native executable only (./build)");

    /// <summary>A script for each name, since a program on the runtime cannot be told by which name it was called.</summary>
    private static string ManagedFolder()
    {
        string program = Path.Combine(AppContext.BaseDirectory, "Vmcore.Cli.dll");
        return Scripts("managed", name => $"'{Environment.ProcessPath ?? "dotnet"}' exec '{program}' {(name is "vmcore" or "vmcore-reader" ? "" : name)}");
    }

    private static string EmulatedFolder() =>
        Scripts("emulated", name => $"qemu-aarch64-static -0 {name} '{Path.Combine(NativeFolder + "-arm64", name)}'");

    private static string Scripts(string folderName, Func<string, string> command)
    {
        string folder = Path.Combine(SourceTree.Root, ".cache", folderName);
        Directory.CreateDirectory(folder);
        foreach (string name in (string[])["vmcore", "vmcore-reader", "makedumpfile", "kexec", "vmcore-dmesg"])
        {
            // Written aside and moved: another run of the tests may be executing it.
            string script = Path.Combine(folder, name), aside = $"{script}.{Environment.ProcessId}";
            File.WriteAllText(aside, $"#!/bin/sh\nexec {command(name)} \"$@\"\n");
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(aside, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            File.Move(aside, script, overwrite: true);
        }

        return folder;
    }
}
