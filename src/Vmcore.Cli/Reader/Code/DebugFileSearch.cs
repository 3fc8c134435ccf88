using System.ComponentModel;
using System.Diagnostics;
using Vmcore.Cli.Code;
using Vmcore.Kernel;
using Vmcore.Kernel.Vmlinux;
using Vmcore.Opening;

namespace Vmcore.Cli.Reader.Code;

/// <summary>
/// Looks for the debug information of a dump's kernel, by its build id: on this machine, and by debuginfod if that is configured here. There the client
/// of elfutils asks, which verifies and keeps what it gets; nothing of the dump but the build id is sent.
/// </summary>
internal static class DebugFileSearch
{
    private const string Auto = "auto";
    private const string Client = "debuginfod-find";
    private const string Servers = "DEBUGINFOD_URLS";

    /// <summary>The options with the file that was found in place of the word <c>auto</c>.</summary>
    /// <param name="options">How the dump is opened.</param>
    /// <param name="files">Its files.</param>
    /// <exception cref="VmcoreException">No file is of the dump's kernel, or the dump does not say which that is.</exception>
    internal static CrashDumpOptions Resolved(CrashDumpOptions options, IReadOnlyList<string> files)
    {
        if (options.Vmlinux != Auto)
            return options;
        if (!CodeFeature.IsIncluded)
            throw new VmcoreException($"--vmlinux {Auto}: this executable does not look for debug information: {CodeFeature.Program} does");
        using CrashDump dump = CrashDump.Open(files, options with { Vmlinux = null });
        return options with { Vmlinux = Find(dump.KernelView, files[0]) };
    }

    /// <summary>Opens what is on this machine, for the lines alone; null if nothing is.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="dump">The dump's file.</param>
    internal static SourceLines? TryOpenLines(KernelView kernel, string dump)
    {
        if (kernel.Kernel?.VmcoreInfo is not { BuildId: not null } info)
            return null;
        foreach (string place in DebugFiles.Places(info, dump))
        {
            if (!File.Exists(place))
                continue;
            try
            {
                if (SourceLines.Open(place, info, kernel.Name, kernel.Limits) is { } lines)
                    return lines;
            }
            catch (VmcoreException)
            {
                // Not of this kernel, or no vmlinux.
            }
        }

        return null;
    }

    private static string Find(KernelView kernel, string dump)
    {
        if (kernel.VmcoreInfo is not { } info || DebugFiles.BuildIdOf(info) is not { } id)
        {
            throw new MissingInformationException(
                $"{kernel.Name}: it does not say the build id of its kernel, by which debug information is found; name the file: --vmlinux FILE");
        }

        IReadOnlyList<string> places = DebugFiles.Places(info, dump);
        List<string> refused = [];
        foreach (string place in places)
        {
            if (!File.Exists(place))
                continue;
            if (Refusal(place, id) is not { } why)
                return place;
            refused.Add($"{place} is refused: {why}");
        }

        string asked = Ask(id, out string? path), looked = string.Join(", ", places.Where(static p => p.StartsWith("/usr/", StringComparison.Ordinal)).Take(3));
        if (path is not null && Refusal(path, id) is { } wrong)
            throw new VmcoreException($"{path}, which {Client} gave, is refused: {wrong}");
        return path ?? throw new MissingInformationException($"{kernel.Name}: no debug information of its kernel (build id {id}) is here: "
            + $"looked beside it and at {looked} and the like"
            + $"{(refused.Count > 0 ? "; " + string.Join("; ", refused) : "")}; {asked}");
    }

    private static string? Refusal(string path, string id)
    {
        try
        {
            using var vmlinux = VmlinuxFile.Open(path);
            return string.Equals(vmlinux.BuildId, id, StringComparison.OrdinalIgnoreCase) ? null : $"its build id is {vmlinux.BuildId ?? "missing"}";
        }
        catch (VmcoreException e)
        {
            return e.Message;
        }
    }

    private static string Ask(string id, out string? path)
    {
        path = null;
        if (string.IsNullOrWhiteSpace(Environment.GetEnvironmentVariable(Servers)))
            return $"no server was asked ({Servers} is not set)";
        try
        {
            var start = new ProcessStartInfo(Client) { RedirectStandardOutput = true, UseShellExecute = false };
            start.ArgumentList.Add("debuginfo");
            start.ArgumentList.Add(id);
            using Process process = Process.Start(start)!;
            string answer = process.StandardOutput.ReadToEnd().Trim();
            process.WaitForExit();
            if (process.ExitCode == 0 && File.Exists(answer))
                path = answer;
            return path is null ? $"{Client} found none at the servers of {Servers}" : "";
        }
        catch (Win32Exception)
        {
            return $"{Servers} is set, but {Client} is not installed (elfutils)";
        }
    }
}
