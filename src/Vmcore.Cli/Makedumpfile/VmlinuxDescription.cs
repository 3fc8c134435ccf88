using System.Text;
using Vmcore.IO;
using Vmcore.Kernel.Vmlinux;

namespace Vmcore.Cli.Makedumpfile;

/// <summary>What <c>-x</c> says of the kernel of a dump.</summary>
internal static class VmlinuxDescription
{
    /// <summary>Checks that the file is of the dump's kernel; where the dump has no vmcoreinfo, opens it again with that of the file.</summary>
    /// <param name="path">The vmlinux.</param>
    /// <param name="options">The command line.</param>
    /// <param name="dump">The dump; exchanged if it has to be opened again.</param>
    /// <param name="wrong">Receives null, or why the file is of another kernel.</param>
    /// <exception cref="VmcoreException">The file cannot be read; the dump is closed then.</exception>
    internal static void Apply(string path, MakedumpfileOptions options, ref CrashDump dump, out string? wrong)
    {
        try
        {
            using VmlinuxFile vmlinux = VmlinuxFile.Open(path);
            wrong = null;
            if (dump.VmcoreInfo is { } info)
            {
                wrong = vmlinux.Mismatch(info, options.Input);
                return;
            }

            byte[] text = Encoding.Latin1.GetBytes(vmlinux.WriteVmcoreInfo());
            dump.Dispose();
            dump = CrashDump.Open(options.Input, new()
            {
                VmcoreInfo = text,
                PmemRanges = options.PmemRanges,
                Mapping = options.NoMapping ? MappingChoice.None : MappingChoice.ProcVmcore,
            });
            if (dump.Kernel is not { IsVerified: true })
                wrong = $"{path}: {options.Input} is not of this kernel, or not where it can be found: {string.Join("; ", dump.Problems)}";
        }
        catch
        {
            dump.Dispose();
            throw;
        }
    }
}
