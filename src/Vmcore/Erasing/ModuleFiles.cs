using Vmcore.Formats.Elf;
using Vmcore.IO;

namespace Vmcore.Erasing;

/// <summary>Looks for the debug information of modules.</summary>
internal static class ModuleFiles
{
    /// <summary>Looks for the debug information of a module where debug packages put it, and where modules are.</summary>
    /// <param name="module">The module's name.</param>
    /// <param name="release">The kernel's release.</param>
    /// <param name="vmlinux">Path of the vmlinux; modules may lie below its folder.</param>
    /// <param name="limits">The bounds on what is looked at.</param>
    /// <returns>A file with debug information; null if there is none.</returns>
    internal static string? Find(string module, string? release, string? vmlinux, ReadLimits limits)
    {
        List<string> folders = [];
        if (release is not null && !release.Contains('/', StringComparison.Ordinal) && !release.StartsWith('.'))
            folders.AddRange([$"/usr/lib/debug/lib/modules/{release}", $"/usr/lib/debug/usr/lib/modules/{release}", $"/lib/modules/{release}"]);
        if (vmlinux is not null && Path.GetDirectoryName(Path.GetFullPath(vmlinux)) is { } beside)
            folders.Add(beside);
        HashSet<string> names = [];
        foreach (string name in (ReadOnlySpan<string>)[module, module.Replace('_', '-'), module.Replace('-', '_')])
            names.UnionWith([name + ".ko.debug", name + ".ko"]);
        var options = new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true, MaxRecursionDepth = 16 };
        foreach (string folder in folders.Where(Directory.Exists))
        {
            // Modules are named with either, and in either case once.
            foreach (string path in Directory.EnumerateFiles(folder, "*.ko*", options).Take(limits.ModuleFolders)
                .Where(p => names.Contains(Path.GetFileName(p))).OrderByDescending(p => p.Length))
            {
                if (HasDebugInformation(path, limits))
                    return path;
            }
        }

        return null;
    }

    private static bool HasDebugInformation(string path, ReadLimits limits)
    {
        try
        {
            using ElfObjectFile file = ElfObjectFile.Open(path, limits);
            return file.Sections.Any(s => s is { HasBytes: true, Name: ".debug_info" or ".zdebug_info" });
        }
        catch (VmcoreException)
        {
            return false;
        }
    }
}
