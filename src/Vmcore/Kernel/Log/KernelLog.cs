using Vmcore.Findings;
using Vmcore.Kernel.Identity;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Kernel.Log;

/// <summary>
/// The log of the crashed kernel (dmesg), of every kernel since vmcoreinfo names it. What cannot be read is left out and counted; a ring that is
/// damaged gives what can be found in it, and never more messages than it has room for.
/// </summary>
public abstract class KernelLog
{
    /// <summary>Largest ring that a kernel makes, in bytes (LOG_BUF_LEN_MAX).</summary>
    internal const long LargestRing = 1L << 31;

    private readonly List<Finding> _problems = [];

    private protected KernelLog(VmcoreInfo info, IVirtualMemory memory, LogFormat format)
    {
        Info = info;
        Memory = memory;
        Format = format;
    }

    /// <summary>How the kernel keeps it.</summary>
    public LogFormat Format { get; }

    /// <summary>What was wrong with the log, one sentence each; complete when <see cref="Read"/> is through.</summary>
    public IReadOnlyList<Finding> Problems => _problems;

    /// <summary>Messages, or ends of a damaged ring, that could not be read; complete
    /// when <see cref="Read"/> is through. 0 says that the log is whole.</summary>
    public int Lost { get; private protected set; }

    private protected VmcoreInfo Info { get; }

    private protected IVirtualMemory Memory { get; }

    /// <summary>True if something of the log is not as a kernel leaves it; complete when <see cref="Read"/> is through. What is only not in the dump is
    /// no damage.</summary>
    public bool IsDamaged { get; private set; }

    /// <summary>Finds the log.</summary>
    /// <param name="info">Says where it is.</param>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="problem">One clause for the operator on why there is none; null if there is one.</param>
    /// <returns>Null if vmcoreinfo does not say where the log is, or its head cannot be read.</returns>
    public static KernelLog? TryOpen(VmcoreInfo info, IVirtualMemory memory, out string? problem)
    {
        if (info.Symbol("prb") is not null)
            return RingbufferLog.TryOpen(info, memory, out problem);
        if (info.Symbol("log_buf") is not null && info.Symbol("log_first_idx") is not null)
            return RecordLog.TryOpen(info, memory, out problem);
        if (info.Symbol("log_buf") is not null && info.Symbol("log_end") is not null)
            return TextLog.TryOpen(info, memory, out problem);
        problem = "vmcoreinfo does not say where the kernel's log is (neither prb nor log_buf)";
        return null;
    }

    /// <summary>Reads the messages, oldest first.</summary>
    /// <param name="sinceClear">True for only those since the log was last cleared (dmesg -c).</param>
    public abstract IEnumerable<LogRecord> Read(bool sinceClear = false);

    /// <summary>Where the messages lie, without the variables that say so.</summary>
    internal abstract IReadOnlyList<VirtualRange> Buffers { get; }

    /// <summary>Notes that the log is damaged, or what follows from it.</summary>
    private protected void Report(string problem, FindingCode code = FindingCode.LogDamaged)
    {
        _problems.Add(new(code, problem));
        IsDamaged = true;
    }

    /// <summary>Notes that messages, already counted in <see cref="Lost"/>, are not in the dump.</summary>
    private protected void ReportUnreadable(int messages)
    {
        if (messages > 0)
            _problems.Add(new(FindingCode.LogUnreadable, messages));
    }

    private protected bool TryRead(ulong address, Span<byte> bytes) => Memory.Read(address, bytes) == MemoryStatus.Ok;

    private protected static VirtualRange Buffer(ulong start, ulong length) => new(start, start + Math.Min(length, ulong.MaxValue - start));

    private protected static string Unreadable(string what, ulong address) =>
        $"{what} at 0x{address:x} cannot be read: the page is not in the dump, or damaged";
}
