using System.Text;
using Vmcore.IO;
using Vmcore.Kdump.Configuration;
using Vmcore.Kdump.Loading;
using Vmcore.Kexec;

namespace Vmcore.Kdump.Installing;

/// <summary>Has the crash kernel loaded at each start of the machine: a configuration, a unit of systemd and a rule of udev. And takes that back.</summary>
internal static class KdumpInstaller
{
    private const string Unit = "vmcore-kdump.service";
    private const string UnitFile = $"/etc/systemd/system/{Unit}";
    private const string Wanted = $"/etc/systemd/system/multi-user.target.wants/{Unit}";
    private const string Rule = "99-vmcore-kdump.rules";
    private const string RuleFile = "/etc/udev/rules.d/98-vmcore-kdump-service.rules";
    private static readonly string[] s_packagedUnits = [$"/lib/systemd/system/{Unit}", $"/usr/lib/systemd/system/{Unit}"];
    private static readonly string[] s_packagedRules = [$"/lib/udev/rules.d/{Rule}", $"/usr/lib/udev/rules.d/{Rule}"];

    // As in packaging/kdump, which is for a package; here the executable may lie anywhere.
    private static string UnitText(string executable) => $"""
        [Unit]
        Description=Crash kernel with an initramfs of vmcore
        Documentation=man:vmcore-kdump(8)
        After=local-fs.target systemd-modules-load.service
        ConditionKernelCommandLine=crashkernel
        ConditionPathExists=!/proc/vmcore

        [Service]
        Type=oneshot
        RemainAfterExit=yes
        ExecStart={executable} kdump load
        ExecReload={executable} kdump load
        ExecStop={executable} kdump unload

        [Install]
        WantedBy=multi-user.target

        """;

    private const string RuleText = """
        # Written by 'vmcore kdump install': load the crash kernel again when memory, CPUs or memmaps on pmem change.
        SUBSYSTEM!="memory|cpu|nd|dax", GOTO="vmcore_kdump_end"
        SUBSYSTEM=="memory|cpu", ACTION!="online|offline|add|remove", GOTO="vmcore_kdump_end"
        SUBSYSTEM=="memory|cpu", ATTRS{crash_hotplug}=="1", GOTO="vmcore_kdump_end"
        SUBSYSTEM=="nd", KERNEL!="pfn*|dax*|namespace*", GOTO="vmcore_kdump_end"
        SUBSYSTEM=="nd|dax", ACTION!="bind|unbind|remove", GOTO="vmcore_kdump_end"
        RUN+="/bin/systemctl --no-block try-reload-or-restart vmcore-kdump.service"
        LABEL="vmcore_kdump_end"

        """;

    /// <summary>Installs.</summary>
    /// <param name="sysroot">The folder that stands for <c>/</c>; empty for the running system.</param>
    /// <param name="executable">The executable that the unit starts.</param>
    /// <param name="isDryRun">True to write nothing.</param>
    /// <returns>What was done, or would be, a sentence each.</returns>
    /// <exception cref="KdumpException">Another service loads crash kernels, the configuration is wrong, or a file cannot be written.</exception>
    internal static IReadOnlyList<string> Install(string sysroot, string executable, bool isDryRun)
    {
        var root = new SystemRoot(sysroot);
        if (RivalServices.Find(root) is { } rival)
            throw new KdumpException(rival);
        KdumpPlanner.ReadConfiguration(root, out _);
        List<string> done = [];
        if (!root.Exists(ConfigurationFile.Path))
            Write(root, ConfigurationFile.Path, ConfigurationFile.Template(), isDryRun, done);
        string? unit = s_packagedUnits.FirstOrDefault(root.Exists);
        if (unit is null)
            Write(root, unit = UnitFile, UnitText(executable), isDryRun, done);
        if (!s_packagedRules.Any(root.Exists))
            Write(root, RuleFile, RuleText, isDryRun, done);
        if (root.LinkTarget(Wanted) is null)
        {
            done.Add($"{root.Map(Wanted)} -> {unit}");
            Try(Wanted, isDryRun, () =>
            {
                Directory.CreateDirectory(Path.GetDirectoryName(root.Map(Wanted))!);
                File.CreateSymbolicLink(root.Map(Wanted), unit);
            });
        }

        return done;
    }

    /// <summary>Takes back what <see cref="Install"/> did. The configuration stays.</summary>
    /// <returns>What is gone, or would be.</returns>
    /// <inheritdoc cref="Install"/>
    internal static IReadOnlyList<string> Remove(string sysroot, bool isDryRun)
    {
        var root = new SystemRoot(sysroot);
        List<string> done = [];
        foreach (string file in (ReadOnlySpan<string>)[Wanted, UnitFile, RuleFile])
        {
            if (!root.Exists(file) && root.LinkTarget(file) is null)
                continue;
            done.Add($"{root.Map(file)} is deleted");
            Try(file, isDryRun, () => File.Delete(root.Map(file)));
        }

        return done;
    }

    private static void Write(SystemRoot root, string path, string text, bool isDryRun, List<string> done)
    {
        string file = root.Map(path);
        if (root.TryReadText(path) == text.Trim())
            return;
        done.Add($"{file} is written");
        Try(path, isDryRun, () =>
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            using var sink = FileSink.Create(file, overwrite: true);
            byte[] bytes = Encoding.UTF8.GetBytes(text);
            sink.Write(0, bytes);
            sink.Complete(bytes.Length);
            // A unit and a rule hold no secrets, and systemd complains of what not everybody may read.
            if (path != ConfigurationFile.Path)
                File.SetUnixFileMode(file, (UnixFileMode)0x1a4);
        });
    }

    private static void Try(string path, bool isDryRun, Action action)
    {
        try
        {
            if (!isDryRun)
                action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FileAccessException)
        {
            throw new KdumpException($"Cannot write {path}: {e.Message}", e);
        }
    }
}
