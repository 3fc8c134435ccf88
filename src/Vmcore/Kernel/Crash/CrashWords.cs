namespace Vmcore.Kernel.Crash;

/// <summary>How kernels word what they die of: the beginnings of lines of the log, and the messages of panic().</summary>
/// <remarks>Source: the calls of printk and panic in arch/*/kernel, arch/*/mm, kernel/{panic,watchdog,hung_task,workqueue}.c, kernel/rcu, kernel/sched,
/// lib/{bug,list_debug,ubsan}.c, mm/{kasan,kfence,oom_kill.c} of 4.19 to 6.17.</remarks>
internal static class CrashWords
{
    /// <summary>What begins the line of a panic.</summary>
    internal const string PanicStart = "Kernel panic - not syncing";

    // Of a line that several of them fit, the first counts.
    private static readonly Words[] s_lines =
    [
        new(CrashKind.NullPointer, "BUG: kernel NULL pointer dereference"),
        new(CrashKind.NullPointer, "BUG: unable to handle kernel NULL pointer"),
        new(CrashKind.NullPointer, "Unable to handle kernel NULL pointer"),
        new(CrashKind.PageFault, "BUG: unable to handle"),
        new(CrashKind.PageFault, "Unable to handle kernel"),
        new(CrashKind.StackOverflow, "BUG: ", "stack guard page was hit"),
        new(CrashKind.StackOverflow, "kernel stack overflow"),
        new(CrashKind.StackOverflow, "stack guard page: "),
        new(CrashKind.StackOverflow, "Insufficient stack space to handle exception"),
        new(CrashKind.Kasan, "BUG: KASAN: "),
        new(CrashKind.Kfence, "BUG: KFENCE: "),
        new(CrashKind.Kmsan, "BUG: KMSAN: "),
        new(CrashKind.Kcsan, "BUG: KCSAN: "),
        new(CrashKind.Ubsan, "UBSAN: "),
        new(CrashKind.SoftLockup, "BUG: soft lockup"),
        new(CrashKind.HardLockup, "", "Watchdog detected hard LOCKUP"),
        new(CrashKind.WorkqueueLockup, "BUG: workqueue lockup"),
        new(CrashKind.SchedulingWhileAtomic, "BUG: scheduling while atomic"),
        new(CrashKind.RcuStall, "INFO: rcu", "stall"),
        new(CrashKind.HungTask, "INFO: task ", " blocked "),
        new(CrashKind.OtherBug, "BUG: "),
        new(CrashKind.ListCorruption, "list_add corruption"),
        new(CrashKind.ListCorruption, "list_add double add"),
        new(CrashKind.ListCorruption, "list_del corruption"),
        new(CrashKind.KernelBug, "kernel BUG at "),
        new(CrashKind.KernelBug, "Kernel BUG "),
        new(CrashKind.Warning, "WARNING: "),
        new(CrashKind.GeneralProtection, "general protection fault"),
        new(CrashKind.DivideError, "divide error: "),
        new(CrashKind.InvalidOpcode, "invalid opcode: "),
        new(CrashKind.DoubleFault, "double fault: "),
        new(CrashKind.DoubleFault, "PANIC: double fault"),
        new(CrashKind.Oops, "", " [#"),
    ];

    // Each with the kinds of the episode that it ends, if one can be found. Of those without any the message says all.
    private static readonly PanicWords[] s_panics =
    [
        new(CrashKind.Sysrq, "sysrq triggered crash"),
        new(CrashKind.HungTask, "hung_task: ", CrashKind.HungTask),
        new(CrashKind.SoftLockup, "softlockup: ", CrashKind.SoftLockup),
        new(CrashKind.HardLockup, "Hard LOCKUP", CrashKind.HardLockup),
        new(CrashKind.RcuStall, "RCU Stall", CrashKind.RcuStall),
        new(CrashKind.WorkqueueLockup, "workqueue: ", CrashKind.WorkqueueLockup),
        new(CrashKind.Kasan, "KASAN", CrashKind.Kasan),
        new(CrashKind.Kasan, "kasan.fault", CrashKind.Kasan),
        new(CrashKind.Kfence, "KFENCE: ", CrashKind.Kfence),
        new(CrashKind.Kmsan, "KMSAN: ", CrashKind.Kmsan),
        new(CrashKind.Kcsan, "KCSAN: ", CrashKind.Kcsan),
        new(CrashKind.Ubsan, "UBSAN: ", CrashKind.Ubsan),
        new(CrashKind.SchedulingWhileAtomic, "scheduling while atomic", CrashKind.SchedulingWhileAtomic),
        new(CrashKind.Warning, "panic_on_warn set", CrashKind.Warning, CrashKind.ListCorruption, CrashKind.Kasan, CrashKind.Kfence, CrashKind.Ubsan,
            CrashKind.OtherBug, CrashKind.SchedulingWhileAtomic),
        new(CrashKind.OutOfMemory, "Out of memory"),
        new(CrashKind.OutOfMemory, "out of memory. "),
        new(CrashKind.OutOfMemory, "System is deadlocked on memory"),
        new(CrashKind.MachineCheck, "achine check"),
        new(CrashKind.MachineCheck, "Timeout: Not all CPUs entered broadcast exception handler"),
        new(CrashKind.MachineCheck, "hardware error"),
        new(CrashKind.MachineCheck, "SError"),
        new(CrashKind.Nmi, "NMI"),
        new(CrashKind.StackCorruption, "stack-protector: "),
        new(CrashKind.StackCorruption, "corrupted stack end detected"),
        new(CrashKind.StackOverflow, "kernel stack overflow", CrashKind.StackOverflow),
        new(CrashKind.Oops, "Fatal exception") { OfDeath = true },
        new(CrashKind.InitKilled, "Attempted to kill init") { OfDeath = true },
        new(CrashKind.Oops, "Attempted to kill the idle task") { OfDeath = true },
        new(CrashKind.Oops, "Aiee, killing interrupt handler") { OfDeath = true },
        new(CrashKind.Oops, "bad mode") { OfDeath = true },
        new(CrashKind.Oops, "Unhandled exception") { OfDeath = true },
    ];

    // What stands before the words in some kernels.
    private static readonly string[] s_prefixes = ["NMI watchdog: ", "watchdog: ", "rcu: ", "traps: ", "Oops: "];

    /// <summary>The kind that a line of the log tells of; null for any other line.</summary>
    internal static CrashKind? OfLine(string line)
    {
        string bare = line;
        foreach (string prefix in s_prefixes)
        {
            if (bare.StartsWith(prefix, StringComparison.Ordinal))
                bare = bare[prefix.Length..];
        }

        foreach (Words words in s_lines)
        {
            if (bare.StartsWith(words.Start, StringComparison.Ordinal) && (words.Within is null || bare.Contains(words.Within, StringComparison.Ordinal)))
                return words.Kind is CrashKind.Oops && !IsDeath(line) ? null : words.Kind;
        }

        return null;
    }

    /// <summary>True for the line in which a kernel counts an oops: <c>Oops: 0000 [#1] …</c>, <c>Internal error: …</c>.</summary>
    internal static bool IsDeath(string line)
    {
        int at = line.IndexOf(" [#", StringComparison.Ordinal);
        return at > 0 && at + 3 < line.Length && char.IsAsciiDigit(line[at + 3]) && line.IndexOf(": ", StringComparison.Ordinal) is > 0 and var colon
            && colon < at;
    }

    /// <summary>True for the kinds that are always the end of the task that they meet.</summary>
    internal static bool IsDeadly(CrashKind kind) => kind is CrashKind.PageFault or CrashKind.NullPointer or CrashKind.GeneralProtection
        or CrashKind.KernelBug or CrashKind.DivideError or CrashKind.InvalidOpcode or CrashKind.DoubleFault or CrashKind.StackOverflow or CrashKind.Oops;

    /// <summary>True for the kinds whose place is where an exception or interrupt struck, not where the report was called from.</summary>
    internal static bool StrikesFromOutside(CrashKind kind) => IsDeadly(kind) || kind is CrashKind.ListCorruption or CrashKind.Warning or CrashKind.Kfence
        or CrashKind.SoftLockup or CrashKind.HardLockup or CrashKind.RcuStall or CrashKind.Nmi or CrashKind.MachineCheck;

    /// <summary>True for the kinds whose place is chance: the cause is elsewhere.</summary>
    internal static bool PlaceIsChance(CrashKind kind) => kind is CrashKind.OutOfMemory or CrashKind.MachineCheck or CrashKind.Nmi or CrashKind.InitKilled;

    /// <summary>What a message of panic() says.</summary>
    internal static PanicWords OfPanic(string message) =>
        Array.Find(s_panics, p => message.Contains(p.Within, StringComparison.Ordinal)) ?? new(CrashKind.Panic, "");

    private sealed record Words(CrashKind Kind, string Start, string? Within = null);
}

/// <summary>Words of a message of panic(), and what they mean.</summary>
/// <param name="Kind">The kind, where the log does not tell more.</param>
/// <param name="Within">The words.</param>
/// <param name="From">Kinds of what is reported before the panic, and is its cause.</param>
internal sealed record PanicWords(CrashKind Kind, string Within, params CrashKind[] From)
{
    /// <summary>True if the panic ends an oops.</summary>
    internal bool OfDeath { get; init; }

    /// <summary>True if an episode can be what led to the panic.</summary>
    internal bool Fits(CrashEpisode episode) => OfDeath ? episode.IsDeath : Array.IndexOf(From, episode.Kind) >= 0;
}
