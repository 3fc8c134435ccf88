namespace Vmcore.Kernel.Crash;

/// <summary>Words a title as people write it.</summary>
internal static class CrashTitle
{
    private const int TitleCharacters = 160;

    /// <summary>The title.</summary>
    /// <param name="kind">What happened.</param>
    /// <param name="line">The line of the log that tells of it; null without one.</param>
    /// <param name="message">The message of the panic; null without one.</param>
    /// <param name="source">File and line of a BUG or WARNING; null if it is not known.</param>
    /// <param name="place">The function that is to blame; null if it is not known, or chance.</param>
    /// <param name="isNoCode">True if that function called what is no code.</param>
    internal static string Of(CrashKind kind, string? line, string? message, string? source, CrashPlace? place, bool isNoCode)
    {
        string what = kind switch
        {
            CrashKind.NoPanic => line is null ? "no panic" : $"no panic; last report in the log: {line}",
            CrashKind.Panic or CrashKind.OutOfMemory or CrashKind.Nmi or CrashKind.InitKilled or CrashKind.Sysrq or CrashKind.MachineCheck =>
                $"panic: {Tidy(message ?? (kind is CrashKind.Sysrq ? "sysrq triggered crash" : kind is CrashKind.OutOfMemory ? "out of memory" : ""))}",
            CrashKind.PageFault => "BUG: unable to handle page fault",
            CrashKind.NullPointer => "BUG: kernel NULL pointer dereference",
            CrashKind.GeneralProtection => "general protection fault",
            CrashKind.KernelBug => source is null ? "kernel BUG" : $"kernel BUG at {source}",
            CrashKind.Warning => source is null ? Tidy(line ?? "WARNING") : $"WARNING at {source}",
            CrashKind.ListCorruption => line?.StartsWith("list_del", StringComparison.Ordinal) == true ? "list_del corruption" : "list_add corruption",
            CrashKind.DivideError => "divide error",
            CrashKind.InvalidOpcode => "invalid opcode",
            CrashKind.DoubleFault => "double fault",
            CrashKind.StackOverflow => "kernel stack overflow",
            CrashKind.StackCorruption => "kernel stack is corrupted",
            CrashKind.Kasan or CrashKind.Kfence or CrashKind.Kmsan or CrashKind.Kcsan or CrashKind.Ubsan => Sanitizer(line ?? message ?? kind.ToString()),
            CrashKind.SoftLockup => "soft lockup",
            CrashKind.HardLockup => "hard lockup",
            CrashKind.HungTask => "hung task",
            CrashKind.RcuStall => "RCU stall",
            CrashKind.WorkqueueLockup => "workqueue lockup",
            CrashKind.SchedulingWhileAtomic => "BUG: scheduling while atomic",
            CrashKind.OtherBug => Tidy(line ?? "BUG"),
            CrashKind.Oops => Tidy(line ?? message ?? "oops"),
            _ => "crash of unknown cause",
        };
        what = what.TrimEnd(' ', ':');
        string where = place is null ? "" : isNoCode ? $", jump to no code from {place}" : $" in {place}";
        return (what.Length > TitleCharacters ? what[..TitleCharacters] + "…" : what) + where;
    }

    // "BUG: KASAN: slab-use-after-free in foo+0x1/0x2", "UBSAN: array-index-out-of-bounds in fs/x.c:12:3": the function is said once, behind it.
    private static string Sanitizer(string line) => Before(Before(line, " in "), " at ");

    // Without what differs from machine to machine: numbers of the oops, process and CPU behind it, and the full stop.
    private static string Tidy(string text)
    {
        const int FewestCharacters = 8;
        int at = text.IndexOf(" [#", StringComparison.Ordinal);
        text = at > 0 ? text[..at] : text;
        return text.Length < FewestCharacters ? text : text.TrimEnd('.', ' ', '!');
    }

    private static string Before(string text, string end) => text.IndexOf(end, StringComparison.Ordinal) is > 0 and var at ? text[..at] : text;
}
