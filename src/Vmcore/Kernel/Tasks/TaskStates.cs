using System.Numerics;

namespace Vmcore.Kernel.Tasks;

/// <summary>What the bits of a task's state say.</summary>
/// <remarks>Source: include/linux/sched.h (TASK_…), fs/proc/array.c (the letters), kernel/hung_task.c.</remarks>
internal static class TaskStates
{
    private const ulong Interruptible = 1, Uninterruptible = 2, Killable = 0x100, Waking = 0x200, NoLoad = 0x400, New = 0x800, RtLockWait = 0x1000,
        Frozen = 0x8000;

    /// <summary>The letter, by the rule of /proc/PID/stat: the highest bit that is reported, with idle and frozen tasks as special cases.</summary>
    /// <param name="state">__state (before 5.14 state).</param>
    /// <param name="exit">exit_state.</param>
    internal static char Letter(ulong state, ulong exit)
    {
        const ulong Reported = 0x7f;
        ulong shown = (state | exit) & Reported;
        if (state == (Uninterruptible | NoLoad))
            shown = Reported + 1;
        else if ((state & (RtLockWait | Frozen)) != 0)
            shown = Uninterruptible;
        return "RSDTtXZPI"[shown == 0 ? 0 : BitOperations.Log2(shown) + 1];
    }

    /// <summary>The state in words.</summary>
    /// <param name="state">__state (before 5.14 state).</param>
    /// <param name="exit">exit_state.</param>
    /// <param name="isOnCpu">True if it was running on its CPU.</param>
    /// <param name="isQueued">True if it was on a run queue.</param>
    /// <param name="isInIo">True if it waited in I/O (in_iowait).</param>
    internal static string Text(ulong state, ulong exit, bool isOnCpu, bool isQueued, bool isInIo)
    {
        if (isOnCpu)
            return "running";
        if ((exit & 0x20) != 0)
            return "zombie";
        if ((exit & 0x10) != 0 || (state & 0x80) != 0)
            return "dead";
        if ((state & Frozen) != 0)
            return "frozen";
        if ((state & RtLockWait) != 0)
            return "waiting for a lock";
        if ((state & Uninterruptible) != 0)
        {
            return (state & NoLoad) != 0 ? "idle"
                : (state & Killable) != 0 ? isInIo ? "uninterruptible but killable, in I/O" : "uninterruptible but killable"
                : isInIo ? "uninterruptible, in I/O" : "uninterruptible";
        }

        return (state & Interruptible) != 0 ? "sleeping" : (state & 8) != 0 ? "traced" : (state & 4) != 0 ? "stopped" : (state & 0x40) != 0 ? "parked"
            : (state & New) != 0 ? "new" : (state & Waking) != 0 ? "waking up" : isQueued ? "waiting for a CPU" : "runnable, on no queue";
    }

    /// <summary>Tells whether the kernel's hung task detection would count it.</summary>
    internal static bool IsHung(ulong state, ulong exit) =>
        exit == 0 && (state & Uninterruptible) != 0 && (state & (Killable | NoLoad | Frozen)) == 0;
}
