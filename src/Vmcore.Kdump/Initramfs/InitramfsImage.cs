using System.Text;
using Vmcore.Kdump.Configuration;

namespace Vmcore.Kdump.Initramfs;

/// <summary>The initramfs of a capture kernel: the executable as init, modules in the order of loading, the configuration. No shell, no library.</summary>
internal static class InitramfsImage
{
    /// <summary>Where the names of the modules are, in the order of loading.</summary>
    internal const string ModuleList = "/modules/order";

    private const uint Program = 0x1ed, Private = 0x180;

    /// <summary>Makes the archive, not packed.</summary>
    /// <param name="executable">The executable.</param>
    /// <param name="configuration">The text of the configuration.</param>
    /// <param name="targets">The targets.</param>
    /// <param name="modules">The modules in the order of loading.</param>
    internal static byte[] Build(
        ReadOnlyMemory<byte> executable, string configuration, IEnumerable<CaptureTarget> targets, IReadOnlyList<ModuleFile> modules)
    {
        var archive = new CpioArchive();
        foreach (string folder in (ReadOnlySpan<string>)["/proc", "/sys", "/run", "/tmp", "/target"])
            archive.AddFolder(folder);
        // The kernel opens it as standard input, output and error of init before anything is mounted.
        archive.AddDevice("/dev/console", Private, 5, 1);
        archive.AddFile("/init", executable, Program);
        archive.AddFile(ConfigurationFile.Path, Encoding.UTF8.GetBytes(configuration), Private);
        archive.AddFile(CaptureTarget.Path, Encoding.UTF8.GetBytes(CaptureTarget.Write(targets)), Private);
        foreach (ModuleFile module in modules)
            archive.AddFile($"/modules/{module.Name}", module.Content, Private);
        archive.AddFile(ModuleList, Encoding.UTF8.GetBytes(string.Concat(modules.Select(static m => m.Name + "\n"))), Private);
        return archive.ToBytes();
    }
}
