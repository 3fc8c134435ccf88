namespace Vmcore.Kexec;

/// <summary>A crash kernel cannot be loaded. The message says in one sentence why, and what to do about it.</summary>
public sealed class KexecException : VmcoreException
{
    /// <summary>Creates the error.</summary>
    /// <param name="message">One sentence for the operator.</param>
    /// <param name="exitStatus">Exit status of the command: 255 for a load that failed, 1 for a request that cannot be served at all.</param>
    /// <param name="inner">The error below, if any.</param>
    public KexecException(string message, int exitStatus = 255, Exception? inner = null)
        : base(message, inner) => ExitStatus = exitStatus;

    /// <summary>Exit status of the command, as kexec-tools gives it.</summary>
    public int ExitStatus { get; }
}
