using Vmcore.Findings;
using Vmcore.IO;

namespace Vmcore.Cli.Makedumpfile;

/// <summary>Opens the input, whatever its format, with what the command line says of its kernel.</summary>
internal static class InputDump
{
    /// <summary>Opens the input and says what is wrong with it.</summary>
    /// <param name="options">The command line.</param>
    /// <param name="messages">Where to say it.</param>
    /// <returns>The dump; null if the -i or -x file is of another kernel, which was said then.</returns>
    /// <exception cref="VmcoreException">It cannot be read.</exception>
    internal static CrashDump? Open(MakedumpfileOptions options, Messages messages)
    {
        CrashDump dump;
        try
        {
            dump = CrashDump.Open([options.Input, .. options.RawImages.Skip(1)], new()
            {
                VmcoreInfo = options.VmcoreInfoFile is { } file ? VmcoreInfoFile.Read(file) : null,
                VmcoreInfoName = options.VmcoreInfoFile ?? "",
                RawAddresses = options.RawAddresses,
                PmemRanges = options.PmemRanges,
                Vmlinux = options.Vmlinux,
                Mapping = options.NoMapping ? MappingChoice.None : MappingChoice.ProcVmcore,
            });
        }
        catch (MissingInformationException e) when (e.IsOtherKernel)
        {
            messages.Line(MessageKind.Error, e.Message);
            return null;
        }

        if (dump.IsXen)
        {
            dump.Dispose();
            throw new MissingInformationException($"{options.Input}: a dump of a Xen hypervisor; those are not read. makedumpfile 1.7 filters them.");
        }

        foreach (Finding problem in dump.Problems)
            messages.Line(MessageKind.Error, problem.ToString());
        return dump;
    }
}
