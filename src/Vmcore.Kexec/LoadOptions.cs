namespace Vmcore.Kexec;

/// <summary>Which persistent memory the dump may hold.</summary>
public enum PmemInDump
{
    /// <summary>The memmap of each active namespace that keeps it on the media: no user data.</summary>
    Metadata,

    /// <summary>Whole regions; the dumper must leave the user data out.</summary>
    Region,

    /// <summary>Nothing.</summary>
    None,
}

/// <summary>The system call that loads.</summary>
public enum LoadSyscall
{
    /// <summary>kexec_file_load, or kexec_load where the dump shall have pmem metadata; then whatever the kernel or the file allows. What of the two
    /// loses more decides (<see cref="SyscallChoice"/>).</summary>
    Best,

    /// <summary>kexec_file_load, then kexec_load if the kernel or the file does not allow it.</summary>
    Auto,

    /// <summary>kexec_load only.</summary>
    Load,

    /// <summary>kexec_file_load only.</summary>
    FileLoad,
}

/// <summary>What the operator wants.</summary>
public sealed record LoadOptions
{
    /// <summary>The capture kernel's command line as given.</summary>
    public string CommandLine { get; init; } = "";

    /// <summary>True to put the running kernel's command line, without crashkernel=, in front.</summary>
    public bool ReuseCommandLine { get; init; }

    /// <summary>System call to use.</summary>
    public LoadSyscall Syscall { get; init; }

    /// <summary>Pmem in the dump; null for what the running kernel's <c>crash_pmem.headers</c> says (<see cref="RunningSystem.KernelPmem"/>), or the
    /// metadata if it has no such parameter.</summary>
    public PmemInDump? Pmem { get; init; }

    /// <summary>True to let the capture kernel drive pmem, which overwrites the memmaps on it.</summary>
    public bool KeepPmemDrivers { get; init; }

    /// <summary>Names of the block devices that the dump goes to, most specific first, if known; for example <c>dm-0</c>, <c>pmem0</c>.</summary>
    public IReadOnlyList<string> DumpTargets { get; init; } = [];

    /// <summary>Names of the block devices below the command line's root=, if known.</summary>
    public IReadOnlyList<string> RootDevices { get; init; } = [];

    /// <summary>Where the kdump service's settings send the dump (<see cref="KdumpSettings"/>).</summary>
    public IReadOnlyList<ServiceTarget> ServiceTargets { get; init; } = [];

    /// <summary>True to verify nothing before the capture kernel is entered.</summary>
    public bool SkipChecks { get; init; }

    /// <summary>True to let the kernel update the ELF core header on CPU and memory hotplug.</summary>
    public bool Hotplug { get; init; }

    /// <summary>True to describe the memory on the command line too (memmap=exactmap).</summary>
    public bool PassMemmap { get; init; }

    /// <summary>True to start the capture kernel without the firmware's runtime services.</summary>
    public bool NoEfi { get; init; }

    /// <summary>True to ask the kernel for messages.</summary>
    public bool Debug { get; init; }

    /// <summary>Lowest physical address to load to, in bytes.</summary>
    public ulong MemoryMin { get; init; }

    /// <summary>Highest physical address to load to, in bytes, inclusive.</summary>
    public ulong MemoryMax { get; init; } = ulong.MaxValue;

    /// <summary>Where the stub reports damaged memory, as the operator named it; null for the platform's first serial port.</summary>
    public string? Serial { get; init; }

    /// <summary>A device tree in place of the firmware's, as a file; null for the firmware's.</summary>
    public string? DeviceTreeFile { get; init; }

    /// <summary>True to ask kexec_file_load to hand the running kernel's device tree over, also where there is ACPI (KEXEC_FILE_FORCE_DTB).</summary>
    public bool ForceDeviceTree { get; init; }

    /// <summary>The initramfs file, so that kexec_file_load gets the file itself and not a copy; null if there is none.</summary>
    public string? InitrdFile { get; init; }

    /// <summary>32 random bytes for the capture kernel's random number generator; empty for none.</summary>
    public ReadOnlyMemory<byte> RandomSeed { get; init; }
}
