using Vmcore.Kernel.Crash;

namespace Vmcore.Cli.Reader.Report;

/// <summary>What a kernel died of, in words.</summary>
internal static class CauseWords
{
    /// <summary>What a kind is, in words.</summary>
    internal static string Of(CrashKind kind) => kind switch
    {
        CrashKind.NoPanic => "the kernel did not panic: somebody else took the dump",
        CrashKind.Panic => "the kernel gave up with a message of its own",
        CrashKind.Sysrq => "somebody asked for the crash (sysrq)",
        CrashKind.PageFault => "the kernel touched an address that is not mapped, or not so",
        CrashKind.NullPointer => "the kernel followed a NULL pointer",
        CrashKind.GeneralProtection => "the kernel used an address that cannot be one (general protection fault)",
        CrashKind.KernelBug => "the kernel found itself in a state that must not be (BUG)",
        CrashKind.Warning => "the kernel warned, and was set to panic on warnings",
        CrashKind.ListCorruption => "the links of a list did not agree: it was written over, or used after it was freed",
        CrashKind.DivideError => "the kernel divided by zero",
        CrashKind.InvalidOpcode => "the kernel ran into an instruction that the CPU does not know",
        CrashKind.DoubleFault => "a fault while a fault was handled",
        CrashKind.StackOverflow => "a stack of the kernel was used up",
        CrashKind.StackCorruption => "a stack of the kernel was written over",
        CrashKind.Oops => "an exception in the kernel",
        CrashKind.Kasan => "KASAN found a wrong access",
        CrashKind.Kfence => "KFENCE found a wrong access",
        CrashKind.Kmsan => "KMSAN found a use of memory that was not set",
        CrashKind.Kcsan => "KCSAN found a data race",
        CrashKind.Ubsan => "UBSAN found undefined behaviour",
        CrashKind.SoftLockup => "a CPU ran in the kernel for long without scheduling (soft lockup)",
        CrashKind.HardLockup => "a CPU took no interrupts for long (hard lockup)",
        CrashKind.HungTask => "a task waited for long and could not be killed (hung task)",
        CrashKind.RcuStall => "RCU waited for long for a CPU or a task (stall)",
        CrashKind.WorkqueueLockup => "a pool of workers made no progress for long",
        CrashKind.SchedulingWhileAtomic => "the kernel scheduled where it must not",
        CrashKind.OtherBug => "the kernel complained of a bug",
        CrashKind.OutOfMemory => "memory ran out",
        CrashKind.MachineCheck => "the hardware reported an error (machine check)",
        CrashKind.Nmi => "an interrupt that cannot be masked: a button, a management controller, or an unknown source",
        CrashKind.InitKilled => "the first process ended",
        _ => "what the kernel died of cannot be told",
    };
}
