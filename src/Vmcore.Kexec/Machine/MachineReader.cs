using System.Buffers.Binary;
using System.Globalization;
using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>Reads a <see cref="Machine"/> from /proc and /sys.</summary>
public static class MachineReader
{
    /// <summary>Reads the running system, or a tree captured on another one.</summary>
    /// <param name="sysroot">The folder that stands for <c>/</c>; null or empty for the running system.</param>
    /// <exception cref="KexecException">There is no /proc/iomem, or it hides its addresses.</exception>
    public static Machine Read(string? sysroot = null)
    {
        var root = new SystemRoot(sysroot ?? "");
        string iomemFile = root.Map("/proc/iomem");
        Iomem iomem = Iomem.Parse(root.TryReadText("/proc/iomem", 16 << 20)
            ?? throw new KexecException($"Cannot read {iomemFile}: mount /proc, or give a captured tree with --sysroot.", 1));
        if (iomem.IsHidden)
            throw new KexecException($"{iomemFile} hides its addresses: run as root.", 1);

        KcoreLayout kcore = KernelAddresses.ReadKcore(root);
        // The kernel takes its time to print all its symbols, and kcore mostly tells the same.
        bool isTold = kcore.HasInfo && iomem.KernelImage is { } image && kcore.TextAt(image.Start).Length > 0;
        IReadOnlyDictionary<string, ulong> symbols = isTold ? new Dictionary<string, ulong>(StringComparer.Ordinal) : KernelAddresses.ReadSymbols(root);
        byte[] bootParams = root.TryReadBytes("/sys/kernel/boot_params/data", 4096)
            ?? root.TryReadBytes("/sys/kernel/debug/boot_params/data", 4096) ?? [];
        string commandLine = root.TryReadText("/proc/cmdline", 65536) ?? "";
        IReadOnlyList<PmemNamespace> namespaces = PmemReader.ReadNamespaces(root);
        PfnRangeSet ram = iomem.SystemRam;
        return new()
        {
            IsLive = root.IsLive,
            KernelRelease = root.TryReadText("/proc/sys/kernel/osrelease", 256) ?? "",
            CommandLine = commandLine,
            Iomem = iomem,
            CpuNotes = ReadCpuNotes(root),
            VmcoreInfo = ReadVmcoreInfo(root),
            KernelText = KernelAddresses.FindText(iomem, symbols, kcore),
            PageOffset = kcore.PageOffset,
            Namespaces = namespaces,
            Pmem = iomem.PersistentMemory
                .Union(PmemReader.ReadRegions(root))
                .Union(Iomem.WholePages(namespaces.Select(static n => n.Range)))
                .Except(ram),
            StructPageSize = kcore.StructPageSize,
            HasKmem = PmemReader.HasKmem(root) || iomem.Resources.Any(static r => r.Name == "System RAM (kmem)"),
            KernelAddsPmem = kcore.KnowsPmem || symbols.ContainsKey("devm_memmap_vmcore_head"),
            BootParams = bootParams.Length == 4096 ? bootParams : default,
            AcpiRsdp = ReadRsdp(root, bootParams),
            IsEfi = root.Exists("/sys/firmware/efi"),
            Efi = EfiHandOff.Read(root, bootParams, commandLine),
            PossibleMemoryEnd = AcpiSrat.EndOfMemory(root.TryReadBytes("/sys/firmware/acpi/tables/SRAT")),
            IsXen = root.TryReadText("/sys/hypervisor/type", 64) == "xen",
            Lockdown = ReadLockdown(root),
            IsLoadDisabled = root.TryReadText("/proc/sys/kernel/kexec_load_disabled", 64) == "1",
            LoadLimit = ReadLimit(root),
            IsCrashKernelLoaded = ReadLoaded(root, panic: true),
            CrashElfcorehdrSize = root.TryReadNumber("/sys/kernel/crash_elfcorehdr_size"),
        };
    }

    /// <summary>Asks whether a kernel is loaded.</summary>
    /// <param name="sysroot">The folder that stands for <c>/</c>; null or empty for the running system.</param>
    /// <param name="panic">True for the crash kernel, false for the one that <c>kexec -l</c> loads.</param>
    /// <returns>Null if the kernel does not say.</returns>
    public static bool? IsLoaded(string? sysroot, bool panic) => ReadLoaded(new SystemRoot(sysroot ?? ""), panic);

    /// <summary>Reads /proc/iomem alone, without complaint about hidden addresses.</summary>
    /// <param name="sysroot">The folder that stands for <c>/</c>; null or empty for the running system.</param>
    /// <exception cref="KexecException">There is no /proc/iomem.</exception>
    public static Iomem ReadIomem(string? sysroot)
    {
        var root = new SystemRoot(sysroot ?? "");
        return Iomem.Parse(root.TryReadText("/proc/iomem", 16 << 20) ?? throw new KexecException($"Cannot read {root.Map("/proc/iomem")}: mount /proc.", 1));
    }

    private static bool? ReadLoaded(SystemRoot root, bool panic)
    {
        string name = panic ? "kexec_crash_loaded" : "kexec_loaded";
        string alias = panic ? "crash_loaded" : "loaded";
        return (root.TryReadText($"/sys/kernel/{name}", 16) ?? root.TryReadText($"/sys/kernel/kexec/{alias}", 16)) switch
        {
            "0" => false,
            "1" => true,
            _ => null,
        };
    }

    private static List<PhysicalRange> ReadCpuNotes(SystemRoot root)
    {
        const string cpus = "/sys/devices/system/cpu";
        List<PhysicalRange> notes = [];
        string? possible = root.TryReadText($"{cpus}/possible", 65536);
        IEnumerable<int> numbers = possible is not null
            ? Numbers.ParseList(possible)
            : root.List(cpus)
                .Where(static n => n.StartsWith("cpu", StringComparison.Ordinal) && n.Length > 3 && n.AsSpan(3).IndexOfAnyExceptInRange('0', '9') < 0)
                .Select(static n => int.TryParse(n.AsSpan(3), NumberStyles.None, CultureInfo.InvariantCulture, out int cpu) ? cpu : 0)
                .Order();
        foreach (int cpu in numbers)
        {
            // The address is hexadecimal without a prefix. A CPU that is not there has no file.
            ulong address = Numbers.TryParseHex(root.TryReadText($"{cpus}/cpu{cpu}/crash_notes", 64) ?? "") ?? 0;
            ulong size = root.TryReadNumber($"{cpus}/cpu{cpu}/crash_notes_size") ?? 0;
            if (address != 0 && size is > 0 and <= 65536)
                notes.Add(new(address, address + size));
        }

        return notes;
    }

    private static PhysicalRange? ReadVmcoreInfo(SystemRoot root)
    {
        // "0x0000000013728000 1024": the size is hexadecimal too.
        string[] words = (root.TryReadText("/sys/kernel/vmcoreinfo", 128) ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words.Length != 2 || Numbers.TryParse(words[0]) is not (> 0 and { } address) || Numbers.TryParseHex(words[1]) is not (> 0 and <= 1 << 20 and { } size))
            return null;
        return new(address, address + size);
    }

    private static ulong ReadRsdp(SystemRoot root, byte[] bootParams)
    {
        if (bootParams.Length >= 0x78 && BinaryPrimitives.ReadUInt64LittleEndian(bootParams.AsSpan(0x70)) is > 0 and { } address)
            return address;
        return EfiHandOff.ReadTable(root, "ACPI20=", "ACPI=");
    }

    private static string ReadLockdown(SystemRoot root)
    {
        // "none [integrity] confidentiality": the mode in force is in brackets.
        string text = root.TryReadText("/sys/kernel/security/lockdown", 128) ?? "";
        int open = text.IndexOf('['), close = text.IndexOf(']');
        return open >= 0 && close > open ? text[(open + 1)..close] : "";
    }

    private static long? ReadLimit(SystemRoot root) =>
        long.TryParse(root.TryReadText("/proc/sys/kernel/kexec_load_limit_panic", 32), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long limit) && limit >= 0 ? limit : null;
}
