using Vmcore.Findings;
using Vmcore.Kernel;
using Vmcore.Kernel.Modules;
using Vmcore.Kernel.Vmlinux;

namespace Vmcore.Erasing;

/// <summary>What came of the rules.</summary>
/// <param name="Data">What is erased.</param>
/// <param name="Remarks">What the operator should know, one sentence each.</param>
/// <param name="Failures">Rules that could not be applied, wholly or in part, and why; one sentence each. What they were to erase may be in the kernel.</param>
public sealed record EraseResult(ErasedData Data, IReadOnlyList<string> Remarks, IReadOnlyList<string> Failures);

/// <summary>Applies rules to a dump: finds out which bytes of its memory they mean.</summary>
public static class Eraser
{
    /// <summary>Applies the rules. The dump is not changed: that does whoever hands <see cref="EraseResult.Data"/> to it.</summary>
    /// <param name="kernel">The crashed kernel.</param>
    /// <param name="config">The rules.</param>
    /// <param name="file">Name of the file with the rules, for messages.</param>
    /// <param name="vmlinux">The kernel's debug information; null to take what the dump itself says.</param>
    /// <exception cref="MissingInformationException">The dump's kernel cannot be read, so that no rule can be applied.</exception>
    public static EraseResult Apply(KernelView kernel, EraseConfig config, string file, VmlinuxFile? vmlinux = null)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        ArgumentNullException.ThrowIfNull(config);
        if (kernel.Memory is not { } memory)
            throw new MissingInformationException($"{file}: {kernel.KernelProblem}: nothing can be erased");
        if (kernel.Symbols is null && vmlinux is null)
            throw new MissingInformationException($"{file}: {kernel.Name} has no symbols ({kernel.SymbolsProblem}): give the kernel's vmlinux with -x");
        var data = new ErasedData(memory.Limits);
        List<string> remarks = [], failures = [];
        foreach (EraseSection section in config.Sections)
        {
            using EraseScope? scope = ScopeOf(kernel, section, file, vmlinux, remarks, failures);
            if (scope is null)
                continue;
            var resolver = new EraseResolver(memory, scope, data);
            foreach (EraseCommand command in section.Commands)
                resolver.Run(command, problem => failures.Add($"{file}: line {command.Line}: {problem}"));
            foreach (string remark in resolver.Remarks)
                remarks.Add($"{file}: {remark}");
        }

        return new(data, remarks, failures);
    }

    private static EraseScope? ScopeOf(KernelView kernel, EraseSection section, string file, VmlinuxFile? vmlinux, List<string> remarks, List<string> failures)
    {
        if (section.Module == "vmlinux")
            return EraseScope.OfKernel(kernel, vmlinux);
        if (kernel.Modules is not { } modules)
        {
            Finding? why = kernel.SymbolsProblem ?? kernel.TypesProblem;
            failures.Add($"{file}: [{section.Module}]: the list of modules cannot be read out of {kernel.Name}: {why}");
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

        string? debug = ModuleFiles.Find(module.Name, kernel.VmcoreInfo?.OsRelease, vmlinux?.Path, kernel.Limits);
        return EraseScope.OfModule(kernel, vmlinux, module, debug);
    }
}
