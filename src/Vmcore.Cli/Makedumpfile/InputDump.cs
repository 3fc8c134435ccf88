using Vmcore.Findings;
using Vmcore.IO;
using Vmcore.Kernel.Identity;

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
        byte[]? given = options.VmcoreInfoFile is { } file ? ReadVmcoreInfo(file) : null;
        CrashDump dump = CrashDump.Open(options.Input, new()
        {
            VmcoreInfo = given,
            PmemRanges = options.PmemRanges,
            Mapping = options.NoMapping ? MappingChoice.None : MappingChoice.ProcVmcore,
        });
        if (dump.IsXen)
        {
            dump.Dispose();
            throw new MissingInformationException($"{options.Input}: a dump of a Xen hypervisor; those are not read. makedumpfile 1.7 filters them.");
        }

        if (options.Vmlinux is { } path)
        {
            VmlinuxDescription.Apply(path, options, ref dump, out string? wrong);
            if (wrong is not null)
            {
                messages.Line(MessageKind.Error, wrong);
                dump.Dispose();
                return null;
            }
        }

        foreach (Finding problem in dump.Problems)
            messages.Line(MessageKind.Error, problem.ToString());
        if (given is null || CheckRelease(options, dump, given) is not { } mismatch)
            return dump;
        messages.Line(MessageKind.Error, mismatch);
        dump.Dispose();
        return null;
    }

    /// <summary>Compares the -i file with what the dump itself says; a wrong description would drop the wrong pages.</summary>
    private static string? CheckRelease(MakedumpfileOptions options, CrashDump dump, byte[] given)
    {
        string? release = VmcoreInfo.Parse(given).OsRelease;
        string? actual = dump.Kernel?.Utsname?.Release ?? dump.VmcoreInfo?.OsRelease;
        if (actual is not null && actual != release)
            return $"{options.VmcoreInfoFile}: OSRELEASE is '{release}', but {options.Input} is of '{actual}'.";
        return dump.Kernel is null || dump.Kernel.IsVerified ? null
            : $"{options.VmcoreInfoFile}: the kernel's release cannot be read from {options.Input} with these addresses: "
                + "the file is of another boot or another kernel.";
    }

    private static byte[] ReadVmcoreInfo(string path)
    {
        const int Most = 1 << 20;
        using FileSource source = FileSource.Open(path);
        byte[] text = new byte[(int)Math.Min(source.Length, Most)];
        source.ReadExactly(0, text, "vmcoreinfo text");
        if (source.Length > Most || VmcoreInfo.Parse(text).OsRelease is null)
            throw new DumpFormatException(path, 0, "vmcoreinfo text", "no OSRELEASE line", "lines KEY=VALUE as the kernel writes them");
        return text;
    }
}
