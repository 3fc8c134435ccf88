using Vmcore.Kernel.Modules;
using Vmcore.Kernel.Vmlinux;

namespace Vmcore.Erasing;

/// <summary>What came of the rules.</summary>
/// <param name="Data">What is erased.</param>
/// <param name="Remarks">What the operator should know, one sentence each.</param>
/// <param name="Failures">Rules that could not be applied, wholly or in part, and why; one sentence each. What they were to erase may be in the dump.</param>
public sealed record EraseResult(ErasedData Data, IReadOnlyList<string> Remarks, IReadOnlyList<string> Failures);

/// <summary>Applies rules to a dump: finds out which bytes of its memory they mean.</summary>
public static class Eraser
{
    /// <inheritdoc cref="Apply(CrashDump, EraseConfig, string, VmlinuxFile?)"/>
    public static EraseResult Apply(CrashDump dump, EraseConfig config, string file) => Apply(dump, config, file, null);

    /// <summary>Applies the rules. The dump itself is not changed: see <see cref="CrashDump.Erase"/>.</summary>
    /// <param name="dump">The dump.</param>
    /// <param name="config">The rules.</param>
    /// <param name="file">Name of the file with the rules, for messages.</param>
    /// <param name="vmlinux">The kernel's debug information; null to take what the dump itself says.</param>
    /// <exception cref="MissingInformationException">The dump's kernel cannot be read, so that no rule can be applied.</exception>
    internal static EraseResult Apply(CrashDump dump, EraseConfig config, string file, VmlinuxFile? vmlinux)
    {
        if (dump.Kernel is null)
            throw new MissingInformationException(
                $"{file}: {dump.ClassificationProblem ?? $"{dump.Name}: the kernel's memory cannot be found"}: nothing can be erased");
        if (dump.Symbols is null && vmlinux is null)
            throw new MissingInformationException($"{file}: {dump.Name} has no symbols ({dump.SymbolsProblem}): give the kernel's vmlinux with -x");
        var data = new ErasedData();
        List<string> remarks = [], failures = [];
        foreach (EraseSection section in config.Sections)
        {
            using EraseScope? scope = ScopeOf(dump, section, file, vmlinux, remarks, failures);
            if (scope is null)
                continue;
            var resolver = new EraseResolver(dump.Kernel.Memory, scope, data);
            foreach (EraseCommand command in section.Commands)
                resolver.Run(command, problem => failures.Add($"{file}: line {command.Line}: {problem}"));
            foreach (string remark in resolver.Remarks)
                remarks.Add($"{file}: {remark}");
        }

        return new(data, remarks, failures);
    }

    private static EraseScope? ScopeOf(CrashDump dump, EraseSection section, string file, VmlinuxFile? vmlinux, List<string> remarks, List<string> failures)
    {
        if (section.Module == "vmlinux")
            return EraseScope.OfKernel(dump, vmlinux);
        if (dump.Modules is not { } modules)
        {
            failures.Add($"{file}: [{section.Module}]: the list of modules cannot be read out of {dump.Name}: {dump.SymbolsProblem ?? dump.TypesProblem}");
            return null;
        }

        string wanted = section.Module.Replace('-', '_');
        KernelModule? module = modules.Modules.FirstOrDefault(m => m.Name.Replace('-', '_') == wanted);
        if (module is null)
        {
            if (modules.Problem is { } problem)
                failures.Add($"{file}: [{section.Module}]: not found, and the list of modules is damaged: {problem}");
            else
                remarks.Add($"{file}: [{section.Module}]: this module was not loaded; its rules have nothing to erase.");
            return null;
        }

        string? debug = EraseScope.FindModuleFile(module.Name, dump.Info?.OsRelease, vmlinux?.Path);
        return EraseScope.OfModule(dump, vmlinux, module, debug);
    }
}
