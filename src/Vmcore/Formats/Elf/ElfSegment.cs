namespace Vmcore.Formats.Elf;

/// <summary>A program header of a core file.</summary>
/// <param name="Type">p_type: 1 = PT_LOAD, 4 = PT_NOTE.</param>
/// <param name="Flags">p_flags: R 4, W 2, X 1, and <see cref="DeviceFlag"/> or <see cref="KernelDeviceFlag"/>.</param>
/// <param name="Offset">p_offset: byte offset in the file.</param>
/// <param name="VirtualAddress">p_vaddr; all ones or 0 where unknown.</param>
/// <param name="PhysicalAddress">p_paddr; all ones where unknown.</param>
/// <param name="FileSize">p_filesz in bytes.</param>
/// <param name="MemorySize">p_memsz in bytes; what it has over p_filesz is not in the file.</param>
/// <param name="Align">p_align.</param>
public sealed record ElfSegment(
    uint Type, uint Flags, ulong Offset, ulong VirtualAddress, ulong PhysicalAddress, ulong FileSize, ulong MemorySize, ulong Align)
{
    /// <summary>
    /// PF_DEV of the pmem RFCs (2023), of kernels with the first editions of our series, and of Vmcore's loader: the segment is persistent memory.
    /// </summary>
    public const uint DeviceFlag = 1 << 4;

    /// <summary>PF_DEV of kernels with our series of today: the same in a bit that ELF leaves to operating systems (PF_MASKOS).</summary>
    public const uint KernelDeviceFlag = 0x0080_0000;

    /// <summary>Bytes behind <see cref="FileSize"/> that the file should have and does not, since it was cut: neither left out nor without content.</summary>
    internal ulong LostSize { get; init; }

    /// <summary>True for a PT_LOAD.</summary>
    public bool IsLoad => Type == ElfConstants.LoadSegment;

    /// <summary>True for a PT_NOTE.</summary>
    public bool IsNote => Type == ElfConstants.NoteSegment;

    /// <summary>True if PF_DEV is set, as <see cref="DeviceFlag"/> or <see cref="KernelDeviceFlag"/>.</summary>
    public bool IsDevice => (Flags & (DeviceFlag | KernelDeviceFlag)) != 0;

    /// <summary>One past the last physical byte, excluded tail included. Never overflows in a parsed file.</summary>
    public ulong PhysicalEnd => PhysicalAddress + MemorySize;

    /// <summary>A PT_LOAD for memory of which nothing else is known.</summary>
    /// <param name="address">Physical address of the first byte.</param>
    /// <param name="size">Bytes.</param>
    /// <param name="offset">Where they are in the file; null if they are not in it.</param>
    internal static ElfSegment OfMemory(ulong address, ulong size, long? offset) =>
        new(ElfConstants.LoadSegment, 7, (ulong)(offset ?? 0), 0, address, offset is null ? 0 : size, size, 0);
}
