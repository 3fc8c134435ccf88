using System.Globalization;
using System.Text;
using Vmcore.Hashing;
using Vmcore.Kdump.Configuration;
using Vmcore.Kdump.Initramfs;
using Vmcore.Kdump.Modules;
using Vmcore.Kexec;

namespace Vmcore.Kdump.Loading;

/// <summary>Reads the configuration and the system, and decides what goes into the initramfs.</summary>
internal static class KdumpPlanner
{
    /// <summary>Where a kernel's file is, by its release: of Debian, Fedora and SUSE, and beside its modules.</summary>
    private static readonly string[] s_kernels =
        ["/boot/vmlinuz-*", "/lib/modules/*/vmlinuz", "/usr/lib/modules/*/vmlinuz", "/boot/Image-*", "/usr/lib/kernel/vmlinuz-*"];

    /// <summary>Reads the configuration's file.</summary>
    /// <param name="root">The system.</param>
    /// <param name="text">Receives its text; empty if there is none.</param>
    /// <exception cref="KdumpException">A key or value is wrong, or the file cannot be read.</exception>
    internal static KdumpConfiguration ReadConfiguration(SystemRoot root, out string text)
    {
        string file = root.Map(ConfigurationFile.Path);
        text = "";
        if (root.Exists(ConfigurationFile.Path))
        {
            byte[] bytes = root.TryReadBytes(ConfigurationFile.Path, ConfigurationFile.Limit + 1)
                ?? throw new KdumpException($"Cannot read {file}: run as root.");
            text = Encoding.UTF8.GetString(bytes);
        }

        return ConfigurationFile.Parse(text, file);
    }

    /// <summary>Decides.</summary>
    /// <param name="sysroot">The folder that stands for <c>/</c>; empty for the running system.</param>
    /// <param name="executable">The executable that becomes init.</param>
    /// <exception cref="KdumpException">The configuration is wrong, no target can be reached, or a module that is needed is not there.</exception>
    /// <exception cref="KexecException">The kernel is none that can be loaded.</exception>
    internal static KdumpPlan Plan(string sysroot, string executable)
    {
        var root = new SystemRoot(sysroot);
        KdumpConfiguration configuration = ReadConfiguration(root, out string text);
        string running = root.TryReadText("/proc/sys/kernel/osrelease", 256) is { Length: > 0 } told ? told
            : throw new KdumpException($"Cannot read {root.Map("/proc/sys/kernel/osrelease")}: mount /proc.");
        KernelImage kernel = KernelFile.Open(root.Map(FindKernel(root, configuration, running)), RunningSystemReader.Recognise(sysroot));
        string release = configuration.Kernel.Length > 0 && kernel.Release.Length > 0 ? kernel.Release : running;
        List<string> warnings = [];
        IReadOnlyList<ResolvedTarget> targets = Resolve(root, configuration, warnings);
        IReadOnlyList<string> modules = FindModules(root, release, configuration, targets, warnings);
        return new()
        {
            Sysroot = sysroot,
            Configuration = configuration,
            ConfigurationText = text,
            Release = release,
            Kernel = kernel,
            Targets = targets,
            Modules = modules,
            Executable = executable,
            CommandLine = CaptureWords.Build(RunningSystemReader.ReadCommandLine(sysroot), configuration),
            Key = Digest(root, text, targets, modules, executable),
            Warnings = warnings,
        };
    }

    private static string FindKernel(SystemRoot root, KdumpConfiguration configuration, string release)
    {
        if (configuration.Kernel.Length > 0)
            return configuration.Kernel;
        string[] places = [.. s_kernels.Select(k => k.Replace("*", release, StringComparison.Ordinal))];
        return places.FirstOrDefault(root.Exists)
            ?? throw new KdumpException($"There is no kernel {string.Join(" or ", places)}: name it with 'kernel = PATH' in {ConfigurationFile.Path}.");
    }

    // A fallback that is not there is no reason to have no crash kernel, and neither is a target beside one that is there.
    private static List<ResolvedTarget> Resolve(SystemRoot root, KdumpConfiguration configuration, List<string> warnings)
    {
        var resolver = new TargetResolver(root);
        List<ResolvedTarget> targets = [];
        KdumpException? first = null;
        foreach (KdumpTarget target in configuration.Targets)
        {
            try
            {
                targets.Add(resolver.Resolve(target));
            }
            catch (KdumpException e)
            {
                first ??= e;
                warnings.Add($"{e.Message} It is left out.");
            }
        }

        return targets.Count > 0 ? targets : throw first!;
    }

    private static List<string> FindModules(
        SystemRoot root, string release, KdumpConfiguration configuration, IReadOnlyList<ResolvedTarget> targets, List<string> warnings)
    {
        var index = ModuleIndex.TryRead(root, release);
        var modules = new ModuleSet(index);
        if (index is null && root.Exists("/proc/modules") && root.TryReadText("/proc/modules", 64) is { Length: > 0 })
        {
            throw new KdumpException($"There is no {root.Map($"/lib/modules/{release}")}/modules.dep, and the running kernel uses modules: "
                + $"run 'depmod {release}', or boot the kernel that is installed.");
        }

        foreach (ResolvedTarget target in targets.Where(static t => t.Device.Length > 0))
            DeviceModules.Add(root, $"/sys/class/block/{target.Device}", modules);
        foreach (string type in targets.Select(static t => t.Capture.Type).Where(static t => t.Length > 0).Distinct(StringComparer.Ordinal))
            AddFileSystem(root, type, modules, index);
        if (configuration.Watchdog)
            DeviceModules.Add(root, "/sys/class/watchdog/watchdog0", modules);
        foreach (string name in configuration.Modules)
        {
            if (!modules.Add(name) && !modules.AddAlias(name))
                warnings.Add($"The kernel {release} has no module {name}, which 'modules' names: it is left out.");
        }

        return [.. modules.Order.Select(m => $"{index!.Folder}/{index.PathOf(m)}")];
    }

    private static void AddFileSystem(SystemRoot root, string type, ModuleSet modules, ModuleIndex? index)
    {
        // File systems look for a check sum or an encoding of names when they are mounted, and nothing loads a module then.
        if (type is "ext4" or "xfs" or "btrfs")
            modules.AddAlias("crypto-crc32c");
        foreach (string charset in (ReadOnlySpan<string>)(type == "vfat" ? ["nls_cp437", "nls_iso8859-1", "nls_ascii", "nls_utf8"] : []))
            modules.Add(charset);
        if (modules.Add(type) || modules.AddAlias($"fs-{type}") || index is null)
            return;
        // What the kernel knows and has no module of is built in.
        bool isKnown = (root.TryReadText("/proc/filesystems") ?? "").Split('\n').Any(l => l.Split('\t')[^1] == type);
        if (!isKnown)
            throw new KdumpException($"The kernel has no module for {type} in {index.Folder}, and it is not built in: "
                + "install the kernel's modules, or name another target.");
    }

    private static string Digest(SystemRoot root, string text, IEnumerable<ResolvedTarget> targets, IEnumerable<string> modules, string executable)
    {
        var hash = new Sha256();
        void Add(string part)
        {
            hash.Append(Encoding.UTF8.GetBytes(part));
            hash.Append([0]);
        }

        Add(typeof(KdumpPlanner).Assembly.GetName().Version?.ToString() ?? "");
        Add(text);
        Add(CaptureTarget.Write(targets.Select(static t => t.Capture)));
        Add(root.TryReadText("/sys/module/compression", 64) ?? "");
        foreach (string module in modules)
        {
            var file = new FileInfo(root.Map(module));
            Add(string.Create(CultureInfo.InvariantCulture, $"{module} {(file.Exists ? file.Length : -1)} {(file.Exists ? file.LastWriteTimeUtc.Ticks : 0)}"));
        }

        try
        {
            using FileStream stream = new(executable, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            byte[] buffer = new byte[1 << 17];
            for (int count; (count = stream.Read(buffer, 0, buffer.Length)) > 0;)
                hash.Append(buffer.AsSpan(0, count));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KdumpException($"Cannot read {executable}, which is to be init: {e.Message}", e);
        }

        return Convert.ToHexStringLower(hash.Finish());
    }
}
