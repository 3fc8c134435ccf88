namespace Vmcore.Kexec;

/// <summary>The system calls of kexec. All answer 0, or the error number.</summary>
public interface IKexecSyscalls
{
    /// <summary>kexec_load(2).</summary>
    /// <param name="entry">Physical address to jump to.</param>
    /// <param name="segments">The segments; none unloads.</param>
    /// <param name="flags">Flags.</param>
    int Load(ulong entry, IReadOnlyList<Segment> segments, ulong flags);

    /// <summary>kexec_file_load(2).</summary>
    /// <param name="kernel">The kernel: its file is handed over if it can be used as it is.</param>
    /// <param name="initrd">The initramfs; empty for none.</param>
    /// <param name="initrdFile">The file that holds exactly this initramfs; null to hand over a copy in memory.</param>
    /// <param name="commandLine">The command line with its NUL.</param>
    /// <param name="flags">Flags.</param>
    int FileLoad(KernelImage kernel, ReadOnlyMemory<byte> initrd, string? initrdFile, ReadOnlyMemory<byte> commandLine, ulong flags);

    /// <summary>kexec_file_load(2) with the flag that unloads.</summary>
    /// <param name="flags">Flags besides that.</param>
    int FileUnload(ulong flags);

    /// <summary>True if a crash kernel is loaded; null if the kernel does not say.</summary>
    bool? IsCrashKernelLoaded();
}

/// <summary>Flags and error numbers of Linux, the same on all its platforms (include/uapi/linux/kexec.h, asm-generic/errno.h).</summary>
internal static class KexecAbi
{
    public const ulong OnCrash = 1;
    public const ulong UpdateElfCoreHeader = 4;

    public const ulong FileUnload = 1;
    public const ulong FileOnCrash = 2;
    public const ulong FileNoInitramfs = 4;
    public const ulong FileDebug = 8;
    public const ulong FileForceDtb = 0x20;

    public const int Eperm = 1;
    public const int Enoexec = 8;
    public const int Enomem = 12;
    public const int Ebusy = 16;
    public const int Einval = 22;
    public const int Enosys = 38;
    public const int Enopkg = 65;
    public const int Ebadmsg = 74;
    public const int Elibbad = 80;
    public const int Emsgsize = 90;
    public const int Eopnotsupp = 95;
    public const int Eaddrnotavail = 99;
    public const int Enokey = 126;
    public const int Ekeyexpired = 127;
    public const int Ekeyrevoked = 128;
    public const int Ekeyrejected = 129;
}
