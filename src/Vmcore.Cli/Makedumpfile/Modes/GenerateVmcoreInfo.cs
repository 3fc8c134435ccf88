using System.Text;
using Vmcore.IO;
using Vmcore.Kernel.Vmlinux;

namespace Vmcore.Cli.Makedumpfile.Modes;

/// <summary><c>-g</c>: writes the vmcoreinfo text of a kernel from its vmlinux.</summary>
internal sealed class GenerateVmcoreInfo(MakedumpfileOptions options, Messages messages)
{
    /// <summary>Writes the file.</summary>
    /// <returns>The exit status.</returns>
    internal int Run()
    {
        string output = options.GeneratedVmcoreInfo!, text;
        using (VmlinuxFile vmlinux = VmlinuxFile.Open(options.Vmlinux!))
        {
            text = vmlinux.WriteVmcoreInfo();
            if (vmlinux.TypesProblem is { } problem)
                messages.Line(MessageKind.Error, problem.ToString());
        }

        if (FileIdentity.Of(output) is { } target && target == FileIdentity.Of(options.Vmlinux!))
            throw new FileAccessException(output, "is the vmlinux itself; give another name for the vmcoreinfo");
        // As the tool of today does, an older one is written over: it is made anew with each kernel.
        using FileSink sink = FileSink.Create(output, overwrite: true);
        byte[] bytes = Encoding.Latin1.GetBytes(text);
        sink.Write(0, bytes);
        sink.Complete(bytes.Length);
        messages.Line(MessageKind.Common, $"\nThe vmcoreinfo is saved to {output}.");
        return ExitStatus.Success;
    }
}
