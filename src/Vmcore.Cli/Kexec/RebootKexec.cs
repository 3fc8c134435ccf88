using System.Runtime.InteropServices;
using System.Text;

namespace Vmcore.Cli.Kexec;

/// <summary>
/// The kexec of kexec-tools, where a package has put it aside for ours: loading a kernel for a normal reboot and starting it
/// are its job, and a machine that reboots by kexec must go on to do so.
/// </summary>
internal static partial class RebootKexec
{
    /// <summary>Where packaging/build-deb diverts it to.</summary>
    internal const string Path = "/sbin/kexec.distrib";

    /// <summary>Becomes that program, with the same arguments. Returns only if it is not there or cannot be started.</summary>
    /// <param name="args">The arguments without the program's name.</param>
    internal static void BecomeIfThere(string[] args)
    {
        if (!File.Exists(Path))
            return;
        nint[] words = [Word("kexec"), .. args.Select(Word), 0];
        _ = Execute(Path, words);
        foreach (nint word in words)
            Marshal.FreeHGlobal(word);
    }

    private static nint Word(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text + "\0");
        nint memory = Marshal.AllocHGlobal(bytes.Length);
        Marshal.Copy(bytes, 0, memory, bytes.Length);
        return memory;
    }

    [LibraryImport("libc", EntryPoint = "execv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Execute(string path, nint[] arguments);
}
