using Vmcore.Kdump.Configuration;
using Vmcore.Kdump.Initramfs;
using Vmcore.Kexec;

namespace Vmcore.Kdump.Loading;

/// <summary>All that is decided before an initramfs is made and a crash kernel loaded.</summary>
internal sealed class KdumpPlan
{
    /// <summary>The folder that stands for <c>/</c>; empty for the running system.</summary>
    public required string Sysroot { get; init; }

    /// <summary>The configuration.</summary>
    public required KdumpConfiguration Configuration { get; init; }

    /// <summary>Its text.</summary>
    public required string ConfigurationText { get; init; }

    /// <summary>Release of the capture kernel, whose modules are taken.</summary>
    public required string Release { get; init; }

    /// <summary>The capture kernel.</summary>
    public required KernelImage Kernel { get; init; }

    /// <summary>The targets in the order in which they are tried.</summary>
    public required IReadOnlyList<ResolvedTarget> Targets { get; init; }

    /// <summary>Files of the modules, in the order of loading; absolute paths of the system.</summary>
    public required IReadOnlyList<string> Modules { get; init; }

    /// <summary>The executable that becomes init.</summary>
    public required string Executable { get; init; }

    /// <summary>The capture kernel's command line, without what the loader adds.</summary>
    public required string CommandLine { get; init; }

    /// <summary>Digest of all that the initramfs is made of.</summary>
    public required string Key { get; init; }

    /// <summary>What the operator should know.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }

    /// <summary>Names of the block devices below the targets, for the loader's look at pmem.</summary>
    public IReadOnlyList<string> Devices =>
        [.. Targets.Where(static t => t.Device.Length > 0).SelectMany(t => BlockDevices.Resolve(Sysroot, t.Device)).Distinct(StringComparer.Ordinal)];

    /// <summary>Makes the initramfs, packed.</summary>
    /// <exception cref="KdumpException">A file cannot be read.</exception>
    internal byte[] BuildInitramfs()
    {
        var root = new SystemRoot(Sysroot);
        byte[] executable;
        try
        {
            executable = File.ReadAllBytes(Executable);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KdumpException($"Cannot read {Executable}, which is to be init: {e.Message}", e);
        }

        ModuleFile[] modules = [.. Modules.Select(m => ModuleFile.Read(root, m))];
        return GzipPacker.Pack(InitramfsImage.Build(executable, ConfigurationText, Targets.Select(static t => t.Capture), modules));
    }
}
