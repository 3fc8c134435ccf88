namespace Vmcore;

/// <summary>
/// The base of every error that Vmcore raises on purpose. Its message is one clear sentence for the operator:
/// it names the file, what was wrong and, where there is one, the way out.
/// </summary>
public class VmcoreException : Exception
{
    /// <summary>Creates the error.</summary>
    /// <param name="message">One sentence for the operator.</param>
    /// <param name="inner">The error below, if any.</param>
    public VmcoreException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}

/// <summary>A file is not what it claims to be: damaged, truncated, or of a format that Vmcore does not read.</summary>
public sealed class DumpFormatException : VmcoreException
{
    /// <summary>Creates the error.</summary>
    /// <param name="file">Name of the file.</param>
    /// <param name="offset">Byte offset in the file at which the fault was found.</param>
    /// <param name="what">The structure or field, for example <c>ELF header e_phentsize</c>.</param>
    /// <param name="found">What is there.</param>
    /// <param name="expected">What should be there.</param>
    public DumpFormatException(string file, long offset, string what, string found, string expected)
        : base($"{file}: offset 0x{offset:x}: {what}: found {found}, expected {expected}")
    {
        File = file;
        Offset = offset;
    }

    /// <summary>Name of the file.</summary>
    public string File { get; }

    /// <summary>Byte offset in the file at which the fault was found.</summary>
    public long Offset { get; }
}

/// <summary>The dump lacks something that the request needs: vmcoreinfo, a symbol, a memory model.</summary>
public sealed class MissingInformationException : VmcoreException
{
    /// <summary>Creates the error.</summary>
    /// <param name="message">One sentence for the operator.</param>
    public MissingInformationException(string message)
        : base(message)
    {
    }

    /// <summary>True if what was given to describe the kernel (vmcoreinfo, a vmlinux) is of another kernel than the dump.</summary>
    public bool IsOtherKernel { get; init; }
}

/// <summary>The operating system refused to read, write, open or map a file.</summary>
public sealed class FileAccessException : VmcoreException
{
    /// <summary>Creates the error.</summary>
    /// <param name="file">Name of the file.</param>
    /// <param name="message">One sentence for the operator.</param>
    /// <param name="noSpace">True if the target has no space left (ENOSPC, EDQUOT, EFBIG).</param>
    /// <param name="inner">The error below, if any.</param>
    public FileAccessException(string file, string message, bool noSpace = false, Exception? inner = null)
        : base($"{file}: {message}", inner)
    {
        File = file;
        IsNoSpace = noSpace;
    }

    /// <summary>Name of the file.</summary>
    public string File { get; }

    /// <summary>True if the target has no space left (ENOSPC, EDQUOT, EFBIG).</summary>
    public bool IsNoSpace { get; }
}
