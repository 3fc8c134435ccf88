namespace Vmcore.Kdump;

/// <summary>kdump cannot do what it is to do. The message says in one sentence what is wrong, and the way out.</summary>
public sealed class KdumpException : VmcoreException
{
    /// <summary>Creates the error.</summary>
    /// <param name="message">One sentence for the operator.</param>
    /// <param name="inner">The error below, if any.</param>
    public KdumpException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}
