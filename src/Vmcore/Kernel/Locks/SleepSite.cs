namespace Vmcore.Kernel.Locks;

/// <summary>What a function on the stack of a sleeping task says of what the task waits for.</summary>
internal enum SleepSite
{
    /// <summary>It may have a waiter for a wait queue: any function may.</summary>
    Any,

    /// <summary>It is of the scheduler: who called it is asked.</summary>
    Scheduler,

    /// <summary>It waits for a mutex.</summary>
    Mutex,

    /// <summary>It waits for a rw_semaphore.</summary>
    ReadWriteSemaphore,

    /// <summary>It waits for a semaphore.</summary>
    Semaphore,

    /// <summary>It waits for a completion.</summary>
    Completion,
}

/// <summary>Tells by their names the functions in which tasks sleep.</summary>
internal static class SleepSites
{
    /// <summary>What a function does.</summary>
    /// <param name="symbol">Its name, with what the compiler adds: <c>__mutex_lock.constprop.0</c>.</param>
    internal static SleepSite Of(string symbol)
    {
        int dot = symbol.IndexOf('.', StringComparison.Ordinal);
        string name = (dot > 0 ? symbol[..dot] : symbol).TrimStart('_');
        bool Begins(string start) => name.StartsWith(start, StringComparison.Ordinal);
        if (Begins("schedule") || Begins("io_schedule") || Begins("preempt_schedule")
            || name is "switch_to_asm" or "switch_to" or "cond_resched" or "bit_wait_io" or "bit_wait")
            return SleepSite.Scheduler;
        if (Begins("mutex_lock") || Begins("ww_mutex_lock"))
            return SleepSite.Mutex;
        if (Begins("rwsem_down_") || Begins("down_read") || Begins("down_write"))
            return SleepSite.ReadWriteSemaphore;
        if (name is "down" or "down_common" or "down_interruptible" or "down_killable" or "down_timeout")
            return SleepSite.Semaphore;
        return Begins("wait_for_common") || Begins("do_wait_for_common") || Begins("wait_for_completion") ? SleepSite.Completion : SleepSite.Any;
    }
}
