namespace Vmcore.Kernel.Types;

/// <summary>
/// Types of variables that are asked for in every crash. The BTF of most kernels describes no variables but those of each CPU, so that their type
/// would have to be written out; names and types are those of the kernel's headers, unchanged since 4.19.
/// </summary>
internal static class WellKnownVariables
{
    private static readonly Dictionary<string, string> s_types = new(StringComparer.Ordinal)
    {
        ["init_task"] = "struct task_struct",
        ["init_mm"] = "struct mm_struct",
        ["init_net"] = "struct net",
        ["init_uts_ns"] = "struct uts_namespace",
        ["init_pid_ns"] = "struct pid_namespace",
        ["init_user_ns"] = "struct user_namespace",
        ["init_nsproxy"] = "struct nsproxy",
        ["init_cred"] = "struct cred",
        ["init_css_set"] = "struct css_set",
        ["init_fs"] = "struct fs_struct",
        ["init_files"] = "struct files_struct",
        ["init_signals"] = "struct signal_struct",
        ["iomem_resource"] = "struct resource",
        ["ioport_resource"] = "struct resource",
        ["modules"] = "struct list_head",
        ["super_blocks"] = "struct list_head",
        ["slab_caches"] = "struct list_head",
        ["root_task_group"] = "struct task_group",
        ["cgrp_dfl_root"] = "struct cgroup_root",
        ["boot_cpu_data"] = "struct cpuinfo_x86",
        ["jiffies"] = "unsigned long",
        ["jiffies_64"] = "u64",
        ["saved_command_line"] = "char *",
        ["linux_banner"] = "char [256]",
        ["page_offset_base"] = "unsigned long",
        ["vmalloc_base"] = "unsigned long",
        ["vmemmap_base"] = "unsigned long",
        ["phys_base"] = "unsigned long",
        ["tainted_mask"] = "unsigned long",
        ["avenrun"] = "unsigned long [3]",
        ["panic_cpu"] = "atomic_t",
        ["crashing_cpu"] = "int",
        ["panic_on_oops"] = "int",
        ["panic_timeout"] = "int",
        ["nr_cpu_ids"] = "unsigned int",
        ["system_state"] = "enum system_states",
        ["__cpu_online_mask"] = "struct cpumask",
        ["__cpu_present_mask"] = "struct cpumask",
        ["__cpu_possible_mask"] = "struct cpumask",
        ["prb"] = "struct printk_ringbuffer *",
        ["printk_rb_static"] = "struct printk_ringbuffer",
        ["total_forks"] = "unsigned long",
        ["nr_threads"] = "int",
        ["max_pfn"] = "unsigned long",
        ["high_memory"] = "void *",
        ["files_stat"] = "struct files_stat_struct",
        ["system_wq"] = "struct workqueue_struct *",
        ["workqueues"] = "struct list_head",
    };

    /// <summary>The C name of a variable's type; null if it is none of these.</summary>
    internal static string? TypeOf(string name) => s_types.GetValueOrDefault(name);
}
