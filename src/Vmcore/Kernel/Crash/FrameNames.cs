namespace Vmcore.Kernel.Crash;

/// <summary>Names of functions on the stack of a crash: what they are called whatever the compiler made of them, and which say nothing of the cause.</summary>
/// <remarks>In the lists a star at the end stands for any end, one at the beginning for any beginning. They are part of signatures: a change of them is a
/// new version.</remarks>
internal static class FrameNames
{
    // The kernel's way from panic() to the capture kernel, and where the other CPUs are stopped meanwhile.
    private static readonly string[] s_panic =
    [
        "__crash_kexec", "crash_kexec", "machine_kexec", "panic", "vpanic", "nmi_panic", "*crash_shutdown", "crash_nmi_callback", "stop_this_cpu", "ipi_cpu_*",
        "local_cpu_stop",
    ];

    // What calls panic(), and is no place of a crash.
    private static readonly string[] s_reports =
    [
        "check_panic_on_warn", "__warn*", "warn_slowpath*", "report_bug*", "oops_end", "die", "die_*", "__die*", "make_task_dead", "rewind_stack*", "do_exit",
        "do_group_exit", "get_signal", "end_report", "print_report", "kasan_*", "__kasan_*", "__asan_*", "__hwasan_*", "check_memory_region", "kmsan_*",
        "__msan_*", "kcsan_*", "__tsan_*", "kfence_*", "__kfence_*", "ubsan_*", "__ubsan_*", "handle_overflow", "__stack_chk_fail", "__schedule_bug",
        "handle_bad_stack", "dump_stack*", "show_stack", "dump_backtrace",
    ];

    // How a task waits: for the CPU, a lock, an event.
    private static readonly string[] s_waits =
    [
        "__switch_to*", "context_switch", "__schedule", "__schedule_*", "schedule", "schedule_*", "io_schedule*", "preempt_schedule*", "__cond_resched",
        "mutex_lock*", "__mutex_lock*", "ww_mutex_lock*", "__ww_mutex_lock*", "rt_mutex_*", "__rt_mutex_*", "rtlock_*", "rwbase_*", "rwsem_*", "down", "down_*",
        "__down*", "wait_for_completion*", "wait_for_common*", "__wait_for_common*", "do_wait_for_common*", "bit_wait*", "out_of_line_wait_on_bit*",
        "__wait_on_bit*", "wait_on_bit*", "prepare_to_wait*", "wait_woken",
        "folio_wait_*", "wait_on_page_*", "__folio_lock*", "__lock_page*", "percpu_rwsem_wait*",
        "__percpu_down_read*", "percpu_down_write*", "msleep*", "usleep_range*",
        "do_nanosleep", "__might_sleep", "__might_resched", "__filemap_fdatawait_*", "filemap_fdatawait_*", "file_write_and_wait_*", "filemap_write_and_wait_*",
        "submit_bio_wait", "blk_wait_io", "blk_execute_rq",
    ];

    // What a task waits for, by a part of the name of a function that waits; the first that fits.
    private static readonly string[] s_things =
    [
        "percpu_rwsem", "percpu_down|percpu_rwsem", "mutex", "rwsem", "rwbase|rwsem", "rtlock|spinlock", "down_read|rwsem", "down_write|rwsem",
        "down|semaphore", "completion", "_wait_for_common|completion", "folio|page", "page", "fdatawait|page", "write_and_wait|page", "_bit|bit",
        "bio|request", "blk_|request",
        "io_schedule|io",
    ];

    // Small helpers with variants by CPU and configuration, or that only check what they are given: the caller is to blame.
    private static readonly string[] s_helpers =
    [
        "memcpy*", "__memcpy*", "memset*", "__memset*", "memmove*", "__memmove*", "memcmp", "memchr*", "memscan", "strlen", "strnlen", "strcmp", "strncmp",
        "strcasecmp", "strcpy", "strncpy", "strlcpy", "strscpy*", "sized_strscpy", "strchr*", "strrchr", "strstr", "strcat", "__pi_*", "rep_movs_*",
        "rep_stos_*", "copy_user_*", "__copy_user*", "__copy_from_user*", "__copy_to_user*", "_copy_from_user", "_copy_to_user", "raw_copy_*", "__arch_copy_*",
        "copy_page*",
        "clear_page*", "__clear_user", "__list_add_*", "__list_del_*", "refcount_warn_saturate", "*queued_spin_lock_slowpath", "queued_read_lock_slowpath",
        "queued_write_lock_slowpath", "_raw_spin_lock*", "_raw_read_lock*", "_raw_write_lock*", "do_raw_spin_lock", "usercopy_abort", "__check_object_size",
        "__check_heap_object", "check_heap_object", "fortify_panic", "__fortify_panic", "__fortify_report", "delay_*", "__delay", "__udelay", "__ndelay",
        "__const_udelay",
    ];

    private static readonly string[] s_systemCalls =
    [
        "do_syscall_*", "entry_SYSCALL*", "entry_SYSENTER*", "entry_INT80*", "x64_sys_call", "ia32_sys_call", "__se_sys_*", "__do_sys_*", "invoke_syscall",
        "el0*", "do_el0_*", "do_fast_syscall_*", "__do_fast_syscall_*", "do_int80_*",
    ];

    // Where one thing that the kernel does begins: what called it is the same for all of its kind, and has other names in each release.
    private static readonly string[] s_boundaries =
    [
        "syscall_exit_*", "exit_to_user_mode_*", "irqentry_*", "arch_do_signal*", "do_notify_resume",

        // Interrupts, exceptions, timers, what is done later.
        "asm_*", "exc_*", "sysvec_*", "__sysvec_*", "common_interrupt", "__common_interrupt", "el1*", "call_on_irq_stack", "do_interrupt_handler",
        "handle_exception", "do_irq", "__irq_exit*", "irq_exit*", "__do_softirq", "handle_softirqs", "do_softirq*", "__local_bh_enable_ip",
        "__handle_irq_event*", "handle_irq_event*", "generic_handle_*", "call_timer_fn", "expire_timers", "__run_timer*", "run_timer_*", "__hrtimer_run_queues",
        "hrtimer_interrupt", "hrtimer_run_softirq", "tasklet_action*", "bh_worker", "workqueue_softirq_action", "rcu_do_batch", "rcu_core*", "rcu_cpu_kthread",
        "flush_smp_call_function_queue", "__flush_smp_call_function_queue", "generic_smp_call_function_*", "csd_do_func", "irq_work_run*", "irq_work_single",
        "exec_binprm", "nmi_handle", "default_do_nmi",

        // Threads of the kernel, the idle task, the start.
        "ret_from_fork*", "kthread", "worker_thread", "process_one_work", "process_scheduled_works", "smpboot_thread_fn", "run_ksoftirqd", "irq_thread*",
        "cpu_startup_entry", "do_idle", "start_secondary", "secondary_*", "__secondary_*", "*start_kernel", "rest_init", "arch_call_rest_init", "kernel_init*",
        "do_one_initcall", "do_init_module",
    ];

    /// <summary>True for the kernel's way from panic() on.</summary>
    internal static bool IsPanic(string name) => Matches(s_panic, name);

    /// <summary>True for what reports and calls panic().</summary>
    internal static bool IsReport(string name) => Matches(s_reports, name);

    /// <summary>True for how a task waits.</summary>
    internal static bool IsWait(string name) => Matches(s_waits, name);

    /// <summary>What a function waits for: <c>mutex</c>, <c>rwsem</c>, <c>completion</c>, <c>page</c> …; null if its name does not say.</summary>
    internal static string? ThingOf(string wait)
    {
        foreach (string thing in s_things)
        {
            int bar = thing.IndexOf('|');
            if (wait.AsSpan().Contains(bar < 0 ? thing : thing.AsSpan(0, bar), StringComparison.Ordinal))
                return thing[(bar + 1)..];
        }

        return null;
    }

    /// <summary>True for helpers that are not to blame.</summary>
    internal static bool IsHelper(string name) => Matches(s_helpers, name);

    /// <summary>True where the way to a crash begins: what lies further out is left away.</summary>
    internal static bool IsBoundary(string name) => IsSystemCall(name) || Matches(s_boundaries, name);

    /// <summary>True for the way into a system call.</summary>
    internal static bool IsSystemCall(string name) => Matches(s_systemCalls, name)
        || (name.StartsWith("__", StringComparison.Ordinal) && name.IndexOf("_sys_", StringComparison.Ordinal) is > 0 and < 8);

    /// <summary>True for a function that, right behind the way into a system call, only carries it out; compilers often make it a part of that.</summary>
    internal static bool CarriesOut(string name) => Matches(["ksys_*", "do_*", "__do_*"], name);

    /// <summary>
    /// The name as it is in the source: without what the compiler adds (<c>.isra.0</c>, <c>.constprop.0</c>, <c>.part.0</c>, <c>.cold</c>, <c>.llvm.12</c>),
    /// of a BPF program without the hash of its instructions, of the two functions that any module may have with the module.
    /// </summary>
    internal static string Normalise(string name, string? module)
    {
        const string Bpf = "bpf_prog_";
        const int TagDigits = 16;
        int point = name.IndexOf('.');
        if (point > 0)
            name = name[..point];
        if (name.StartsWith(Bpf, StringComparison.Ordinal) && name.Length > Bpf.Length + TagDigits && name[Bpf.Length + TagDigits] == '_'
            && !name.AsSpan(Bpf.Length, TagDigits).ContainsAnyExcept("0123456789abcdef"))
            name = Bpf + name[(Bpf.Length + TagDigits + 1)..];
        return name is "init_module" or "cleanup_module" && module is not null ? $"{name} [{module}]" : name;
    }

    private static bool Matches(string[] patterns, string name)
    {
        foreach (string pattern in patterns)
        {
            bool fits = pattern[^1] == '*' ? name.AsSpan().StartsWith(pattern.AsSpan(0, pattern.Length - 1))
                : pattern[0] == '*' ? name.AsSpan().EndsWith(pattern.AsSpan(1)) : name == pattern;
            if (fits)
                return true;
        }

        return false;
    }
}
