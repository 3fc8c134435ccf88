using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>What a platform must know to prepare the hand-over to the capture kernel.</summary>
/// <param name="System">The running system.</param>
/// <param name="Kernel">The capture kernel.</param>
/// <param name="Options">What the operator wants.</param>
/// <param name="KernelMemory">Where the kernel goes, in bytes.</param>
/// <param name="Initrd">Where the initramfs lies, without the padding behind it; empty if there is none.</param>
/// <param name="ElfCoreHeader">Memory of the ELF core header, in bytes.</param>
internal sealed record BootRequest(
    RunningSystem System, KernelImage Kernel, LoadOptions Options, PhysicalRange KernelMemory, PhysicalRange Initrd, PhysicalRange ElfCoreHeader)
{
    /// <summary>Memory that the stub copies to (<see cref="Platform.CopiedAway"/>), in bytes; empty if there is none.</summary>
    public PhysicalRange Backup { get; init; }
}

/// <summary>What the capture kernel is handed besides itself and its initramfs: boot parameters or a device tree, with the command line.</summary>
internal abstract class BootData
{
    /// <summary>Name of the segment: <c>boot_params</c>, <c>dtb</c>.</summary>
    public abstract string Name { get; }

    /// <summary>Words that the hand-over adds to the capture kernel's command line.</summary>
    public abstract IReadOnlyList<string> Words { get; }

    /// <summary>Memory map of the capture kernel, ascending.</summary>
    public abstract IReadOnlyList<MemoryMapEntry> Memory { get; }

    /// <summary>True if the capture kernel goes on with the firmware's EFI services.</summary>
    public abstract bool HandsEfiOver { get; }

    /// <summary>What the operator should know of the hand-over.</summary>
    public virtual IReadOnlyList<string> Notes => [];

    /// <summary>Bytes of the segment, at most.</summary>
    /// <param name="commandLine">Length of the command line with its NUL, in bytes.</param>
    public abstract int SizeOf(int commandLine);

    /// <summary>Builds the segment.</summary>
    /// <param name="address">Physical address at which it will lie.</param>
    /// <param name="commandLine">The command line with its NUL.</param>
    public abstract byte[] Build(ulong address, byte[] commandLine);
}

/// <summary>What a piece of the capture kernel's memory map is, numbered as firmware does (ACPI's E820 types).</summary>
public enum MemoryMapType
{
    /// <summary>Usable memory.</summary>
    Ram = 1,

    /// <summary>Not to be touched.</summary>
    Reserved = 2,

    /// <summary>ACPI tables.</summary>
    Acpi = 3,

    /// <summary>ACPI non-volatile storage.</summary>
    Nvs = 4,

    /// <summary>Broken memory.</summary>
    Unusable = 5,
}

/// <summary>An entry of the capture kernel's memory map.</summary>
/// <param name="Range">Physical addresses in bytes.</param>
/// <param name="Type">What is there.</param>
public sealed record MemoryMapEntry(PhysicalRange Range, MemoryMapType Type);
