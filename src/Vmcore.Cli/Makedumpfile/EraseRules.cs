using System.Globalization;
using Vmcore.Erasing;
using Vmcore.Kernel.Vmlinux;

namespace Vmcore.Cli.Makedumpfile;

/// <summary><c>--config</c>: erases data by rules before anything is written.</summary>
internal static class EraseRules
{
    private const int ToldMessages = 100;

    /// <summary>Applies the rules to the dump.</summary>
    /// <exception cref="VmcoreException">The file is not understood, or a rule cannot be applied and the command line does not allow that.</exception>
    internal static void Apply(CrashDump dump, MakedumpfileOptions options, Messages messages)
    {
        string path = options.ConfigFile!;
        EraseConfig config = EraseConfig.Read(path, dump.Limits);
        using VmlinuxFile? vmlinux = options.Vmlinux is { } file ? VmlinuxFile.Open(file, dump.Limits) : null;
        EraseResult result = Eraser.Apply(dump.KernelView, config, path, vmlinux);
        if (vmlinux?.TypesProblem is { } problem)
            messages.Line(MessageKind.Error, problem.ToString());
        foreach (string remark in result.Remarks.Take(ToldMessages))
            messages.Line(MessageKind.Common, remark);
        foreach (string failure in result.Failures.Take(ToldMessages))
            messages.Line(MessageKind.Error, failure);
        if (result.Failures.Count > 0 && !options.SkipFailedErase)
            throw new MissingInformationException(string.Create(CultureInfo.InvariantCulture, $"{path}: {result.Failures.Count} rules cannot be applied; "
                + $"nothing is written, since the dump could hold what they were to erase (--skip-failed-erase writes it nevertheless)"));
        dump.Erase(result.Data);
        if (messages.Shows(MessageKind.Debug))
            messages.Write(MessageKind.Debug, result.Data.Text);
    }
}
