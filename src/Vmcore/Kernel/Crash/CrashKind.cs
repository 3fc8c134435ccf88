namespace Vmcore.Kernel.Crash;

/// <summary>What a kernel died of. The names are part of signatures: they stay as they are.</summary>
public enum CrashKind
{
    /// <summary>It cannot be told.</summary>
    Unknown,

    /// <summary>The kernel did not panic: somebody else took the dump.</summary>
    NoPanic,

    /// <summary>Some code called panic() with a message of its own.</summary>
    Panic,

    /// <summary>Somebody asked for it (/proc/sysrq-trigger, or keys).</summary>
    Sysrq,

    /// <summary>An access to an address that is not mapped, or not so.</summary>
    PageFault,

    /// <summary>An access to an address near 0.</summary>
    NullPointer,

    /// <summary>General protection fault, mostly of an address that cannot be one.</summary>
    GeneralProtection,

    /// <summary>BUG() or BUG_ON().</summary>
    KernelBug,

    /// <summary>A WARNING, with panic_on_warn.</summary>
    Warning,

    /// <summary>A linked list whose links do not agree.</summary>
    ListCorruption,

    /// <summary>A division by 0.</summary>
    DivideError,

    /// <summary>An instruction that the CPU does not know.</summary>
    InvalidOpcode,

    /// <summary>A fault while a fault was handled.</summary>
    DoubleFault,

    /// <summary>A stack was used up.</summary>
    StackOverflow,

    /// <summary>A stack was written over (stack protector, or the mark at its end).</summary>
    StackCorruption,

    /// <summary>Another exception.</summary>
    Oops,

    /// <summary>KASAN found a wrong access.</summary>
    Kasan,

    /// <summary>KFENCE found a wrong access.</summary>
    Kfence,

    /// <summary>KMSAN found a use of memory that was not set.</summary>
    Kmsan,

    /// <summary>KCSAN found a data race.</summary>
    Kcsan,

    /// <summary>UBSAN found undefined behaviour.</summary>
    Ubsan,

    /// <summary>A CPU did not schedule for long.</summary>
    SoftLockup,

    /// <summary>A CPU did not take interrupts for long.</summary>
    HardLockup,

    /// <summary>A task waited for long without being able to be killed.</summary>
    HungTask,

    /// <summary>RCU waited for long for a CPU or task.</summary>
    RcuStall,

    /// <summary>A pool of workers made no progress.</summary>
    WorkqueueLockup,

    /// <summary>A task scheduled where it must not.</summary>
    SchedulingWhileAtomic,

    /// <summary>Another complaint of the kernel that begins with <c>BUG:</c>.</summary>
    OtherBug,

    /// <summary>No memory was left, and no process to be killed for it, or that is to be a panic.</summary>
    OutOfMemory,

    /// <summary>The hardware reported an error.</summary>
    MachineCheck,

    /// <summary>An interrupt that cannot be masked, of a button, a management controller or an unknown source.</summary>
    Nmi,

    /// <summary>The first process ended.</summary>
    InitKilled,
}
