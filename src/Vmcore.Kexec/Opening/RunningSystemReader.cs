using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>Reads a <see cref="RunningSystem"/> from /proc and /sys.</summary>
public static class RunningSystemReader
{
    // AT_PAGESZ.
    private const ulong AuxPageSize = 6;

    /// <summary>Reads the running system, or a tree captured on another one.</summary>
    /// <param name="sysroot">The folder that stands for <c>/</c>; null or empty for the running system.</param>
    /// <param name="kernel">The capture kernel: a tree that does not tell its machine is taken for one of the same; null if there is none.</param>
    /// <exception cref="KexecException">There is no /proc/iomem, it hides its addresses, or the machine is not known.</exception>
    public static RunningSystem Read(string? sysroot = null, KernelImage? kernel = null)
    {
        var root = new SystemRoot(sysroot ?? "");
        Iomem iomem = ReadShownIomem(sysroot);
        KcoreLayout kcore = KcoreLayout.Read(root);
        Platform platform = Recognise(root, kcore) ?? (kernel is null ? null : Platform.Of(kernel.Machine))
            ?? throw new KexecException(
                $"{root.Map("/")} does not tell its machine: add /proc/sys/kernel/arch or the beginning of /proc/kcore to the tree.", 1);
        int pageShift = ReadPageShift(root, kcore, platform);
        ulong pageSize = 1UL << pageShift;
        // The kernel takes its time to print all its symbols, and kcore mostly tells the same.
        bool isTold = kcore.HasInfo && platform.IsTextTold(iomem, kcore);
        IReadOnlyDictionary<string, ulong> symbols = isTold ? new Dictionary<string, ulong>(StringComparer.Ordinal) : ProcKallsyms.Read(root);
        string commandLine = ReadCommandLine(root);
        IReadOnlyList<NdNamespace> namespaces = NdReader.ReadNamespaces(root);
        bool isPatched = kcore.KnowsPmem || symbols.ContainsKey("devm_memmap_vmcore_head");
        PmemInDump? kernelPmem = CrashSettings.ReadPmem(root, commandLine, isPatched);
        return new()
        {
            IsLive = root.IsLive,
            Machine = platform.Machine,
            PageShift = pageShift,
            KernelRelease = root.TryReadText("/proc/sys/kernel/osrelease", 256) ?? "",
            CommandLine = commandLine,
            Iomem = iomem,
            CpuNotes = ReadCpuNotes(root),
            VmcoreInfo = ReadVmcoreInfo(root),
            KernelText = platform.FindText(iomem, symbols, kcore, pageSize),
            PageOffset = platform.FindPageOffset(kcore),
            Namespaces = namespaces,
            Pmem = iomem.PersistentMemory(pageShift)
                .Union(Iomem.WholePages(NdReader.ReadRegions(root), pageShift))
                .Union(Iomem.WholePages(namespaces.Select(static n => n.Range), pageShift))
                .Except(iomem.SystemRam(pageShift)),
            BadPmem = NdReader.ReadBadPages(root, pageShift),
            StructPageSize = kcore.StructPageSize,
            SectionSizeBits = kcore.Number("NUMBER(SECTION_SIZE_BITS)") is <= 40 and { } bits ? (int)bits : 0,
            HasKmem = NdReader.HasKmem(root) || iomem.Resources.Any(static r => r.Name == "System RAM (kmem)"),
            KernelAddsPmem = isPatched || kernelPmem is not null,
            KernelPmem = kernelPmem,
            CrashCma = CrashSettings.ReadCma(root, iomem, pageShift),
            HiddenCma = CrashSettings.ReadHiddenCma(root, commandLine),
            CryptKeys = CrashSettings.ReadCryptKeys(root),
            Firmware = platform.ReadFirmware(root, commandLine),
            PossibleMemoryEnd = AcpiSrat.EndOfMemory(root.TryReadBytes("/sys/firmware/acpi/tables/SRAT")),
            IsXen = IsLoadedByXen(root),
            Lockdown = ReadLockdown(root),
            IsLoadDisabled = root.TryReadText("/proc/sys/kernel/kexec_load_disabled", 64) == "1",
            LoadLimit = ReadLimit(root),
            IsCrashKernelLoaded = ReadLoaded(root, panic: true),
            CrashElfcorehdrSize = root.TryReadNumber("/sys/kernel/crash_elfcorehdr_size"),
        };
    }

    /// <summary>The platform of the running system, or of a tree; null for a tree that does not tell it.</summary>
    /// <param name="sysroot">The folder that stands for <c>/</c>; null or empty for the running system.</param>
    /// <exception cref="KexecException">It is a machine that no platform is for.</exception>
    public static Platform? Recognise(string? sysroot)
    {
        var root = new SystemRoot(sysroot ?? "");
        return Recognise(root, KcoreLayout.Read(root));
    }

    /// <summary>Reads the running kernel's command line; empty if it cannot be read.</summary>
    /// <param name="sysroot">The folder that stands for <c>/</c>; null or empty for the running system.</param>
    public static string ReadCommandLine(string? sysroot) => ReadCommandLine(new SystemRoot(sysroot ?? ""));

    /// <summary>Reads /proc/iomem alone, and refuses one that hides its addresses.</summary>
    /// <param name="sysroot">The folder that stands for <c>/</c>; null or empty for the running system.</param>
    /// <exception cref="KexecException">There is no /proc/iomem, or it hides its addresses.</exception>
    public static Iomem ReadShownIomem(string? sysroot)
    {
        var root = new SystemRoot(sysroot ?? "");
        string file = root.Map("/proc/iomem");
        Iomem iomem = Iomem.Parse(root.TryReadText("/proc/iomem", 16 << 20)
            ?? throw new KexecException($"Cannot read {file}: mount /proc, or give a captured tree with --sysroot.", 1));
        return iomem.IsHidden ? throw new KexecException($"{file} hides its addresses: run as root.", 1) : iomem;
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
        return Iomem.Parse(root.TryReadText("/proc/iomem", 16 << 20)
            ?? throw new KexecException($"Cannot read {root.Map("/proc/iomem")}: mount /proc.", 1));
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
        if (words.Length != 2 || Numbers.TryParse(words[0]) is not (> 0 and { } address)
            || Numbers.TryParseHex(words[1]) is not (> 0 and <= 1 << 20 and { } size))
        {
            return null;
        }

        return new(address, address + size);
    }

    // utsname tells of a 32-bit personality as well, so this process is asked.
    private static Platform? Recognise(SystemRoot root, KcoreLayout kcore)
    {
        if (root.IsLive)
        {
            return Platform.All.FirstOrDefault(static p => p.ProcessArchitecture == RuntimeInformation.ProcessArchitecture)
                ?? throw Platform.Unsupported(RuntimeInformation.ProcessArchitecture.ToString());
        }

        // Since Linux 6.1.
        if (root.TryReadText("/proc/sys/kernel/arch", 64) is { Length: > 0 } name)
            return Platform.Of(name) ?? throw Platform.Unsupported(name);
        if (kcore.Machine == 0)
            return null;
        return Platform.All.FirstOrDefault(p => p.ElfMachine == kcore.Machine)
            ?? throw Platform.Unsupported(string.Create(CultureInfo.InvariantCulture, $"ELF machine {kcore.Machine}"));
    }

    private static int ReadPageShift(SystemRoot root, KcoreLayout kcore, Platform platform)
    {
        ulong? size = root.IsLive ? (ulong)Environment.SystemPageSize : kcore.Number("PAGESIZE") ?? ReadAuxiliary(root, AuxPageSize);
        if (size is null && platform.PageShifts.Count == 1)
            return platform.PageShifts[0];
        if (size is null)
        {
            throw new KexecException(
                $"{root.Map("/")} does not tell its page size: add the beginning of /proc/kcore (512 KiB), or /proc/self/auxv, to the tree.", 1);
        }

        foreach (int shift in platform.PageShifts)
        {
            if (size == 1UL << shift)
                return shift;
        }

        throw new KexecException($"A page size of {size} bytes is not one of {platform.Title}: please report this.", 1);
    }

    // The vector that a process is started with: pairs of words, the kind and the value (Documentation: getauxval(3)).
    private static ulong? ReadAuxiliary(SystemRoot root, ulong kind)
    {
        byte[] vector = root.TryReadBytes("/proc/self/auxv", 1 << 16) ?? [];
        for (int at = 0; at <= vector.Length - 16; at += 16)
        {
            if (BinaryPrimitives.ReadUInt64LittleEndian(vector.AsSpan(at)) == kind)
                return BinaryPrimitives.ReadUInt64LittleEndian(vector.AsSpan(at + 8));
        }

        return null;
    }

    // HVM and PVH guests are as bare metal; /sys/hypervisor/guest_type tells them since Linux 4.13. The control domain has the capability.
    private static bool IsLoadedByXen(SystemRoot root) => root.TryReadText("/sys/hypervisor/type", 64) == "xen"
        && ((root.TryReadText("/proc/xen/capabilities", 256) ?? "").Contains("control_d", StringComparison.Ordinal)
            || root.TryReadText("/sys/hypervisor/guest_type", 64) == "PV");

    private static string ReadCommandLine(SystemRoot root) => root.TryReadText("/proc/cmdline", 65536) ?? "";

    private static string ReadLockdown(SystemRoot root)
    {
        // "none [integrity] confidentiality": the mode in force is in brackets.
        string text = root.TryReadText("/sys/kernel/security/lockdown", 128) ?? "";
        int open = text.IndexOf('['), close = text.IndexOf(']');
        return open >= 0 && close > open ? text[(open + 1)..close] : "";
    }

    private static long? ReadLimit(SystemRoot root)
    {
        string? text = root.TryReadText("/proc/sys/kernel/kexec_load_limit_panic", 32);
        return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long limit) && limit >= 0 ? limit : null;
    }
}
