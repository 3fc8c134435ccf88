using Vmcore.Kernel.Types;

namespace Vmcore.Kernel.Tasks;

/// <summary>A task (a thread of a process, or of the kernel) as it was at the crash.</summary>
public sealed record KernelTask
{
    /// <summary>Its <c>struct task_struct</c>.</summary>
    public required KernelObject Object { get; init; }

    /// <summary>Virtual address of its <c>struct task_struct</c>.</summary>
    public ulong Address => Object.Address ?? 0;

    /// <summary>Number of the thread in the initial pid namespace; 0 for the idle task of each CPU.</summary>
    public required int Pid { get; init; }

    /// <summary>Number of the process: the pid of its first thread.</summary>
    public required int Tgid { get; init; }

    /// <summary>Number of the parent's process; 0 if there is none, or it cannot be read.</summary>
    public required int ParentPid { get; init; }

    /// <summary>Name, at most 15 characters; what is no printable ASCII is <c>?</c>.</summary>
    public required string Name { get; init; }

    /// <summary>State as ps(1) has it: <c>R</c>, <c>S</c>, <c>D</c>, <c>T</c>, <c>t</c>, <c>X</c>, <c>Z</c>, <c>P</c>, <c>I</c>.</summary>
    public required char State { get; init; }

    /// <summary>The same in words, with what the letter leaves out: <c>uninterruptible, in I/O</c>, <c>waiting for a CPU</c>.</summary>
    public required string StateText { get; init; }

    /// <summary>True if it waited so that no signal ends it, as the kernel's own hung task detection counts: <c>D</c> without those that only idle, are
    /// frozen, or may be killed.</summary>
    public required bool IsHung { get; init; }

    /// <summary>The CPU that it ran on last.</summary>
    public required int Cpu { get; init; }

    /// <summary>True if it was running on its CPU.</summary>
    public required bool IsOnCpu { get; init; }

    /// <summary>True for a thread of the kernel: it has no memory of its own.</summary>
    public required bool IsKernelThread { get; init; }

    /// <summary>Size of the address space in bytes; null for kernel threads.</summary>
    public ulong? VirtualSize { get; init; }

    /// <summary>Memory that is resident in bytes, what each CPU has counted for itself included (6.2 and later); null for kernel threads, or if it cannot be
    /// read.</summary>
    public ulong? ResidentSize { get; init; }
}
