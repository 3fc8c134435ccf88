using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>All that the loader knows of the machine that may crash: a plain copy of what /proc and /sys say.</summary>
public sealed record RunningSystem
{
    /// <summary>True if this is the running system, false for a captured tree.</summary>
    public required bool IsLive { get; init; }

    /// <summary>Name of the machine in utsname, for example <c>x86_64</c>; it chooses the platform.</summary>
    public required string Machine { get; init; }

    /// <summary>Base-2 logarithm of the running kernel's page size.</summary>
    public required int PageShift { get; init; }

    /// <summary>The running kernel's page size in bytes.</summary>
    public ulong PageSize => 1UL << PageShift;

    /// <summary>Release of the running kernel, for example <c>6.12.0-1-amd64</c>; empty if unknown.</summary>
    public string KernelRelease { get; init; } = "";

    /// <summary>The running kernel's command line.</summary>
    public string CommandLine { get; init; } = "";

    /// <summary>/proc/iomem.</summary>
    public required Iomem Iomem { get; init; }

    /// <summary>Physical addresses of the ELF notes of each CPU that has them, in bytes.</summary>
    public IReadOnlyList<PhysicalRange> CpuNotes { get; init; } = [];

    /// <summary>Physical addresses of the vmcoreinfo note, in bytes.</summary>
    public PhysicalRange? VmcoreInfo { get; init; }

    /// <summary>Where the running kernel lies; null if the kernel hides it.</summary>
    public KernelTextRange? KernelText { get; init; }

    /// <summary>Virtual address of physical address 0 in the direct map; null if the kernel hides it.</summary>
    public ulong? PageOffset { get; init; }

    /// <summary>Namespaces of persistent memory, ascending by address.</summary>
    public IReadOnlyList<NdNamespace> Namespaces { get; init; } = [];

    /// <summary>All persistent memory, also what belongs to no namespace; whole pages.</summary>
    public PfnRangeSet Pmem { get; init; } = PfnRangeSet.Empty;

    /// <summary>Pages of it with a known error, which nobody may read; they are in no dump.</summary>
    public PfnRangeSet BadPmem { get; init; } = PfnRangeSet.Empty;

    /// <summary>Size of a struct page in bytes; 0 if it is not known to be the usual 64.</summary>
    public int StructPageSize { get; init; }

    /// <summary>Base-2 logarithm of the bytes of a memory section; 0 if the kernel does not say.</summary>
    public int SectionSizeBits { get; init; }

    /// <summary>True if a dax device provides System RAM.</summary>
    public bool HasKmem { get; init; }

    /// <summary>True if the running kernel is known to add pmem to the ELF core header that it builds for kexec_file_load.</summary>
    public bool KernelAddsPmem { get; init; }

    /// <summary>What the running kernel's parameter <c>crash_pmem.headers</c> puts into an ELF core header; null if it has no such parameter.</summary>
    public PmemInDump? KernelPmem { get; init; }

    /// <summary>Memory of <c>crashkernel=SIZE,cma</c> in bytes, ascending: RAM for the capture kernel that processes use until the crash.</summary>
    public IReadOnlyList<PhysicalRange> CrashCma { get; init; } = [];

    /// <summary>All memory that is the capture kernel's alone after the crash: the regions of <c>crashkernel=</c>, then <see cref="CrashCma"/>.</summary>
    public IEnumerable<PhysicalRange> CaptureRam => [.. Iomem.CrashRegions, .. CrashCma];

    /// <summary>Bytes that <c>crashkernel=SIZE,cma</c> asked for, if the running kernel does not say where they are; else 0.</summary>
    public ulong HiddenCma { get; init; }

    /// <summary>Keys of encrypted volumes that the running kernel shall hand to the capture kernel (dm-crypt); only kexec_file_load does it.</summary>
    public int CryptKeys { get; init; }

    /// <summary>What the firmware left for a kernel.</summary>
    public required FirmwareState Firmware { get; init; }

    /// <summary>End of what the firmware (SRAT) says is memory or may become it, pmem included, in bytes; 0 if it does not say.</summary>
    public ulong PossibleMemoryEnd { get; init; }

    /// <summary>True if it is the control domain or a paravirtual guest of Xen: there the hypervisor loads crash kernels, not Linux.</summary>
    public bool IsXen { get; init; }

    /// <summary>Mode of lockdown in force: <c>none</c>, <c>integrity</c>, <c>confidentiality</c>; empty if unknown.</summary>
    public string Lockdown { get; init; } = "";

    /// <summary>True if sysctl kernel.kexec_load_disabled is 1.</summary>
    public bool IsLoadDisabled { get; init; }

    /// <summary>Loads of a crash kernel that sysctl kernel.kexec_load_limit_panic still allows; null if there is no limit.</summary>
    public long? LoadLimit { get; init; }

    /// <summary>True if a crash kernel is loaded, false if not, null if the kernel does not say.</summary>
    public bool? IsCrashKernelLoaded { get; init; }

    /// <summary>Bytes that the kernel wants for an ELF core header that it may update itself; null if it cannot.</summary>
    public ulong? CrashElfcorehdrSize { get; init; }

    /// <summary>The namespaces whose memmap lies on the media.</summary>
    public IEnumerable<NdNamespace> NamespacesOnMedia => Namespaces.Where(static n => n.Memmap == MemmapPlace.Media);
}
