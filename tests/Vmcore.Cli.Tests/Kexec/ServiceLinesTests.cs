using System.Globalization;
using Vmcore.Cli.Kexec;
using Vmcore.Testing.Kexec;

namespace Vmcore.Cli.Tests.Kexec;

/// <summary>
/// The command lines of kdump-utils (March 2026), SUSE's kdump (April 2026) and Debian's kdump-tools, with their options in their order, on machines of
/// several kinds: what is loaded by which call, and what is said.
/// </summary>
public sealed class ServiceLinesTests : IDisposable
{
    private const string FedoraLine = "ro rhgb irqpoll nr_cpus=1 reset_devices cgroup_disable=memory mce=off numa=off udev.children-max=2 panic=10 "
        + "acpi_no_memhotplug transparent_hugepage=never nokaslr hest_disable cma=0 pcie_ports=compat novmcoredd hugetlb_cma=0 kfence.sample_interval=0 "
        + "initramfs_options=size=90% disable_cpu_apicid=0 iTCO_wdt.pretimeout=0 rd.systemd.gpt_auto=no";
    private const string ArmLine = "ro irqpoll nr_cpus=1 reset_devices cgroup_disable=memory udev.children-max=2 panic=10 swiotlb=noforce cma=0 novmcoredd "
        + "hugetlb_cma=0 kfence.sample_interval=0 initramfs_options=size=90% rd.systemd.gpt_auto=no";
    private const string SuseLine = " security=apparmor sysrq=yes reset_devices acpi_no_memhotplug cgroup_disable=memory nokaslr numa=off irqpoll nr_cpus=32 "
        + "root=kdump rootflags=bind rd.udev.children-max=8 disable_cpu_apicid=0   panic=1";
    private const string DebianLine = "BOOT_IMAGE=/boot/vmlinuz-6.12.0-1-amd64 root=UUID=bbbb ro quiet  reset_devices "
        + "systemd.unit=kdump-tools-dump.service nr_cpus=1 irqpoll usbcore.nousb";

    private const string Kdumpctl = "--command-line=\"" + FedoraLine + "\" --initrd=/boot/initramfs-kdump.img /boot/vmlinuz";
    private const string Suse = "/sbin/kexec -p /var/lib/kdump/kernel --append=\"" + SuseLine + "\" --initrd=/var/lib/kdump/initrd ";
    private const string Debian = "--command-line=\"" + DebianLine + "\" --initrd=/var/lib/kdump/initrd.img /var/lib/kdump/vmlinuz";
    private const string FileOnly = "in this order: kexec_file_load\n", LoadFirst = "in this order: kexec_load, kexec_file_load\n",
        FileFirst = "in this order: kexec_file_load, kexec_load\n";

    private readonly StringWriter _output = new(CultureInfo.InvariantCulture);
    private readonly StringWriter _error = new(CultureInfo.InvariantCulture);

    public void Dispose()
    {
        _output.Dispose();
        _error.Dispose();
    }

    /// <summary>Script, machine, line, what it must do: the order of the calls, and what is said ("!": what is not).</summary>
    public static TheoryData<string, string, string, string[]> Lines => new()
    {
        { "kdumpctl", "plain", "/sbin/kexec -s -p " + Kdumpctl, [FileOnly, "With kexec_file_load nothing is lost", "!Warning"] },
        { "kdumpctl, Secure Boot", "locked", "/sbin/kexec -s -s -p " + Kdumpctl, [FileOnly, "!Warning"] },
        { "kdumpctl, KEXEC_ARGS=\"\"", "plain", "/sbin/kexec -p " + Kdumpctl, [FileFirst, "!Warning"] },
        { "kdumpctl, KEXEC_ARGS=\"-d\"", "plain", "/sbin/kexec -d -p " + Kdumpctl, [FileFirst] },
        { "kdumpctl", "pmem", "/sbin/kexec -s -p " + Kdumpctl, [FileOnly, "With kexec_file_load: The memmap of namespace0.0", "Load with -c"] },
        { "kdumpctl, KEXEC_ARGS=\"-c\"", "pmem", "/sbin/kexec -c -p " + Kdumpctl, ["in this order: kexec_load\n", "PmemMetadata", "!Warning"] },
        { "kdumpctl, KEXEC_ARGS=\"\"", "pmem", "/sbin/kexec -p " + Kdumpctl, [LoadFirst, "PmemMetadata", "initcall_blacklist=nd_pmem"] },
        { "kdumpctl, prepare_luks", "pmem, LUKS", "/sbin/kexec -s -p " + Kdumpctl, [FileOnly, "-c would leave out the keys"] },
        { "kdumpctl, KEXEC_ARGS=\"\", prepare_luks", "pmem, LUKS", "/sbin/kexec -p " + Kdumpctl,
            [FileFirst, "With kexec_load: kexec_load does not hand over the 1 key"] },
        { "kdumpctl, KEXEC_ARGS=\"-c\", prepare_luks", "LUKS", "/sbin/kexec -c -p " + Kdumpctl, ["cannot unlock an encrypted dump target"] },
        { "kdumpctl, crashkernel=,cma", "cma", "/sbin/kexec -c -p " + Kdumpctl, ["12000000-13ffffff Ram", "LOAD 10000000-11ffffff", "LOAD 14000000-1bfdbfff"] },
        { "kdumpctl, path on pmem", "pmem target", "/sbin/kexec -s -p " + Kdumpctl, [FileOnly, "The dump goes to /var/crash (/etc/kdump.conf)"] },
        { "kdumpctl, our kernel", "patched", "/sbin/kexec -s -p " + Kdumpctl, [FileOnly, "With kexec_file_load nothing is lost", "!Warning"] },
        { "kdumpctl, our kernel, LUKS", "patched, LUKS", "/sbin/kexec -p " + Kdumpctl, [FileFirst, "With kexec_file_load nothing is lost"] },
        { "kdumpctl, aarch64", "arm64",
            "/sbin/kexec -s -p --command-line=\"" + ArmLine + "\" --initrd=/boot/initramfs-kdump.img /boot/Image", [FileOnly, "The memmap of"] },
        { "early-kdump.sh", "plain",
            "/sbin/kexec -s -p --command-line=\"" + FedoraLine + "\" --initrd=/boot/initramfs-earlykdump /boot/kernel-earlykdump", [FileOnly] },
        { "kdumpctl stop", "plain", "/sbin/kexec -s -p -u", ["Would unload"] },
        { "kdumpctl stop", "plain", "/sbin/kexec -p -u", ["Would unload"] },
        { "load.sh", "plain", Suse + " -a", [FileFirst, "!Warning"] },
        { "load.sh", "pmem", Suse + " -a", [LoadFirst, "PmemMetadata", "!Warning: root="] },
        { "load.sh, KEXEC_OPTIONS=\"-c\"", "pmem", Suse + "-c -a", [LoadFirst] },
        { "load.sh, KEXEC_OPTIONS=\"-d --noefi\"", "efi", Suse + "-d --noefi -a", [FileFirst, "kexec_file_load leaves --noefi without effect"] },
        { "load.sh, crashkernel=,cma", "hidden cma", Suse + " -a",
            [FileFirst, "knows where the memory of crashkernel=,cma is", "With kexec_load: The capture kernel does not get the 512 MiB"] },
        { "load.sh, KDUMP_SAVEDIR on pmem", "pmem target", Suse + " -a", ["The dump goes to /var/crash (/etc/sysconfig/kdump)"] },
        { "load.sh, 4.18", "old", Suse + " -a", [FileFirst, "Ram copied to 0x", "backup"] },
        { "unload.sh", "plain", "/sbin/kexec -a -p -u", ["Would unload"] },
        { "kdump-config load", "plain", "/sbin/kexec -p " + Debian, [FileFirst, "!Warning"] },
        { "kdump-config load", "pmem", "/sbin/kexec -p " + Debian, [LoadFirst, "PmemMetadata"] },
        { "kdump-config load, Secure Boot", "locked", "/sbin/kexec -p -s " + Debian, [FileOnly] },
        { "kdump-config load, KDUMP_KEXEC_ARGS", "plain", "/sbin/kexec -p --reset-vga --console-serial " + Debian, [FileFirst] },
        { "kdump-config load, root on pmem", "pmem root", "/sbin/kexec -p " + Debian, [LoadFirst, "Warning: root="] },
        { "kdump-config unload", "plain", "/sbin/kexec -p -u", ["Would unload"] },
        { "kdump-config unload, Secure Boot", "locked", "/sbin/kexec -s -p -u", ["Would unload"] },
    };

    [Theory]
    [MemberData(nameof(Lines))]
    public void EachLineDoesWhatItsScriptNeeds(string script, string machine, string line, string[] expected)
    {
        using TestTree tree = Machine(machine);
        byte[] initrd = FakeKernel.Gzip(FakeKernel.Cpio(1000));
        tree.Bytes("/boot/vmlinuz", FakeKernel.BzImage()).Bytes("/boot/kernel-earlykdump", FakeKernel.BzImage()).Bytes("/boot/Image", FakeKernel.Arm64Image())
            .Bytes("/var/lib/kdump/kernel", FakeKernel.BzImage()).Bytes("/var/lib/kdump/vmlinuz", FakeKernel.BzImage());
        foreach (string name in (string[])["/boot/initramfs-kdump.img", "/boot/initramfs-earlykdump", "/var/lib/kdump/initrd", "/var/lib/kdump/initrd.img"])
            tree.Bytes(name, initrd);
        List<string> words = Words(line);
        Assert.Equal("/sbin/kexec", words[0]);
        int status = KexecCommand.Run([.. words.Skip(1).Select(w => InTree(w, tree.Root)), "--dry-run", $"--sysroot={tree.Root}"], _output, _error);
        Assert.True(status == 0, $"{script}: {status}\n{_error}");
        Assert.Equal("", _error.ToString());
        foreach (string text in expected)
        {
            if (text[0] == '!')
                Assert.DoesNotContain(text[1..], _output.ToString(), StringComparison.Ordinal);
            else
                Assert.Contains(text, _output.ToString(), StringComparison.Ordinal);
        }

        // All that the script gives reaches the capture kernel, in its order.
        string? given = words.Find(static w => w.Split('=')[0] is "--command-line" or "--append");
        string[] own = [.. (given?[(given.IndexOf('=', StringComparison.Ordinal) + 1)..] ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Where(static w => !w.StartsWith("BOOT_IMAGE=", StringComparison.Ordinal))];
        Assert.Contains(string.Join(' ', own), _output.ToString(), StringComparison.Ordinal);
    }

    private static TestTree Machine(string name)
    {
        TestTree tree = name switch
        {
            "arm64" => TestTree.Arm64(),
            _ when name.StartsWith("pmem", StringComparison.Ordinal) || name.StartsWith("patched", StringComparison.Ordinal) => TestTree.Stock(),
            _ => TestTree.Stock().Delete("/sys/bus/nd").Delete("/sys/bus/dax"),
        };
        tree.File("/proc/self/mountinfo", name == "pmem target"
            ? "21 1 254:1 / / rw - ext4 /dev/vda1 rw\n22 21 259:0 / /var/crash rw - ext4 /dev/pmem0 rw\n"
            : "21 1 254:1 / / rw - ext4 /dev/vda1 rw\n");
        foreach (string part in name.Split(", "))
        {
            _ = part switch
            {
                "LUKS" => tree.File("/sys/kernel/config/crash_dm_crypt_keys/count", "1\n").File("/sys/kernel/config/crash_dm_crypt_keys/reuse", "0\n"),
                "cma" => tree.File("/sys/kernel/kexec/crash_cma_ranges", "12000000-13ffffff\n"),
                "hidden cma" => tree.File("/proc/cmdline", "quiet crashkernel=192M crashkernel=512M,cma\n"),
                "patched" => tree.File("/sys/module/crash_pmem/parameters/headers", "memmap\n"),
                "locked" => tree.File("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n"),
                "old" => tree.File("/proc/sys/kernel/osrelease", "4.18.0-80.el8.x86_64\n"),
                "efi" => tree.Efi(),
                "pmem root" => tree.Link("/dev/disk/by-uuid/bbbb", "../../pmem0"),
                "pmem target" => tree.File("/etc/kdump.conf", "path /var/crash\ncore_collector makedumpfile -l --message-level 7 -d 31\n")
                    .File("/etc/sysconfig/kdump", "KDUMP_DUMPLEVEL=31\n").Link("/sys/dev/block/259:0", "../../devices/ndbus0/region0/pfn0.0/block/pmem0"),
                _ => tree,
            };
        }

        return tree;
    }

    private static string InTree(string word, string root)
    {
        foreach (string folder in (string[])["/boot/", "/var/lib/kdump/"])
        {
            if (word.StartsWith(folder, StringComparison.Ordinal) || word.StartsWith("--initrd=" + folder, StringComparison.Ordinal))
                return word.Replace(folder, root + folder, StringComparison.Ordinal);
        }

        return word;
    }

    // As a shell takes it apart, as far as these lines need it: blanks between words, double quotes.
    internal static List<string> Words(string line)
    {
        List<string> words = [];
        string? word = null;
        bool quoted = false;
        foreach (char c in line + " ")
        {
            if (c == '"')
                (quoted, word) = (!quoted, word ?? "");
            else if (c != ' ' || quoted)
                word += c;
            else if (word is not null)
            {
                words.Add(word);
                word = null;
            }
        }

        return words;
    }
}
