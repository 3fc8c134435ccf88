using Vmcore.Kdump.Configuration;
using Vmcore.Kexec;

namespace Vmcore.Kdump.Loading;

/// <summary>The capture kernel's command line: that of the running kernel, without what a capture kernel cannot use, and with what it needs.</summary>
internal static class CaptureWords
{
    // Where the system is and how it starts: we are init. What sets memory aside that a crash kernel's region has no room for. How much is said.
    private static readonly string[] s_dropped =
    [
        "BOOT_IMAGE", "crashkernel", "elfcorehdr", "initrd", "root", "rootfstype", "rootflags", "rootwait", "rootdelay", "ro", "rw", "resume", "resume_offset",
        "noresume",
        "init", "rdinit", "splash", "quiet", "verity", "ostree", "boot",
        "hugepages", "hugepagesz", "default_hugepagesz", "hugetlb_cma", "cma", "log_buf_len", "slub_debug", "slab_debug", "kfence.sample_interval",
        "movablecore", "kernelcore",
        "isolcpus", "nohz_full", "rcu_nocbs", "nr_cpus", "maxcpus", "possible_cpus", "nosmp", "panic", "reset_devices", "irqpoll", "transparent_hugepage",
    ];

    // Of dracut, systemd, LVM and the like, with a dot behind the name.
    private static readonly string[] s_droppedPrefixes = ["rd.", "systemd.", "udev.", "dracut.", "plymouth.", "vconsole.", "luks.", "fsck."];

    // reset_devices: drivers reset what the crashed kernel left running. irqpoll: an interrupt that it left on is looked for. panic: a second crash
    // starts the machine again. The others save memory.
    private const string Added = "reset_devices irqpoll nr_cpus=1 panic=10 transparent_hugepage=never cma=0 hugetlb_cma=0";

    /// <summary>Builds it; the loader adds its own words.</summary>
    /// <param name="running">The running kernel's.</param>
    /// <param name="configuration">Its <c>append</c> comes last.</param>
    internal static string Build(string running, KdumpConfiguration configuration)
    {
        List<string> words = CommandLineWords.Split(running);
        // What stands behind it goes to an init that is not ours.
        int end = words.IndexOf("--");
        IEnumerable<string> kept = (end < 0 ? words : words.Take(end)).Where(static w => !IsDropped(w));
        return string.Join(' ', [.. kept, Added, .. CommandLineWords.Split(configuration.Append)]);
    }

    private static bool IsDropped(string word) =>
        s_dropped.Any(d => CommandLineWords.Is(word, d)) || s_droppedPrefixes.Any(p => word.StartsWith(p, StringComparison.Ordinal))
        // A runlevel or "single": nothing of the kernel's.
        || word is "single" or "emergency" or "1" or "3" or "5" or "S";
}
