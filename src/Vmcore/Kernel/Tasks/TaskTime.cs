namespace Vmcore.Kernel.Tasks;

/// <summary>Times of one task in nanoseconds. Each is null where the kernel does not keep it, or it cannot be read.</summary>
/// <remarks>
/// How long it had been in its state when the machine stopped is only known within bounds, which usually are some microseconds apart: the kernel notes when
/// a task last came onto a CPU (an upper bound), and up to when its last turn was accounted (a lower bound, for that was when it went to sleep, less what
/// the CPU spent on interrupts, or a hypervisor took from it, since).
/// </remarks>
public sealed class TaskTime
{
    /// <summary>It had been in its state at least so long: running on its CPU, waiting for one, or blocked, stopped, dead.</summary>
    public ulong? InStateAtLeast { get; init; }

    /// <summary>It had been in its state at most so long: then it last came onto a CPU.</summary>
    public ulong? InStateAtMost { get; init; }

    /// <summary>When it was made, after the start of the machine; without time asleep, as the times of the kernel's log.</summary>
    public ulong? Started { get; init; }

    /// <summary>Time that it spent in user mode, this thread alone, as the kernel counts it: on most kernels by ticks.</summary>
    public ulong? UserTime { get; init; }

    /// <summary>The same in the kernel.</summary>
    public ulong? SystemTime { get; init; }

    /// <summary>Time that it ran, exactly, up to the last time that it was accounted.</summary>
    public ulong? RunTime { get; init; }
}
